# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a motion's keys go and how many there are: the choices, and the ways to carry them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from . import compat, key_reduction, keyframes, merge, nla
from .retarget.channels import Channel
from .switches import Key

_DESTINATIONS = (
    ("NEW", "New Action", "A new action, which the armature then plays; the one before is kept"),
    ("CURRENT", "Current Action", "Into the action that the armature plays, over the motion's own frames and bones"),
    ("NLA", "NLA Strip", "A strip on a new track on top of the NLA; the action that the armature plays stays"),
)  # fmt: skip

_STARTS = (
    ("POSE", "Current Pose", "Where the action has the character at the motion's first frame, and facing the same way"),
    ("ORIGIN", "Rig's Origin", "At the origin of the armature, facing its front"),
)  # fmt: skip


class MotionPromptWriting(bpy.types.PropertyGroup):
    destination: EnumProperty(
        name="Write To", description="Where the keys go", items=_DESTINATIONS, default="NEW", options=set()
    )
    start_at: EnumProperty(
        name="Start At", description="Where in the scene the motion begins", items=_STARTS, default="POSE",
        options=set(),
    )  # fmt: skip
    blend_in: IntProperty(
        name="Blend In", description="Frames at the beginning over which the old motion gives way to the new one",
        default=10, min=0, soft_max=60, options=set(),
    )  # fmt: skip
    blend_out: IntProperty(
        name="Blend Out", description="Frames at the end over which the new motion gives way to the old one",
        default=10, min=0, soft_max=60, options=set(),
    )  # fmt: skip
    reduce: BoolProperty(
        name="Reduce Keys",
        description="Keep only the keys that are needed, with handles, instead of one a frame",
        default=False, options=set(),
    )  # fmt: skip
    rotation_error: FloatProperty(
        name="Rotation Error", description="Angle by which a bone may be off at any frame, against its parent",
        default=np.radians(0.5), min=np.radians(0.01), max=np.radians(30.0), precision=2, step=10,
        subtype="ANGLE", options=set(),
    )  # fmt: skip
    location_error: FloatProperty(
        name="Location Error", description="Distance by which a moved bone may be off at any frame",
        default=2.0, min=0.01, max=1000.0, precision=1, step=10, subtype="DISTANCE_CAMERA", options=set(),
    )  # fmt: skip


@dataclass(frozen=True)
class Writing:
    """Where keys go and how many.

    Attributes
    ----------
    destination : "NEW", "CURRENT" or "NLA".
    from_pose : whether a merge begins where the Action has the character, not at the rig's origin.
    blend : frames to mix at the beginning and the end of a merge.
    errors : radians and metres that reduced keys may be off; None for a key a frame.
    in_turn : every motion gets its own strip, one after another, as a batch has it.
    track : the NLA track that strips which come one after another are on.
    """

    destination: str = "NEW"
    from_pose: bool = True
    blend: tuple[int, int] = (0, 0)
    errors: tuple[float, float] | None = None
    in_turn: bool = False
    track: str = ""

    @classmethod
    def of(cls, settings: MotionPromptWriting) -> Writing:
        """What the user has chosen."""
        errors = (settings.rotation_error, settings.location_error / 1e3) if settings.reduce else None
        blend = (settings.blend_in, settings.blend_out)
        return cls(settings.destination, settings.start_at == "POSE", blend, errors)

    def for_batch(self) -> Writing:
        """A library of motions does not go into one Action."""
        return replace(self, destination="NLA" if self.destination == "NLA" else "NEW", in_turn=True)


@dataclass(frozen=True)
class Clip:
    """A solved motion: its channels, the name of what it becomes, how it was made."""

    channels: list[Channel]
    title: str
    provenance: dict

    def __len__(self) -> int:
        return len(self.channels[0].values)


