# SPDX-License-Identifier: GPL-3.0-or-later
"""From any skeleton of a BVH file to the neutral SMPL-22 skeleton."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.cleanup import stand_on_floor
from motion_engine.formats import bvh
from motion_engine.ik import kabsch
from motion_engine.motion import Motion

Array = NDArray[np.floating]

# Limb bones are aimed as measured: the rest directions of the two skeletons differ by a few degrees there.
_AIMED = {1: 4, 2: 5, 4: 7, 5: 8, 7: 10, 8: 11, 16: 18, 17: 19, 18: 20, 19: 21}
_REQUIRED = [
    name
    for name in skeleton.JOINT_NAMES
    if name not in ("spine2", "left_collar", "right_collar", "left_foot", "right_foot")
]


@dataclass
class SkeletonMap:
    """Which joint of a file is which of the 22, and where its T-pose is.

    Attributes
    ----------
    joints : SMPL name to the file's name; names that are not listed are looked for as they are.
    t_pose : BVH file whose first frame is the T-pose; the zero pose of each clip when None.
    unit : metres a unit of the file.
    """

    joints: dict[str, str] = field(default_factory=dict)
    t_pose: Path | None = None
    unit: float = 0.01

    @classmethod
    def read(cls, path: Path) -> SkeletonMap:
        """From JSON: ``{"joints": {"pelvis": "Hips", ...}, "t_pose": "tpose.bvh", "unit": 0.01}``."""
        data = json.loads(path.read_text(encoding="utf-8"))
        unknown = set(data.get("joints", {})) - set(skeleton.JOINT_NAMES)
        if unknown:
            raise ValueError(
                f"{path.name} maps joints that SMPL-22 does not have: {', '.join(sorted(unknown))}."
            )
        t_pose = path.parent / data["t_pose"] if data.get("t_pose") else None
        return cls(data.get("joints", {}), t_pose, float(data.get("unit", 0.01)))


def to_smpl(clip: bvh.BvhClip, skeleton_map: SkeletonMap) -> Motion:
    """Bring a clip onto the neutral skeleton at its own frame rate, standing on the floor y = 0.

    Rotations are taken relative to the T-pose, bone directions of arms and legs are kept as measured, and the root
    path is scaled by the ratio of leg lengths.

    Raises
    ------
    ValueError
        Names the joints that are missing, or says that the T-pose has no height.
    """
    index = _joint_indices(clip, skeleton_map)
    positions, rotations = clip.world()
    if skeleton_map.t_pose is None:
        at_rest = bvh.BvhClip(
            clip.names,
            clip.parents,
            clip.offsets,
            clip.offsets[None],
            np.tile(quat.IDENTITY, (1, len(clip.names), 1)),
            clip.fps,
        )
    else:
        at_rest = bvh.read(skeleton_map.t_pose)
        if at_rest.names != clip.names:
            raise ValueError(f"the T-pose file {skeleton_map.t_pose.name} has another skeleton")
    rest_positions, rest_rotations = (values[0] for values in at_rest.world())

    basis = _body_axes(rest_positions, index)
    rest = np.full((skeleton.N_JOINTS, 3), np.nan)
    turned: Array = np.empty((len(positions), skeleton.N_JOINTS, 4))
    for joint, name in enumerate(skeleton.JOINT_NAMES):
        if name in index:
            source = index[name]
            rest[joint] = quat.rotate(basis, rest_positions[source])
            relative = quat.multiply(rotations[:, source], quat.conjugate(rest_rotations[source]))
            turned[:, joint] = quat.multiply(quat.multiply(basis, relative), quat.conjugate(basis))
        else:
            turned[:, joint] = turned[:, skeleton.PARENTS[joint]]
    turned = _square_up_trunk(turned, rest)
    for joint, child in _AIMED.items():
        if np.isfinite(rest[[joint, child]]).all():
            aim = quat.between(skeleton.REST_OFFSETS[child], rest[child] - rest[joint])
            turned[:, joint] = quat.multiply(turned[:, joint], aim)

    legs = np.linalg.norm(rest[[4, 5, 7, 8]] - rest[[1, 2, 4, 5]], axis=-1).sum() / 2
    if not legs > 0:
        raise ValueError("the legs have no length in the T-pose")
    root = quat.rotate(basis, positions[:, index["pelvis"]]) * (skeleton.LEG_LENGTH / legs)
    motion = Motion.from_rotations(skeleton.local_rotations(turned), root, clip.fps)
    return stand_on_floor(motion).canonical()


def _joint_indices(clip: bvh.BvhClip, skeleton_map: SkeletonMap) -> dict[str, int]:
    index = {}
    for name in skeleton.JOINT_NAMES:
        wanted = skeleton_map.joints.get(name, name)
        if wanted in clip.names:
            index[name] = clip.names.index(wanted)
    missing = [name for name in _REQUIRED if name not in index]
    if missing:
        raise ValueError(f"no joint for {', '.join(missing)}")
    return index


def _body_axes(rest: Array, index: dict[str, int]) -> Array:
    """Rotation that turns the T-pose's own axes to +X left, +Y up, +Z front, in quarter turns about the vertical.

    Read from the arms and legs: where spine bones lie differs too much between skeletons.
    """

    def bone(joint: str, child: str) -> Array:
        return rest[index[child]] - rest[index[joint]]

    left = _snap(bone("left_shoulder", "left_elbow") - bone("right_shoulder", "right_elbow"))
    up = _snap(-bone("left_hip", "left_knee") - bone("right_hip", "right_knee"))
    if left @ up:
        raise ValueError("the T-pose is none: arms and legs point the same way")
    return quat.from_matrix(np.stack([left, up, np.cross(left, up)]))


def _snap(direction: Array) -> Array:
    """Nearest coordinate axis, as a unit vector."""
    axis = int(np.argmax(np.abs(direction)))
    return np.eye(3)[axis] * np.sign(direction[axis])


def _square_up_trunk(turned: Array, rest: Array) -> Array:
    """Repair trunk and head frames whose zero pose is a quarter turn or more away from the T-pose.

    Some solvers export limbs relative to a T-pose but leave pelvis and spine in axes of their own. The pelvis shows
    it: its rest offsets to hips and spine are then not where a T-pose has them. Each trunk joint gets the one of the
    24 rotations of a cube that, averaged over the clip, brings it closest to its parent.
    """
    children = rest[[1, 2, 3]] - rest[0]
    pelvis = kabsch(skeleton.REST_OFFSETS[1:4], children)
    if np.linalg.norm(quat.to_axis_angle(pelvis)) < np.pi / 4:
        return turned
    turned = turned.copy()
    turned[:, 0] = quat.multiply(turned[:, 0], _nearest(_CUBE, pelvis))
    for joint in (3, 6, 9, 12, 13, 14, 15):
        relative = quat.multiply(quat.conjugate(turned[:, joint]), turned[:, skeleton.PARENTS[joint]])
        u, _, vt = np.linalg.svd(quat.to_matrix(relative).mean(axis=0))
        mean = quat.from_matrix(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
        turned[:, joint] = quat.multiply(turned[:, joint], _nearest(_CUBE, mean))
    return turned


def _nearest(candidates: Array, rotation: Array) -> Array:
    return candidates[np.argmax(np.abs(candidates @ rotation))]


def _cube_rotations() -> Array:
    """(24, 4) the rotations of a cube."""
    quarters = np.arange(4) * (np.pi / 2)
    every = quat.from_euler(
        np.stack(np.meshgrid(quarters, quarters, quarters), axis=-1).reshape(-1, 3), "XYZ"
    )
    distinct: list[Array] = []
    for rotation in every:
        if all(abs(rotation @ other) < 0.99 for other in distinct):
            distinct.append(rotation)
    return np.array(distinct)


_CUBE = _cube_rotations()
