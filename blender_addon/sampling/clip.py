# SPDX-License-Identifier: GPL-3.0-or-later
"""`sample` and `Reader`: an armature's animation, an Action or a strip as a `Motion`, with nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion

from .. import compat, rig
from ..axes import TO_BLENDER
from ..retarget import solver
from ..retarget.inverse import Placement, PosedRig, to_motion
from ..status import UserError
from . import bones, curves, evaluate

Array = NDArray[np.floating]
Source = bpy.types.Action | bpy.types.NlaStrip | None
J = skeleton.JOINT

MAX_FRAMES = 100_000


@dataclass(frozen=True)
class Stand:
    """Where a character is at a frame, in its armature's own space.

    Attributes
    ----------
    pelvis : (3,) place of the pelvis joint.
    yaw : radians about the rig's up by which the body faces away from the rig's front, to its left.
    """

    pelvis: Array
    yaw: float


@dataclass(frozen=True)
class Clip:
    """What was sampled: the motion in its own frame, and where it was in the world."""

    motion: Motion
    placement: Placement

    def world_joints(self) -> Array:
        """(T, 22, 3) joints in the world, metres, in the engine's axes (+Y up)."""
        return self.placement.to_world(self.motion.joints)


class Reader:
    """Reads the animations of one armature; made once for many.

    Parameters
    ----------
    target : an armature whose bones are understood.
    scene : whose frame rate counts; by default the present one.

    Raises
    ------
    UserError
        If the rig is unknown or is being edited.
    """

    def __init__(self, target: bpy.types.Object, scene: bpy.types.Scene | None = None) -> None:
        self.target = target
        self.scene = scene or bpy.context.scene
        if target.mode == "EDIT":
            raise UserError(f"'{target.name}' is in Edit Mode. Leave it first.")
        try:
            mapping = rig.bone_map(target)
            joints = bones.followed(target, mapping)
            self.rest = bones.rest_of(target, joints, mapping.kind == "control")
            self.measured = solver.measure(self.rest)
        except ValueError as error:
            raise UserError(f"'{target.name}': {error}") from None

    def read(self, source: Source = None, frames: Sequence[float] | None = None) -> Clip:
        """The armature's present animation, or an Action or NLA strip in its place.

        Parameters
        ----------
        source : what to read in place of what the armature plays now.
        frames : frames to read, equally far apart; by default those of the Action or strip, or of the scene.

        Raises
        ------
        UserError
            If the frames make no clip or the Action does not animate the armature.
        """
        times, rate = self.times(source, frames)
        try:
            posed = _pose(self.target, source, times, self.rest, self.measured)
            return Clip(*to_motion(self.measured, posed, rate))
        except ValueError as error:
            raise UserError(f"'{self.target.name}' cannot be read: {error}") from None

    def times(self, source: Source, frames: Sequence[float] | None = None) -> tuple[Array, float]:
        """The frames (T,) to read, as `read` takes them, and how many of them make a second.

        Raises
        ------
        UserError
            If they make no clip.
        """
        render = self.scene.render
        times = frame_range(self.target, source, self.scene) if frames is None else frames
        times = np.asarray(times, dtype=float)
        if not 0 < len(times) <= MAX_FRAMES or not np.isfinite(times).all():
            raise UserError(f"Cannot read {len(times)} frames: the range must have 1 to {MAX_FRAMES}.")
        step = float(times[1] - times[0]) if len(times) > 1 else 1.0
        if step <= 0 or not np.allclose(np.diff(times), step, rtol=1e-4):
            raise UserError("The frames to read must follow one another at equal distances.")
        return times, render.fps / render.fps_base / step

    def in_own_space(self, frame: float) -> Stand:
        """Where the present animation has the character at a frame.

        Raises
        ------
        UserError
            If the rig has no size.
        """
        own = np.eye(4)
        own[:3, :3] = quat.to_matrix(quat.multiply(TO_BLENDER, quat.conjugate(self.measured.to_rig)))
        try:
            posed = _pose(self.target, None, np.array([float(frame)]), self.rest, self.measured)
            _, placement = to_motion(self.measured, replace(posed, world=own[None]), 1.0)
        except ValueError as error:
            raise UserError(f"'{self.target.name}' cannot be read: {error}") from None
        return Stand(posed.pelvis[0], placement.yaw)

    def read_shown(self) -> Clip:
        """The pose that Blender shows, as a clip of one frame."""
        render = self.scene.render
        shown = self.target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices = np.array([[shown.pose.bones[name].matrix for name in self.rest.names]], dtype=float)
        world = np.array([shown.matrix_world], dtype=float)
        try:
            posed = posed_rig(self.rest, self.measured, matrices, world)
            return Clip(*to_motion(self.measured, posed, render.fps / render.fps_base))
        except ValueError as error:
            raise UserError(f"'{self.target.name}' cannot be read: {error}") from None