@dataclass(frozen=True)
class Written:
    """What was made.

    Attributes
    ----------
    actions : the Actions with the motions, one a clip.
    notes : sentences on how.
    next : frame and track for what comes after it in turn.
    """

    actions: list[bpy.types.Action]
    notes: list[str] = field(default_factory=list)
    next: tuple[int, str] | None = None


class Thinner:
    """Reduces keys as chosen and remembers what came of it.

    Parameters
    ----------
    unit : metres in one unit of location channels.
    """

    def __init__(self, writing: Writing, unit: float) -> None:
        self._errors, self._unit = writing.errors, unit
        self.notes: list[str] = []

    def __call__(self, channels: Sequence[Channel]) -> list[Channel]:
        if self._errors is None:
            return list(channels)
        found = key_reduction.reduce(channels, *self._errors, self._unit)
        self.notes.append(found.sentence)
        return found.channels


def write(
    target: bpy.types.Object,
    clips: Sequence[Clip],
    start: int,
    writing: Writing,
    once: dict[Key, float],
    is_first: bool,
) -> Written:
    """Put clips where the user wants them; on an error nothing is left of them.

    Raises
    ------
    RuntimeError
        If Blender refuses.
    """
    thinner = Thinner(writing, _metres(target))
    current = target.animation_data.action if target.animation_data is not None else None
    if writing.destination == "CURRENT" and current is not None:
        return _into_current(target, clips, start, writing, once, thinner)
    return _as_actions(target, clips, start, writing, once, thinner, is_first)


def _as_actions(
    target: bpy.types.Object, clips: Sequence[Clip], start: int, writing: Writing,
    once: dict[Key, float], thinner: Thinner, is_first: bool,
) -> Written:  # fmt: skip
    strips = writing.destination == "NLA"
    made: list[bpy.types.Action] = []
    at = start
    try:
        for clip in clips:
            keys = thinner(clip.channels)
            made.append(keyframes.write_action(target, keys, clip.title, at, clip.provenance, once))
            at += len(clip) if strips and writing.in_turn else 0
        notes = thinner.notes[:1]
        if strips:
            track, more = nla.add_strips(target, made if writing.in_turn else made[:1], writing.track)
            return Written(made, [*more, *notes], (at, track) if writing.in_turn else None)
        if is_first:
            keyframes.assign(target, made[0])
    except BaseException:
        for action in made:
            bpy.data.actions.remove(action)
        raise
    return Written(made, notes)


def _into_current(
    target: bpy.types.Object, clips: Sequence[Clip], start: int, writing: Writing,
    once: dict[Key, float], thinner: Thinner,
) -> Written:  # fmt: skip
    """The first clip into the current Action, each further one into a copy of what that was."""
    data = target.animation_data
    plans = [merge.plan(target, clip.channels, start, writing.blend, thinner, once) for clip in clips]
    copies: list[bpy.types.Action] = []
    try:
        for clip, plan in zip(clips[1:], plans[1:], strict=True):
            copies.append(data.action.copy())
            copies[-1].name = keyframes.action_name(clip.title)
            copies[-1].use_fake_user = True
            plan.write(compat.CurveWriter(copies[-1], target))
            keyframes.describe(copies[-1], target, clip.provenance)
        writer = compat.CurveWriter(data.action, target)
        plans[0].write(writer)
    except BaseException:
        for copy in copies:
            bpy.data.actions.remove(copy)
        raise
    compat.assign_action(target, data.action, writer.slot)
    merge.note(data.action, plans[0].range, clips[0].provenance)
    notes = [plans[0].range.sentence, *thinner.notes[:1]]
    return Written([data.action, *copies], [note for note in notes if note])


def _metres(target: bpy.types.Object) -> float:
    """Metres in one unit of the armature's space."""
    scale = float(np.mean(np.abs(target.matrix_world.to_scale())))
    return max(scale, 1e-9) * bpy.context.scene.unit_settings.scale_length


CLASSES = (MotionPromptWriting,)
