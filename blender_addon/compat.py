# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between Blender 4.2 and 5.2 that the add-on meets, and nothing else.

- 4.2, 4.3: an Action holds its F-curves itself.
- 4.4 on: layers, strips and channel bags, one bag a slot; an Action animates an object only through a slot.
- 5.0 on: ``Action.fcurves`` is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

LAYERED = bpy.app.version >= (4, 4, 0)
CONSTANT, LINEAR, BEZIER = 0, 1, 2
"""Numbers of keyframe interpolations, for ``foreach_set``."""
FREE, AUTO, VECTOR, ALIGNED, AUTO_CLAMPED = 0, 1, 2, 3, 4
"""Numbers of keyframe handle types."""


class CurveWriter:
    """The F-curves by which an Action animates one object.

    Parameters
    ----------
    action : an Action; what it lacks to hold curves for the object is made.
    target : the object that it is to animate.
    """

    def __init__(self, action: bpy.types.Action, target: bpy.types.Object) -> None:
        self.slot: Any = None
        if LAYERED:
            self.slot = _slot_of(action, target) or action.slots.new(id_type="OBJECT", name=target.name)
            layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
            strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
            self._owner: Any = strip.channelbag(self.slot, ensure=True)
        else:
            if not len(action.fcurves):
                action.id_root = "OBJECT"
            self._owner = action
        self._groups: dict[str, Any] = {}

    def new(self, data_path: str, index: int, group: str) -> bpy.types.FCurve:
        """An empty F-curve in the named channel group."""
        curve = self._owner.fcurves.new(data_path, index=index)
        if group not in self._groups:
            self._groups[group] = self._owner.groups.get(group) or self._owner.groups.new(group)
        curve.group = self._groups[group]
        return curve

    def find(self, data_path: str, index: int) -> bpy.types.FCurve | None:
        """The F-curve of a property, or None."""
        return self._owner.fcurves.find(data_path, index=index)

    def remove(self, curve: bpy.types.FCurve) -> None:
        self._owner.fcurves.remove(curve)


def curves_on(target: bpy.types.Object, action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves by which an Action animates an object now; makes nothing."""
    if not LAYERED:
        return list(action.fcurves)
    slot = _slot_of(action, target)
    if slot is None:
        return []
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def _slot_of(action: bpy.types.Action, target: bpy.types.Object) -> Any:
    """The slot of ``action`` that animates ``target``, also in a copy of the target's own Action."""
    own = target.animation_data.action_slot if target.animation_data is not None else None
    return next(
        (slot for slot in action.slots if own is not None and slot.identifier == own.identifier), None
    )


def new_strip(track: bpy.types.NlaTrack, name: str, action: bpy.types.Action) -> bpy.types.NlaStrip:
    """A strip that plays ``action`` where its keys are.

    Raises
    ------
    RuntimeError
        If Blender refuses.
    """
    strip = track.strips.new(name, int(action.frame_range[0]), action)
    if LAYERED and strip.action_slot is None:
        strip.action_slot = strip.action_suitable_slots[0]
    return strip


def assign_action(target: bpy.types.Object, action: bpy.types.Action, slot: Any = None) -> None:
    """Make ``action`` the object's active Action, with a slot that really animates it.

    Assigning alone leaves the slot empty when the only one was used by another object. A slot that is not named is
    the first one that suits.

    Raises
    ------
    RuntimeError
        If Blender refuses, as in NLA tweak mode.
    """
    data = target.animation_data or target.animation_data_create()
    try:
        data.action = action
    except AttributeError as error:
        raise RuntimeError(str(error)) from None
    if LAYERED and slot is not None:
        data.action_slot = slot
    elif LAYERED and data.action_slot is None and len(data.action_suitable_slots):
        data.action_slot = data.action_suitable_slots[0]


def action_curves(action: bpy.types.Action) -> Iterable[bpy.types.FCurve]:
    """All F-curves of an Action, whatever it keeps them in."""
    if not LAYERED:
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves


def slot_for(action: bpy.types.Action, target: bpy.types.Object) -> Any:
    """The slot with which ``action`` would animate an object: its present one, that of its name, else the first.

    None before 4.4, and where no slot is for objects.
    """
    if not LAYERED:
        return None
    data = target.animation_data
    if data is not None and data.action == action and data.action_slot is not None:
        return data.action_slot
    slots = [slot for slot in action.slots if slot.target_id_type in {"OBJECT", "UNSPECIFIED"}]
    named = [slot for slot in slots if slot.name_display == target.name]
    return next(iter(named or slots), None)


def slot_curves(action: bpy.types.Action, slot: Any) -> list[bpy.types.FCurve]:
    """The F-curves of a slot; before 4.4, all of the Action's."""
    if not LAYERED:
        return list(action.fcurves)
    if slot is None:
        return []
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        if bag.slot_handle == slot.handle
        for curve in bag.fcurves
    ]


def assign_slot(data: bpy.types.AnimData, action: bpy.types.Action, slot: Any) -> None:
    """Make ``action`` the active one with that slot."""
    data.action = action
    if LAYERED and slot is not None:
        data.action_slot = slot


def strip_slot(strip: bpy.types.NlaStrip, target: bpy.types.Object) -> Any:
    """The slot that an NLA strip plays."""
    if LAYERED and strip.action_slot is not None:
        return strip.action_slot
    return slot_for(strip.action, target)
