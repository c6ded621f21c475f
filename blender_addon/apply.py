# SPDX-License-Identifier: GPL-3.0-or-later
"""Put finished motions into the file: find or add the character, solve, write Actions. On the window's thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import bpy

from motion_engine import loop
from motion_engine.motion import Motion

from . import control_rig, keyframes, merge_start, rig, rig_map_table, roots, writing
from .character.build import add_character
from .retarget import solver
from .retarget.options import DEFAULTS, RetargetOptions
from .status import Fix, UserError


@dataclass(frozen=True)
class Place:
    """Where and when the keys go.

    Attributes
    ----------
    target : the armature, or None for a new default character.
    scene : name of the scene whose frame rate counts.
    start : frame of the first key.
    options : how the motion is put on the armature.
    writing : what the keys go into, and how many there are.
    """

    target: rig.Handle | None
    scene: str
    start: int
    options: RetargetOptions = DEFAULTS
    writing: writing.Writing = field(default_factory=writing.Writing)


@dataclass(frozen=True)
class Result:
    """What was made: names of the Actions, a sentence, the place with the armature that was really used."""

    actions: list[str]
    report: str
    place: Place


def write(place: Place, motions: Sequence[Motion], name: str, is_first: bool) -> Result:
    """Write the motions where the place says. A first new Action becomes the armature's own when ``is_first``.

    Raises
    ------
    UserError
        If the armature is gone or cannot take keys; nothing has been changed then.
    """
    scene = bpy.data.scenes.get(place.scene) or bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    with window_context():
        target = _target(place)
        mapping = rig.check(target)
        options = place.options
        clips: list[writing.Clip] = []
        # into an Action that plays on, the motion goes from where that is
        before = roots.put_back(target, scene) if place.writing.destination == "NEW" else []
        try:
            rest = rig.read_rest(target, mapping, options)
            merges = place.writing.destination == "CURRENT" and target.animation_data is not None
            merges = merges and target.animation_data.action is not None
            begin = (
                merge_start.find(target, rest, place.start) if merges and place.writing.from_pose else None
            )
            for index, motion in enumerate(motions):
                motion = loop.cycle(motion.resample(rate), options.loop, options.in_place)
                if begin is not None:
                    motion = begin.moved(motion)
                channels = solver.solve(rest, motion, options)
                if begin is not None:
                    channels = begin.carried(channels)
                title = name if len(motions) == 1 else numbered(name, index + 1)
                clips.append(writing.Clip(channels, title, motion.provenance))
            written = writing.write(target, clips, place.start, place.writing, rest.switches, is_first)
        except BaseException as error:
            roots.undo(before)
            if isinstance(error, ValueError | RuntimeError):
                raise UserError(f"'{target.name}': {error} Nothing was changed.") from None
            raise
        names = [action.name for action in written.actions]
        others = f" {len(names) - 1} more under Takes." if len(names) > 1 else ""
        words = rig_map_table.in_words(mapping.family)
        rig_name = target.name if mapping.family == "SMPL-X" else f"{target.name} ({words})"
        frames = f"frames {place.start} to {place.start + len(clips[0]) - 1}"
        match place.writing.destination:
            case "CURRENT" if merges:
                report = f"'{clips[0].title}' is in the action '{names[0]}' of {rig_name}, {frames}.{others}"
            case "NLA":
                report = f"'{names[0]}' is a strip on the NLA of {rig_name}, {frames}.{others}"
            case _:
                report = f"'{names[0]}' is on {rig_name}, {frames}.{others}"
        unseen = []
        if mapping.kind == "control":
            # a rig shows and hides its controls by drivers: Rigify's poles appear with the switch that has been keyed
            bpy.context.view_layer.update()
            unseen = control_rig.hidden(target, {channel.bone: None for channel in channels if channel.bone})
        if unseen:
            more = f" and {len(unseen) - 3} more" if len(unseen) > 3 else ""
            report += f" Hidden, but keyed: {', '.join(unseen[:3])}{more}."
        report = " ".join([report, *written.notes, *rest.notes, *_doubts(motions)])
        if target.data.pose_position == "REST":
            report += " It does not show yet: the armature is set to Rest Position."
        place = replace(place, target=rig.Handle.of(target))
        if written.next is not None:
            start, track = written.next
            place = replace(place, start=start, writing=replace(place.writing, track=track))
        return Result(names, report, place)


def _doubts(motions: Sequence[Motion]) -> Iterator[str]:
    """What of the words some takes do not do, and which are far from their words altogether."""
    for number, motion in enumerate(motions, start=1):
        take = "It" if len(motions) == 1 else f"Take {number}"
        if missing := motion.provenance.get("unmet"):
            yield f"{take} misses some of the words: {', '.join(missing)}."
        if motion.provenance.get("far"):
            yield f"{take} may show something else: the model knows little of this."


def numbered(name: str, number: int) -> str:
    """``name`` with a number that survives the limit on the length of names."""
    suffix = f" {number}"
    room = keyframes.NAME_BYTES - len(suffix)
    return (
        keyframes.action_name(name).encode("utf-8")[:room].decode("utf-8", errors="ignore").rstrip() + suffix
    )


def _target(place: Place) -> bpy.types.Object:
    if place.target is None:
        return add_character(bpy.context)
    target = place.target.find()
    if target is None:
        raise UserError(
            f"'{place.target.name}' was deleted while its motion was made. Nothing was changed.",
            [Fix("Put It on a New Character", "motion_prompt.place_again", {"new_character": True}, "ADD")],
        )
    return target


def push_undo(title: str) -> None:
    """Close everything done since the last undo step into one."""
    with window_context():
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=title)


@contextmanager
def window_context() -> Iterator[None]:
    """A timer runs without a window, where operators and ``context.view_layer`` need one."""
    windows = bpy.context.window_manager.windows if bpy.context.window_manager else []
    if bpy.context.window is not None or not len(windows):
        yield
        return
    with bpy.context.temp_override(window=windows[0]):
        yield
