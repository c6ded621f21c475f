# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a motion sits on a rig, measured on what Blender evaluates, never by the solver's own formulas.

Everything is measured in the body's frame: metres at life size, +Z up, the floor at z = 0, where the rig's object and
units have been taken out. Rest positions are known from the rig's construction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from blender_addon import keyframes, rig
from blender_addon.axes import to_blender
from blender_addon.retarget import solver
from motion_engine import skeleton
from motion_engine.motion import Motion

Array = NDArray[np.floating]
J = skeleton.JOINT
SIDES = ("left", "right")
LEGS = (("hip", "knee"), ("knee", "ankle"))
LIMBS = (*LEGS, ("shoulder", "elbow"), ("elbow", "wrist"))
STANDS = 0.005
"""Metres over its place at rest below which a foot of the source stands."""
SUNK = 0.0005
"""Metres by which a foot of the source has to be in the floor to be lifted out of it."""


@dataclass(frozen=True)
class Figure:
    """A rig in the scene and what is known of it.

    Attributes
    ----------
    target : the armature object.
    bones : joint -> bone that deforms the body there.
    heads : (22, 3) rest positions of the joints in the body's frame, NaN where there is none.
    soles : (2, 3, 3) points under the left and the right foot at rest: heel, ball, tip of the toes.
    balls : (2, 3) where the foot touches the floor in front: where the toes bend, or their tips where no bone bends.
    frame : where the body's frame is in the world; turn, place and one scale for all axes.
    same : whether the body has the source's proportions, so that its joints can be compared one by one.
    """

    target: bpy.types.Object
    bones: dict[str, str]
    heads: Array
    soles: Array
    balls: Array
    frame: Matrix
    same: bool


@dataclass(frozen=True)
class Score:
    """What was measured over some clips.

    Attributes
    ----------
    joints : distances in millimetres of the joints from the source's, all frames; empty on other proportions. The
        add-on lifts feet of the source that are in the floor, so the legs are left out while they are.
    angles : degrees between the limbs and the source's, all frames.
    floor : millimetres by which standing feet are higher or lower than the source's; a source that is in the floor
        counts as on it.
    depth : millimetres of the deepest point of a sole below the floor.
    slide, source_slide : metres a second at which standing feet move along the floor, in the source's size.
    """

    joints: Array
    angles: Array
    floor: Array
    depth: float
    slide: Array
    source_slide: Array

    @classmethod
    def together(cls, scores: Sequence[Score]) -> Score:
        """All clips as one."""

        def join(name: str) -> Array:
            return np.concatenate([getattr(score, name).ravel() for score in scores])

        return cls(
            join("joints"), join("angles"), join("floor"), max(score.depth for score in scores),
            join("slide"), join("source_slide"),
        )  # fmt: skip


def put(target: bpy.types.Object, motion: Motion, name: str = "clip") -> float:
    """Read the rig, solve, write keys, assign: milliseconds of processor time, which other programs do not lengthen."""
    began = time.process_time()
    rest = rig.read_rest(target, rig.check(target))
    channels = solver.solve(rest, motion)
    action = keyframes.write_action(target, channels, name, 1, motion.provenance, rest.switches)
    keyframes.assign(target, action)
    return (time.process_time() - began) * 1e3


def take_off(target: bpy.types.Object) -> None:
    """Remove the Action again and lay the bones back to rest."""
    data = target.animation_data
    action = data.action if data is not None else None
    target.animation_data_clear()
    if action is not None:
        bpy.data.actions.remove(action)
    for bone in target.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()


def evaluated(figure: Figure, frames: int) -> tuple[Array, Array, Array]:
    """Joints (T, 22, 3), soles (T, 2, 3, 3) and balls (T, 2, 3) in the body's frame as Blender evaluates them."""
    target, scene = figure.target, bpy.context.scene
    to_body = figure.frame.inverted()
    into = target.matrix_world.inverted() @ figure.frame  # the body's frame in armature space
    feet = []
    for side, sole, ball in zip(SIDES, figure.soles, figure.balls, strict=True):
        ankle = figure.bones[f"{side}_ankle"]
        toe = figure.bones.get(f"{side}_foot", ankle)
        for bone, point in zip((ankle, ankle, toe, ankle), (*sole, ball), strict=True):
            own = target.data.bones[bone].matrix_local.inverted() @ into @ Vector(point)
            feet.append((bone, own))
    joints = np.full((frames, skeleton.N_JOINTS, 3), np.nan)
    points = np.empty((frames, 8, 3))
    for frame in range(frames):
        scene.frame_set(1 + frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        to = to_body @ posed.matrix_world
        for joint, bone in figure.bones.items():
            joints[frame, J[joint]] = to @ posed.pose.bones[bone].head
        for i, (bone, own) in enumerate(feet):
            points[frame, i] = to @ (posed.pose.bones[bone].matrix @ own)
    points = points.reshape(frames, 2, 4, 3)
    return joints, points[:, :, :3], points[:, :, 3]


def leg_scale(heads: Array) -> float:
    """Length of the legs over the source's."""

    def length(joints: Array) -> float:
        return sum(
            float(np.linalg.norm(joints[J[f"{side}_{lower}"]] - joints[J[f"{side}_{upper}"]]))
            for side in SIDES
            for upper, lower in LEGS
        )

    return length(heads) / length(skeleton.REST_JOINTS)


def measure(figure: Figure, motion: Motion) -> Score:
    """Play the clip that is on the rig and compare it with its source."""
    got, soles, balls = evaluated(figure, motion.n_frames)
    scale = leg_scale(figure.heads)
    source = to_blender(motion.joints)
    known = np.isfinite(figure.heads[:, 0])
    distances = np.linalg.norm(got - scale * source, axis=-1) * 1e3
    floor, slide, source_slide = [], [], []
    rest = to_blender(skeleton.REST_JOINTS + (0.0, skeleton.REST_PELVIS_HEIGHT, 0.0))
    for side, name in enumerate(SIDES):
        ankle, toe = J[f"{name}_ankle"], J[f"{name}_foot"]
        lift = (source[:, [ankle, toe], 2] - rest[[ankle, toe], 2]).min(axis=-1)
        mine = np.minimum(
            got[:, ankle, 2] - figure.heads[ankle, 2], balls[:, side, 2] - figure.balls[side, 2]
        )
        stands = lift < STANDS
        floor.append((mine - scale * np.maximum(lift, 0.0))[stands] * 1e3)
        leg = [J[f"{name}_{part}"] for part in ("knee", "ankle", "foot")]
        distances[np.ix_(lift < -SUNK, leg)] = np.nan
        still = stands[1:] & stands[:-1]
        steps = [np.diff(path[:, ankle, :2], axis=0) for path in (got, source)]
        speeds = [np.linalg.norm(step, axis=-1)[still] * motion.fps for step in steps]
        slide.append(speeds[0] / scale)
        source_slide.append(speeds[1])
    depth = max(0.0, -float(soles[..., 2].min())) * 1e3
    counted = distances[:, known]
    return Score(
        counted[np.isfinite(counted)] if figure.same else np.empty(0), _angles(got, source), np.concatenate(floor),
        depth, np.concatenate(slide), np.concatenate(source_slide),
    )  # fmt: skip


def _angles(got: Array, source: Array) -> Array:
    """Degrees (T, 8) between the limbs of both."""
    found = []
    for side in SIDES:
        for upper, lower in LIMBS:
            a, b = (p[:, J[f"{side}_{lower}"]] - p[:, J[f"{side}_{upper}"]] for p in (got, source))
            cosine = np.sum(a * b, axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
            found.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return np.stack(found, axis=-1)
