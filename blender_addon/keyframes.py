# SPDX-License-Identifier: GPL-3.0-or-later
"""Write solved channels as a new Action of an armature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from . import compat, switches
from .curve_keys import CurveKeys
from .retarget.channels import Channel

NAME_BYTES = 63
_CREDIT = ("bundle", "licence")
_MAX_INT = 2**31 - 1


def action_name(text: str) -> str:
    """``text`` as the name of an Action: one line, at most 63 bytes of UTF-8, never cut inside a character."""
    line = " ".join(text.split()) or "Motion"
    return line.encode("utf-8")[:NAME_BYTES].decode("utf-8", errors="ignore").rstrip()


def channel_path(channel: Channel) -> str:
    """The data path of a channel, from the armature object."""
    if not channel.bone:
        return channel.property
    return f'pose.bones["{bpy.utils.escape_identifier(channel.bone)}"].{channel.property}'


def write_action(
    target: bpy.types.Object,
    channels: Sequence[Channel],
    name: str,
    start: float,
    provenance: dict[str, Any],
    once: dict[switches.Key, float] | None = None,
) -> bpy.types.Action:
    """Make an Action with the channels' keys; it is kept by a fake user and not assigned yet.

    Parameters
    ----------
    target : the armature it is for.
    channels : one value a scene frame each, which become linear keys, or reduced ones.
    name : text that names it.
    start : frame of the first key.
    provenance : how the motion was made; becomes custom properties.
    once : (bone, path below it) -> value, one key each: a control rig's FK instead of IK.
    """
    action = bpy.data.actions.new(action_name(name))
    action.use_fake_user = True
    writer = compat.CurveWriter(action, target)
    for channel in channels:
        at = np.arange(len(channel.values)) if channel.frames is None else channel.frames
        for number, (index, column) in enumerate(zip(channel.indices, channel.values.T, strict=True)):
            curve = writer.new(channel_path(channel), index, channel.bone or "Object Transforms")
            if channel.slopes is not None:
                CurveKeys.through(start + at.astype(float), column, channel.slopes[:, number]).write(curve)
                continue
            points = np.stack([start + at, column], axis=-1).astype(np.float32)
            curve.keyframe_points.add(len(points))
            curve.keyframe_points.foreach_set("co", points.ravel())
            curve.keyframe_points.foreach_set(
                "interpolation", np.full(len(points), compat.LINEAR, dtype=np.int32)
            )
            curve.update()
    for key, value in (once or {}).items():
        curve = writer.new(switches.path(key), 0, key[0])
        curve.keyframe_points.add(1)
        curve.keyframe_points.foreach_set("co", np.array([start, value], dtype=np.float32))
        curve.keyframe_points.foreach_set("interpolation", np.array([compat.CONSTANT], dtype=np.int32))
        curve.update()
    describe(action, target, provenance)
    return action


def assign(target: bpy.types.Object, action: bpy.types.Action) -> None:
    """Make the Action the armature's active one; the one before is kept by a fake user.

    Raises
    ------
    RuntimeError
        If Blender refuses.
    """
    before = target.animation_data.action if target.animation_data else None
    if before is not None and before != action and before.library is None:
        before.use_fake_user = True
    compat.assign_action(target, action)


def describe(action: bpy.types.Action, target: bpy.types.Object, provenance: dict[str, Any]) -> None:
    """Keep in the Action whose take it is and how it was made."""
    action["motion_prompt"] = target.name
    for key, value in provenance.items():
        value = _storable(value)
        if value is not None and key not in _CREDIT:
            action[key] = value
    add_credit(action, provenance)


def add_credit(action: bpy.types.Action, provenance: dict[str, Any]) -> None:
    """Name the model of a motion and its licence, beside those of other motions that are in the Action already."""
    for key in _CREDIT:
        known = [*str(action.get(key, "")).split("; "), str(provenance.get(key) or "")]
        if any(known):
            action[key] = "; ".join(dict.fromkeys(filter(None, known)))


def credit(action: bpy.types.Action | None) -> dict[str, str]:
    """The models and licences that an Action names; nothing for one that was made by hand."""
    return {key: str(action[key]) for key in _CREDIT if action is not None and key in action}


def _storable(value: Any) -> Any:
    """A JSON value as Blender can keep it: no None, no integers over 32 bits, no lists of mixed types."""
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INT else str(value)
    if isinstance(value, dict):
        return {str(k): _storable(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        simple = bool(value) and all(type(item) is type(value[0]) for item in value)
        return value if simple and isinstance(value[0], int | float | str) else str(value)
    return None if value is None else str(value)
