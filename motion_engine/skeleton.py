# SPDX-License-Identifier: GPL-3.0-or-later
"""The 22 body joints of SMPL: names, tree, rest pose (T-pose), forward kinematics.

Right-handed coordinates in metres: +Y up, +Z to the front, +X to the body's left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

Array = NDArray[np.floating]
Indices = NDArray[np.integer]

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}
N_JOINTS = len(JOINT_NAMES)

PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19])

# Neutral SMPL body, rounded to a millimetre.
REST_OFFSETS = np.array(
    [
        (0.0, 0.0, 0.0),
        (0.070, -0.091, -0.007), (-0.068, -0.091, -0.004), (-0.003, 0.109, -0.027),
        (0.034, -0.375, -0.005), (-0.038, -0.383, -0.009), (0.006, 0.135, 0.001),
        (-0.014, -0.398, -0.044), (0.016, -0.398, -0.042), (0.002, 0.053, 0.025),
        (0.026, -0.056, 0.119), (-0.025, -0.048, 0.123), (-0.003, 0.214, -0.043),
        (0.079, 0.122, -0.034), (-0.082, 0.119, -0.039), (0.005, 0.065, 0.051),
        (0.091, 0.031, -0.009), (-0.096, 0.033, -0.009),
        (0.260, -0.013, -0.028), (-0.254, -0.013, -0.021),
        (0.249, 0.009, -0.001), (-0.255, 0.008, -0.006),
    ]
)  # fmt: skip

# Joints 22 and 23 of SMPL: where the palms are, for characters that show hands.
HAND_OFFSETS = np.array([(0.084, -0.008, -0.015), (-0.085, -0.006, -0.010)])

MIRROR = np.array([0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20])
"""Joint indices with left and right exchanged."""


def _levels() -> tuple[tuple[Indices, Indices], ...]:
    depth = np.zeros(N_JOINTS, dtype=int)
    for joint in range(1, N_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    return tuple((np.flatnonzero(depth == d), PARENTS[depth == d]) for d in range(1, depth.max() + 1))


LEVELS = _levels()
"""Joints and their parents by depth in the tree, so that one operation serves a whole level."""

FOOT_JOINTS = np.array([7, 10, 8, 11])
"""Left ankle, left toe, right ankle, right toe: the order of `Motion.contacts`."""

TOE_CLEARANCE = 0.02
"""Height in metres of the toe joint over the sole of a standing foot."""


def _joints_at_rest() -> Array:
    joints = np.zeros((N_JOINTS, 3))
    for joint in range(1, N_JOINTS):
        joints[joint] = joints[PARENTS[joint]] + REST_OFFSETS[joint]
    return joints


REST_JOINTS = _joints_at_rest()
"""(22, 3) joints of the T-pose with the pelvis at the origin."""

REST_PELVIS_HEIGHT = float(TOE_CLEARANCE - REST_JOINTS[:, 1].min())
"""Height in metres of the pelvis over the floor in the T-pose."""

LEG_LENGTH = float(np.linalg.norm(REST_OFFSETS[[4, 7]], axis=-1).sum())
"""Thigh and shin together, in metres: what root travel is scaled by between bodies."""


def forward_kinematics(rotations: Array, root: Array, offsets: Array = REST_OFFSETS) -> Array:
    """World positions of the joints.

    Parameters
    ----------
    rotations : (..., 22, 4) unit quaternions local to the parent, relative to the T-pose.
    root : (..., 3) pelvis position in metres.
    offsets : (22, 3) bone offsets of the T-pose in metres.

    Returns
    -------
    (..., 22, 3) joint positions in metres.
    """
    turned = global_rotations(rotations)
    joints = np.empty((*rotations.shape[:-1], 3), dtype=np.result_type(rotations, root))
    joints[..., 0, :] = root
    for level, parents in LEVELS:
        bones = quat.rotate(turned[..., parents, :], offsets[level])
        joints[..., level, :] = joints[..., parents, :] + bones
    return joints


def global_rotations(rotations: Array) -> Array:
    """World rotation of every joint from local ones; (..., 22, 4) in and out."""
    turned = np.empty_like(rotations)
    turned[..., 0, :] = rotations[..., 0, :]
    for level, parents in LEVELS:
        turned[..., level, :] = quat.multiply(turned[..., parents, :], rotations[..., level, :])
    return turned


def local_rotations(turned: Array) -> Array:
    """Local rotations from world ones; inverse of `global_rotations`."""
    local = turned.copy()
    local[..., 1:, :] = quat.multiply(quat.conjugate(turned[..., PARENTS[1:], :]), turned[..., 1:, :])
    return local


def facing(joints: Array) -> Array:
    """Horizontal unit vector (..., 3) that the body faces, from hips and shoulders.

    HumanML3D's definition: up x ((right hip - left hip) + (right shoulder - left shoulder)), with its sign mistake
    not repeated.
    """
    across = joints[..., 1, :] - joints[..., 2, :] + joints[..., 16, :] - joints[..., 17, :]
    front = np.cross(across, np.array([0.0, 1.0, 0.0]))
    front[..., 1] = 0.0
    return quat.normalize(front)
