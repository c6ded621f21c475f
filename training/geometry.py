# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints from features, in torch and differentiable: what the reconstruction loss looks at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine import features, skeleton

_OFFSETS = torch.tensor(skeleton.REST_OFFSETS, dtype=torch.float32)
# joints by depth in the tree, so that one matrix product serves a whole level
_LEVELS: list[list[int]] = []
for _joint in range(1, skeleton.N_JOINTS):
    _depth, _parent = 0, int(skeleton.PARENTS[_joint])
    while _parent > 0:
        _depth, _parent = _depth + 1, int(skeleton.PARENTS[_parent])
    while len(_LEVELS) <= _depth:
        _LEVELS.append([])
    _LEVELS[_depth].append(_joint)


def matrices_from_6d(six: Tensor) -> Tensor:
    """(..., 6) to rotation matrices (..., 3, 3) by Gram-Schmidt (Zhou et al. 2019)."""
    x = F.normalize(six[..., :3], dim=-1)
    z = F.normalize(torch.linalg.cross(x, six[..., 3:]), dim=-1)
    y = torch.linalg.cross(z, x)
    return torch.stack([x, y, z], dim=-1)


def pelvis_frame_joints(feature_rows: Tensor) -> Tensor:
    """Joints (..., 22, 3) in metres in the frame of the pelvis, from the 6D rotations of features (..., 263)."""
    return pelvis_frame_tree(matrices_from_6d(feature_rows[..., features.ROTATIONS].unflatten(-1, (21, 6))))


def pelvis_frame_tree(local: Tensor) -> Tensor:
    """Joints (..., 22, 3) in metres in the frame of the pelvis, from local rotations (..., 21, 3, 3) of the others."""
    offsets = _OFFSETS.to(local)
    turned: list[Tensor] = [torch.eye(3).to(local).expand(*local.shape[:-3], 3, 3)] * skeleton.N_JOINTS
    joints: list[Tensor] = [torch.zeros_like(local[..., 0, :, 0])] * skeleton.N_JOINTS
    for level in _LEVELS:
        parents = [int(skeleton.PARENTS[joint]) for joint in level]
        carried = torch.stack([turned[parent] for parent in parents], dim=-3)
        bones = (carried @ offsets[level][..., None])[..., 0]
        rotations = carried @ local[..., [joint - 1 for joint in level], :, :]
        for i, joint in enumerate(level):
            joints[joint] = joints[parents[i]] + bones[..., i, :]
            turned[joint] = rotations[..., i, :, :]
    return torch.stack(joints, dim=-2)


def pelvis_orientation(feature_rows: Tensor) -> Tensor:
    """Rotation (..., 3, 3) of the pelvis in the heading frame, from hips and first spine joint of features (..., 263).

    These three sit on the pelvis, so their rest positions turn with it; the engine fits all joints instead
    (`motion_engine.features.decode`), which needs a singular value decomposition and differs by noise only.
    """
    joints = feature_rows[..., features.JOINTS].unflatten(-1, (21, 3))
    left, right, spine = joints[..., 0, :], joints[..., 1, :], joints[..., 2, :]
    rest_left, rest_right, rest_spine = (_OFFSETS[i].to(feature_rows) for i in (1, 2, 3))
    turned = _frame(left - right, spine - 0.5 * (left + right))
    return turned @ _frame(rest_left - rest_right, rest_spine - 0.5 * (rest_left + rest_right)).mT


def _frame(across: Tensor, up: Tensor) -> Tensor:
    x = F.normalize(across, dim=-1)
    z = F.normalize(torch.linalg.cross(x, up), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def heading_angle(feature_rows: Tensor) -> Tensor:
    """Yaw (B, T) in radians that the clip has turned by (positive to the left), from features (B, T, 263)."""
    return -2 * F.pad(torch.cumsum(feature_rows[:, :-1, 0], dim=1), (1, 0))


def world_joints(feature_rows: Tensor) -> Tensor:
    """Joints (B, T, 22, 3) in metres where the clip takes them, from features (B, T, 263); frame 0 heads to +Z."""
    yaw = heading_angle(feature_rows)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    heading = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], dim=-1).unflatten(-1, (3, 3))
    turn = heading @ pelvis_orientation(feature_rows)
    path = root_path(feature_rows)
    root = torch.stack([path[..., 0], feature_rows[..., features.ROOT_HEIGHT][..., 0], path[..., 1]], dim=-1)
    return pelvis_frame_joints(feature_rows) @ turn.mT + root[..., None, :]


def root_path(feature_rows: Tensor) -> Tensor:
    """Ground path (B, T, 2), x and z in metres, summed from the velocities of features (B, T, 263)."""
    half_yaw = F.pad(torch.cumsum(feature_rows[:, :-1, 0], dim=1), (1, 0))
    step = F.pad(feature_rows[:, :-1, features.ROOT_VELOCITY], (0, 0, 1, 0))
    # the inverse of the heading (cos h, 0, sin h, 0) turns by -2h about +Y
    cos, sin = torch.cos(-2 * half_yaw), torch.sin(-2 * half_yaw)
    x = cos * step[..., 0] + sin * step[..., 1]
    z = -sin * step[..., 0] + cos * step[..., 1]
    return torch.cumsum(torch.stack([x, z], dim=-1), dim=1)
