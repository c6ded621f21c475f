# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole-body inverse kinematics for any subset of joints: damped least squares on every frame at once.

Per step the linearised problem ``J d = e`` is solved for the least motion in the metric of how readily each joint
moves, ``d = M Jᵀ (J M Jᵀ + damping)⁻¹ e`` (Wampler 1986; Buss & Kim 2005). The columns of J are exact: a turn about
the axis ``a`` at joint k moves joint j below it by ``a x (p_j - p_k)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

Array = NDArray[np.floating]

STEPS = 12
DAMPING = 1e-5
MAX_STEP = 0.25
"""m: an error is approached by at most this a step, where the linear form still holds."""

MAX_TURN = 0.5
"""Radians a step."""

# how readily a joint turns to move what hangs below it: limbs first, then collars and neck, the trunk last
_MOBILITY = np.zeros(skeleton.N_JOINTS)
for _names, _value in (
    (("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"), 1.0),
    (("left_hip", "right_hip", "left_knee", "right_knee"), 1.0),
    (("left_ankle", "right_ankle", "neck"), 0.3),
    (("left_collar", "right_collar"), 0.15),
    (("spine1", "spine2", "spine3"), 0.1),
    (("pelvis",), 0.02),
):
    _MOBILITY[[skeleton.JOINT[name] for name in _names]] = _value

_TRUNK = [skeleton.JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3")]

ROOT_MOBILITY = 0.02
"""m² against rad²: the pelvis gives way last."""


def _ancestors() -> NDArray[np.bool_]:
    table = np.zeros((skeleton.N_JOINTS, skeleton.N_JOINTS), dtype=bool)
    for joint in range(1, skeleton.N_JOINTS):
        parent = int(skeleton.PARENTS[joint])
        table[joint] = table[parent]
        table[joint, parent] = True
    return table


_ABOVE = _ancestors()
"""(22, 22): whether a turn of the second joint moves the first."""


def reach(
    rotations: Array, root: Array, targets: Array, weights: Array, trunk: float = 1.0
) -> tuple[Array, Array]:
    """Local rotations and pelvis positions that bring joints to their targets.

    Parameters
    ----------
    rotations, root : (n, 22, 4) and (n, 3) of n independent frames.
    targets : (n, 22, 3) metres.
    weights : (n, 22, 3), 0 where a coordinate is free, 1 where it must be met, between for a wish.
    trunk : how much of their mobility root and spine keep; with little of it the limbs do the work.

    Returns
    -------
    New ``rotations`` and ``root``.
    """
    rotations, root = np.array(rotations, dtype=float), np.array(root, dtype=float)
    rows = np.flatnonzero(weights.reshape(len(weights), -1).any(axis=0))
    if len(rows) == 0 or len(rotations) == 0:
        return rotations, root
    moving = np.flatnonzero(_MOBILITY)
    readily = np.where(np.isin(np.arange(skeleton.N_JOINTS), _TRUNK), trunk, 1.0) * _MOBILITY
    mobility = np.concatenate([np.repeat(readily[moving], 3), np.full(3, trunk * ROOT_MOBILITY)])
    which = weights.reshape(len(weights), -1)[:, rows]
    joint, axis = rows // 3, rows % 3
    # a free row has no error and no leverage; a wish is a row with more damping
    used = which > 0
    damping = DAMPING + np.where(used, 1e-2 * (1.0 / np.maximum(which, 1e-3) - 1.0), 1.0)
    for _ in range(STEPS):
        turned = skeleton.global_rotations(rotations)
        joints = skeleton.forward_kinematics(rotations, root)
        error = np.where(used, (targets - joints).reshape(len(joints), -1)[:, rows], 0.0)
        if np.abs(np.where(which >= 1.0, error, 0.0)).max() < 2e-4:
            break
        error = np.clip(error, -MAX_STEP, MAX_STEP)
        jacobian = _jacobian(joints, joint, axis, moving) * used[..., None]
        left = jacobian * mobility
        square = left @ jacobian.transpose(0, 2, 1)
        square[:, np.arange(len(rows)), np.arange(len(rows))] += damping
        move = (left.transpose(0, 2, 1) @ np.linalg.solve(square, error[..., None]))[..., 0]
        root += move[:, -3:]
        turns = move[:, :-3].reshape(len(move), len(moving), 3)
        size = np.linalg.norm(turns, axis=-1, keepdims=True)
        turns = turns * np.minimum(1.0, MAX_TURN / np.maximum(size, 1e-12))
        # world turns, told in the frame of each joint's parent
        above = quat.conjugate(turned[:, skeleton.PARENTS[moving]])
        above[:, skeleton.PARENTS[moving] < 0] = quat.IDENTITY
        local = quat.from_axis_angle(quat.rotate(above, turns))
        rotations[:, moving] = quat.normalize(quat.multiply(local, rotations[:, moving]))
    return rotations, root


def _jacobian(
    joints: Array, joint: NDArray[np.integer], axis: NDArray[np.integer], moving: NDArray[np.integer]
) -> Array:
    """(n, rows, 3 * moving + 3): metres by radian about the world's axes, and by metre of the root."""
    arm = joints[:, joint, None] - joints[:, None, moving]
    arm = arm * _ABOVE[np.ix_(joint, moving)][..., None]
    x, y, z = arm[..., 0], arm[..., 1], arm[..., 2]
    zero = np.zeros_like(x)
    # row a of the matrix of  turn -> turn x arm
    by_axis = np.stack(
        [np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], axis=-2
    )
    chosen = np.take_along_axis(by_axis, axis[None, :, None, None, None], axis=-2)[..., 0, :]
    move = np.broadcast_to(np.eye(3)[axis], (len(joints), len(axis), 3))
    return np.concatenate([chosen.reshape(len(joints), len(axis), -1), move], axis=-1)
