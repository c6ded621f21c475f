# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be read: Actions and NLA strips, each with the armature whose bones it moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy

from .. import compat, rig
from ..status import UserError

SHARE = 0.5
"""Share of an Action's bones that an armature must have for the Action to be one of its own."""

_BONE = 'pose.bones["'


@dataclass(frozen=True)
class ActionHandle:
    """Remembers an Action across undo, renaming and deletion, without a reference to it."""

    name: str
    session_uid: int

    @classmethod
    def of(cls, action: bpy.types.Action) -> ActionHandle:
        return cls(action.name, action.session_uid)

    def find(self) -> bpy.types.Action | None:
        """The Action, or None when it is gone."""
        named = bpy.data.actions.get(self.name)
        if named is not None and named.session_uid == self.session_uid:
            return named
        return next((action for action in bpy.data.actions if action.session_uid == self.session_uid), None)


@dataclass(frozen=True)
class Source:
    """One animation to read.

    Attributes
    ----------
    action : the Action, also of a strip.
    target : the armature; None until it is looked for, so that many Actions need no waiting.
    track, strip : names of the NLA track and strip; empty for the Action itself.
    """

    action: ActionHandle
    target: rig.Handle | None = None
    track: str = ""
    strip: str = ""

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self.strip or self.action.name

    def find(self) -> bpy.types.Action | bpy.types.NlaStrip | None:
        """The Action or strip as it is now, or None when it is gone."""
        if not self.strip:
            return self.action.find()
        target = self.target.find() if self.target is not None else None
        data = target.animation_data if target is not None else None
        track = data.nla_tracks.get(self.track) if data is not None else None
        strip = track.strips.get(self.strip) if track is not None else None
        return strip if strip is not None and strip.action is not None else None


def bones_of(action: bpy.types.Action) -> list[str]:
    """Names of the bones that an Action moves, in the order of its curves."""
    found: dict[str, None] = {}
    for curve in compat.action_curves(action):
        path = curve.data_path
        if path.startswith(_BONE):
            found[bpy.utils.unescape_identifier(path[len(_BONE) :].partition('"]')[0])] = None
    return list(found)


def fits(action: bpy.types.Action, target: bpy.types.Object) -> bool:
    """Whether an Action is for the bones of an armature."""
    return _share(bones_of(action), target) >= SHARE


def armature_for(action: bpy.types.Action, preferred: Sequence[bpy.types.Object] = ()) -> bpy.types.Object:
    """The armature that an Action animates: a preferred one, one that plays it, else the one with most of its bones.

    Raises
    ------
    UserError
        If it moves no bones, or those of no armature here; the sentence names the Action.
    """
    bones = bones_of(action)
    if not bones:
        raise UserError(f"'{action.name}' {_what_it_moves(action)} Only animations of armatures can be read.")
    best, best_rank = None, (SHARE, False, False, False)
    for target in bpy.data.objects:
        if target.type != "ARMATURE":
            continue
        share = _share(bones, target)
        if share < SHARE:
            continue
        data = target.animation_data
        plays = data is not None and data.action == action
        seen = target.name in bpy.context.scene.objects
        rank = (target in preferred, plays, seen, share)
        if best is None or rank > best_rank:
            best, best_rank = target, rank
    if best is None:
        more = f" and {len(bones) - 2} more" if len(bones) > 2 else ""
        names = ", ".join(f"'{bone}'" for bone in bones[:2])
        raise UserError(
            f"'{action.name}' moves the bones {names}{more}, which no armature in this file has. Append its character, "
            "then try again."
        )
    return best


def _share(bones: Sequence[str], target: bpy.types.Object) -> float:
    present = target.data.bones
    return sum(bone in present for bone in bones) / max(len(bones), 1)


def _what_it_moves(action: bpy.types.Action) -> str:
    """Why an Action without bones is no animation of a character."""
    paths = list(dict.fromkeys(curve.data_path for curve in compat.action_curves(action)))
    if not paths:
        return "has no keys."
    for thing in bpy.data.objects:
        for owner in (thing, thing.data):
            data = getattr(owner, "animation_data", None)
            if data is not None and data.action == action:
                return f"moves no bones but the {thing.type.lower().replace('_', ' ')} '{thing.name}'."
    return f"moves no bones; its keys are for '{paths[0]}'."


def of_actions(actions: Iterable[bpy.types.Action]) -> list[Source]:
    """The Actions as sources, their armatures to be found one by one when they are read."""
    return [Source(ActionHandle.of(action)) for action in actions]


def of_strips(targets: Iterable[bpy.types.Object], selected_only: bool) -> list[Source]:
    """The NLA strips of armatures that play an Action."""
    found = []
    for target in targets:
        data = target.animation_data
        for track in data.nla_tracks if data is not None else ():
            for strip in track.strips:
                if (
                    strip.action is None
                    or (selected_only and not strip.select)
                    or (track.mute and not selected_only)
                ):
                    continue
                found.append(_of_strip(target, track, strip))
    return found


def of_strip(strip: bpy.types.NlaStrip) -> Source:
    """One NLA strip.

    Raises
    ------
    UserError
        If it plays no Action, or on no armature.
    """
    target = strip.id_data
    if strip.action is None or not isinstance(target, bpy.types.Object) or target.type != "ARMATURE":
        raise UserError(f"The strip '{strip.name}' plays no action of an armature.")
    track = next(track for track in target.animation_data.nla_tracks if track.strips.get(strip.name) == strip)
    return _of_strip(target, track, strip)


def _of_strip(target: bpy.types.Object, track: bpy.types.NlaTrack, strip: bpy.types.NlaStrip) -> Source:
    return Source(ActionHandle.of(strip.action), rig.Handle.of(target), track.name, strip.name)


def of_armatures(targets: Iterable[bpy.types.Object]) -> list[Source]:
    """What armatures play: their Action, else the strips of their NLA tracks.

    Raises
    ------
    UserError
        If none of them plays anything.
    """
    found, still = [], []
    for target in targets:
        data = target.animation_data
        if data is not None and data.action is not None:
            found.append(Source(ActionHandle.of(data.action), rig.Handle.of(target)))
            continue
        strips = of_strips([target], selected_only=False)
        found += strips
        if not strips:
            still.append(target.name)
    if not found:
        names = " and ".join(f"'{name}'" for name in still[:2]) or "No armature"
        text = f"{names} plays no animation. Give it an action, or tick some in the list and caption those."
        raise UserError(text if still else "Select an armature that plays an animation first.")
    return found


def selected_armatures(context: bpy.types.Context) -> list[bpy.types.Object]:
    """All selected armatures, the one that the user means first; also those of selected meshes."""
    found = [rig.selected_armature(context)]
    for thing in context.view_layer.objects.selected:
        found.append(
            thing if thing.type == "ARMATURE" else thing.find_armature() if thing.type == "MESH" else None
        )
    return list(dict.fromkeys(target for target in found if target is not None))
