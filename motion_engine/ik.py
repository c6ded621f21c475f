# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations from joint positions, in closed form and for the whole clip at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

Array = NDArray[np.floating]

# A joint with several children is a rigid frame, the others are aimed at their one child.
_FRAMES = {0: (1, 2, 3), 9: (12, 13, 14)}
_CHILD = {
    1: 4,
    2: 5,
    3: 6,
    4: 7,
    5: 8,
    6: 9,
    7: 10,
    8: 11,
    12: 15,
    13: 16,
    14: 17,
    16: 18,
    17: 19,
    18: 20,
    19: 21,
}


def kabsch(source: Array, target: Array) -> Array:
    """Rotation (..., 4) that brings points (..., n, 3) about the origin closest to ``target`` (Kabsch 1976)."""
    covariance = np.einsum("...ni,...nj->...ij", target, source)
    u, _, vt = np.linalg.svd(covariance)
    # a reflection fits best when the determinant is negative: turn the weakest axis round
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return quat.from_matrix(u @ vt)


def solve_rotations(joints: Array) -> Array:
    """Local rotations (T, 22, 4) of the SMPL skeleton from joints (T, 22, 3): swing without twist.

    Pelvis and upper spine are fitted to their three children, every other bone is the shortest arc from where its
    parent carries it (the analytic step of HybrIK, Li et al. 2021, with zero twist). Directions are reproduced
    exactly, lengths are the skeleton's own.
    """
    joints = np.asarray(joints, dtype=float)
    turned = np.empty((*joints.shape[:-1], 4))
    for joint in range(skeleton.N_JOINTS):
        parent = skeleton.PARENTS[joint]
        carried = turned[:, parent] if parent >= 0 else np.broadcast_to(quat.IDENTITY, (len(joints), 4))
        if joint in _FRAMES:
            children = list(_FRAMES[joint])
            rest = np.broadcast_to(skeleton.REST_OFFSETS[children], (len(joints), 3, 3))
            turned[:, joint] = kabsch(rest, joints[:, children] - joints[:, joint, None])
        elif joint in _CHILD:
            child = _CHILD[joint]
            aim = quat.rotate(carried, skeleton.REST_OFFSETS[child])
            swing = quat.between(aim, joints[:, child] - joints[:, joint])
            turned[:, joint] = quat.multiply(swing, carried)
        else:
            turned[:, joint] = carried
    return skeleton.local_rotations(turned)


def scaled_path(joints: Array) -> Array:
    """Pelvis path (T, 3) on our skeleton from joints (T, 22, 3) of any body: scaled by the ratio of leg lengths.

    Raises
    ------
    ValueError
        If the legs have no length.
    """
    legs = np.linalg.norm(joints[:, [4, 7, 5, 8]] - joints[:, [1, 4, 2, 5]], axis=-1).sum(axis=1)
    if not (legs > 1e-3).all():
        raise ValueError("the legs of its joints have no length; they must be in SMPL order, in metres.")
    own = np.linalg.norm(skeleton.REST_OFFSETS[[4, 7, 5, 8]], axis=-1).sum()
    return joints[:, 0] * (own / np.median(legs))