def sample(
    target: bpy.types.Object,
    source: Source = None,
    frames: Sequence[float] | None = None,
    scene: bpy.types.Scene | None = None,
) -> Clip:
    """Read one animation of an armature; `Reader` says the rest."""
    return Reader(target, scene).read(source, frames)


def frame_range(target: bpy.types.Object, source: Source, scene: bpy.types.Scene) -> range:
    """Frames of an Action or strip, or of what the armature plays now: its Action's, under strips the scene's."""
    if isinstance(source, bpy.types.NlaStrip):
        first, last = source.frame_start, source.frame_end
    else:
        data = target.animation_data
        action = source
        if action is None and data is not None and not _plays_strips(data):
            action = data.action
        first, last = action.frame_range if action is not None else (scene.frame_start, scene.frame_end)
    return range(int(np.floor(first)), int(np.ceil(last)) + 1)


def _plays_strips(data: bpy.types.AnimData) -> bool:
    return data.use_nla and any(not track.mute and len(track.strips) for track in data.nla_tracks)


def strip_frames(strip: bpy.types.NlaStrip, frames: Array) -> Array:
    """Frames (T,) of the strip's Action at frames (T,) of the scene."""
    length = max(strip.action_frame_end - strip.action_frame_start, 1e-6)
    inside = np.clip(frames, strip.frame_start, strip.frame_end) - strip.frame_start
    inside = inside / strip.scale
    rounds = np.floor(inside / length)
    # the last instant of the last round is the end of the Action, not its start
    rounds = np.where((inside > 0) & (inside - rounds * length < 1e-6), rounds - 1, rounds)
    inside = inside - rounds * length
    if strip.use_reverse:
        inside = length - inside
    return strip.action_frame_start + inside


@dataclass(frozen=True)
class Played:
    """What moves an armature while a source is read.

    Attributes
    ----------
    action, slot : the Action and its slot, None where strips play.
    keyed : the curves of its bones' channels.
    left : channels in which the Action that plays now has left values that are none of the source's.
    moves_object : whether it keys more than bones.
    """

    action: bpy.types.Action | None
    slot: Any
    keyed: dict[curves.Key, bpy.types.FCurve]
    left: list[curves.Key]
    moves_object: bool

    def play(self, actor: bpy.types.Object) -> None:
        """Have a copy of the armature play the Action, and nothing else."""
        self.clear(actor)
        anim = actor.animation_data or actor.animation_data_create()
        anim.use_nla = False
        compat.assign_slot(anim, self.action, self.slot)

    def clear(self, actor: bpy.types.Object) -> None:
        """Put what another Action has left at rest."""
        for bone, prop, at in self.left:
            if bone in actor.pose.bones:  # a copy may have no more bones than are needed
                getattr(actor.pose.bones[bone], prop)[at] = curves.REST[prop][at]


def played(target: bpy.types.Object, source: Source) -> Played:
    """What a source, or what the armature plays now, moves it by.

    Raises
    ------
    ValueError
        If the source has no keys for its bones.
    """
    data = target.animation_data
    own = data.action if data is not None else None
    action, slot = own, compat.slot_for(own, target) if own is not None else None
    if isinstance(source, bpy.types.NlaStrip):
        action, slot = source.action, compat.strip_slot(source, target)
    elif source is not None:
        action, slot = source, compat.slot_for(source, target)
    found = compat.slot_curves(action, slot) if action is not None else []
    keyed = curves.keyed_channels(target, found)
    if source is not None and not keyed:
        raise ValueError(f"'{action.name if action else source.name}' has no keys for its bones.")
    # what the playing Action has left in channels that another one does not key is none of the other's
    left = []
    if action != own and own is not None:
        left = list(curves.keyed_channels(target, compat.slot_curves(own, compat.slot_for(own, target))))
    moved = any(not curve.data_path.startswith("pose.bones") for curve in found)
    return Played(action, slot, keyed, left, moved)


