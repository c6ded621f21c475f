# SPDX-License-Identifier: GPL-3.0-or-later
"""From the posed bones of a rig back to the engine's skeleton: `solver` read backwards.

The solver turns a bone by ``A D`` relative to its rest pose, where ``A`` is the source joint's rotation relative to its
T-pose in the rig's axes and ``D`` takes the rest pose into the T-pose. So ``A`` is the bone's turn times the inverse of
``D``; brought into the world and the engine's axes it is the joint's world rotation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion

from ..axes import TO_BLENDER
from . import feet
from .solver import Target

Array = NDArray[np.floating]

_UP, _LEFT = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True)
class PosedRig:
    """The mapped bones of an animated armature, in the armature's own space.

    Attributes
    ----------
    turns : (T, 22, 4) rotation of each joint's bone relative to its rest pose; unmapped joints are not read.
    mapped : bool (22,).
    pelvis : (T, 3) place of the pelvis joint.
    ankles : (T, 2, 3) places of left and right ankle.
    world : (T, 4, 4) the object's matrix.
    """

    turns: Array
    mapped: NDArray[np.bool_]
    pelvis: Array
    ankles: Array
    world: Array


@dataclass(frozen=True)
class Placement:
    """Where a canonical `Motion` was in the world, in the engine's axes: +Y up.

    Attributes
    ----------
    position : (3,) metres: the floor under the pelvis of frame 0.
    yaw : radians about +Y that frame 0 faces, from +Z towards +X.
    scale : size of the character's legs over the engine's.
    """

    position: Array
    yaw: float
    scale: float

    def to_world(self, points: Array) -> Array:
        """Points (..., 3) of the clip in the world."""
        return self.position + self.scale * quat.rotate(
            quat.about_axis(1, self.yaw), np.asarray(points, float)
        )


def to_motion(target: Target, posed: PosedRig, fps: float) -> tuple[Motion, Placement]:
    """The motion of a rig on the engine's skeleton, canonical, and where it was.

    The path is scaled by the length of the legs. Feet stand as high over the floor as the rig's, scaled; where the
    legs have other proportions they are bent for it.

    Raises
    ------
    ValueError
        If the object is mirrored or has no size.
    """
    linear = posed.world[:, :3, :3]
    volume = np.linalg.det(linear)
    if not (volume > 1e-18).all():
        raise ValueError("the object is mirrored or has no size; apply its scale (Ctrl+A) first.")
    size = float(np.cbrt(volume[0]))
    scale = target.scale * size
    # armature space to the world in the engine's axes
    to_engine = quat.multiply(
        quat.conjugate(TO_BLENDER), quat.from_matrix(linear / np.cbrt(volume)[:, None, None])
    )
    joint_turns = quat.multiply(
        quat.multiply(to_engine[:, None], posed.turns),
        quat.multiply(quat.conjugate(target.align), target.to_rig),
    )
    for joint in range(1, skeleton.N_JOINTS):
        if not posed.mapped[joint]:
            joint_turns[:, joint] = joint_turns[:, skeleton.PARENTS[joint]]

    def in_world(points: Array) -> Array:
        moved = np.einsum("tij,t...j->t...i", linear, points)
        moved += posed.world[:, :3, 3].reshape(-1, *(1,) * (points.ndim - 2), 3)
        return quat.rotate(quat.conjugate(TO_BLENDER), moved)

    level = np.broadcast_to(target.ground.up * target.ground.level, posed.pelvis.shape)
    floor = float(in_world(level)[0, 1])
    pelvis, ankles = in_world(posed.pelvis), in_world(posed.ankles)
    origin = np.array([pelvis[0, 0], floor, pelvis[0, 2]])
    root = (pelvis - origin) / scale
    root[:, 1] += skeleton.REST_PELVIS_HEIGHT - target.stand / target.scale
    _bend_legs(target, posed, joint_turns, root, (ankles - origin) / scale)
    motion = Motion.from_rotations(skeleton.local_rotations(joint_turns), root, fps)
    front = skeleton.facing(motion.joints[:1].astype(float))[0]
    return motion.canonical(), Placement(origin, float(np.arctan2(front[0], front[2])), scale)


def _bend_legs(target: Target, posed: PosedRig, turns: Array, root: Array, ankles: Array) -> None:
    """Bring the ankles to where the rig's are: ``ankles`` (T, 2, 3) are scaled; changes hips and knees of ``turns``."""
    source, heads = feet.source_ground(), target.heads
    # how the rig's bones are turned in the engine's axes, without the turn into its T-pose
    aligned = quat.multiply(turns, quat.multiply(quat.conjugate(target.to_rig), target.align))
    for side, (hip, knee, ankle, toe) in enumerate(feet.LEGS):
        foot = target.feet[side]
        drop = quat.rotate(aligned[:, ankle], foot) @ _UP
        lift = (
            feet.foot_clearance(ankles[:, side, 1] * target.scale, drop, target.ground, side) / target.scale
        )
        own_drop = quat.rotate(turns[:, ankle], skeleton.REST_OFFSETS[toe]) @ _UP
        goal = ankles[:, side].copy()
        goal[:, 1] = feet.ankle_height(lift, own_drop, source, side)
        thigh = quat.rotate(turns[:, hip], skeleton.REST_OFFSETS[knee])
        shin = quat.rotate(turns[:, knee], skeleton.REST_OFFSETS[ankle])
        limit = feet.reach_limit(
            quat.rotate(aligned[:, hip], heads[knee] - heads[hip]),
            quat.rotate(aligned[:, knee], heads[ankle] - heads[knee]),
            float(np.linalg.norm(skeleton.REST_OFFSETS[[knee, ankle]], axis=-1).sum()),
        )
        hip_at = root + quat.rotate(turns[:, 0], skeleton.REST_OFFSETS[hip])
        turns[:, hip], turns[:, knee] = feet.bend_leg(
            thigh,
            shin,
            turns[:, hip],
            turns[:, knee],
            quat.rotate(turns[:, hip], _LEFT),
            goal - hip_at,
            limit,
        )