def plain_rig(
    target: bpy.types.Object, source: Source, what: Played, names: Sequence[str]
) -> curves.PlainRig | None:
    """The rig as curves alone can pose it; None where Blender has to evaluate it."""
    data = target.animation_data
    stacked = source is None and data is not None and _plays_strips(data)
    if what.moves_object or stacked or not _stands(target):
        return None
    plain = curves.read_plain(target, names)
    return curves.without(plain, what.left) if plain is not None and what.left else plain


def action_times(source: Source, times: Array) -> Array:
    """Frames (T,) of the Action that a source plays at frames (T,) of the scene."""
    return strip_frames(source, times) if isinstance(source, bpy.types.NlaStrip) else times


def _pose(
    target: bpy.types.Object, source: Source, times: Array, rest: solver.RestRig, measured: solver.Target
) -> PosedRig:
    what = played(target, source)
    times = action_times(source, times)
    plain = plain_rig(target, source, what, rest.names)
    if plain is not None:
        values = {
            key: curves.evaluate(curve, times) for key, curve in curves.needed(plain, what.keyed).items()
        }
        matrices = curves.pose_matrices(plain, values, len(times))
        world = np.broadcast_to(place(target), (len(times), 4, 4))
    else:
        prepare = what.clear if source is None else what.play
        matrices, world = evaluate.pose_matrices(target, rest.names, times, prepare)
    return posed_rig(rest, measured, np.stack([matrices[name] for name in rest.names], axis=1), world)


def posed_rig(rest: solver.RestRig, measured: solver.Target, matrices: Array, world: Array) -> PosedRig:
    """From the bones' matrices (T, n, 4, 4) in armature space."""
    count = len(matrices)
    turns = np.tile(quat.IDENTITY, (count, skeleton.N_JOINTS, 1))
    linear = matrices[..., :3, :3]
    linear = linear / np.maximum(np.linalg.norm(linear, axis=-2, keepdims=True), 1e-12)
    at_rest = quat.from_matrix(rest.rest[:, :3, :3])
    turns[:, rest.joints] = quat.multiply(quat.from_matrix(linear), quat.conjugate(at_rest))
    mapped = np.zeros(skeleton.N_JOINTS, dtype=bool)
    mapped[rest.joints] = True
    heads = dict(zip(rest.joints.tolist(), np.moveaxis(matrices[..., :3, 3], 1, 0), strict=True))
    # the bone of the hips may turn about another point than the pelvis
    pelvis = heads[0] + quat.rotate(turns[:, 0], measured.heads[0] - rest.rest[0, :3, 3])
    ankles = np.stack([heads[J["left_ankle"]], heads[J["right_ankle"]]], axis=1)
    return PosedRig(turns, mapped, pelvis, ankles, world)


def _stands(target: bpy.types.Object) -> bool:
    """Whether nothing can move the object itself."""
    current = target
    while current is not None:
        if any(not constraint.mute for constraint in current.constraints):
            return False
        data = current.animation_data
        if data is not None:
            animated = current is not target and (data.action is not None or _plays_strips(data))
            if animated or any(not driver.data_path.startswith("pose.bones") for driver in data.drivers):
                return False
        if current.parent is not None and current.parent_type not in {"OBJECT", "ARMATURE"}:
            return False
        current = current.parent
    return True


def place(target: bpy.types.Object) -> Array:
    """World matrix (4, 4) of an object that nothing moves, whether Blender has updated it yet or not."""
    own = np.array(target.matrix_basis, dtype=float)
    if target.parent is None:
        return own
    return place(target.parent) @ np.array(target.matrix_parent_inverse, dtype=float) @ own
