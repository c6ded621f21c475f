# SPDX-License-Identifier: GPL-3.0-or-later
"""The joints that the engine decodes features of flavour ``true`` to, differentiable: what the control loss looks at.

`training.geometry.world_joints` takes the orientation of the pelvis from three joints, which is enough to learn a
path. A control loss in centimetres needs the engine's own way: all joints are fitted, and frame 0 faces +Z.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine import features
from training.geometry import heading_angle, pelvis_frame_joints, root_path

POLAR_STEPS = 10


def decoded_joints(rows: Tensor) -> Tensor:
    """Joints (B, T, 22, 3) in metres of features (B, T, 263), as `motion_engine.features.decode` returns them.

    The orientation of the whole is fitted without gradient; half of the gradient therefore goes to the position
    numbers, through which alone the whole can tilt.
    """
    path, height = root_path(rows), rows[..., features.ROOT_HEIGHT]
    root = torch.cat([path[..., :1], height, path[..., 1:]], dim=-1)
    positions = rows[..., features.JOINTS].unflatten(-1, (21, 3))
    offsets = torch.cat(
        [positions[..., :1], positions[..., 1:2] - height[..., None], positions[..., 2:]], dim=-1
    )
    offsets = _turn(offsets, heading_angle(rows)[..., None])
    unturned = pelvis_frame_joints(rows)
    with torch.no_grad():
        turn = polar(offsets.mT @ unturned[..., 1:, :])
    fitted = unturned @ turn.mT
    half = 0.5 * (offsets - offsets.detach()) - 0.5 * (fitted[..., 1:, :] - fitted[..., 1:, :].detach())
    joints = root[..., None, :] + fitted + F.pad(half, (0, 0, 1, 0))
    first = joints[:, 0]
    across = first[:, 1] - first[:, 2] + first[:, 16] - first[:, 17]
    # facing = across x up has the yaw atan2(-across_z, across_x) from +Z
    yaw = torch.atan2(-across[:, 2], across[:, 0])
    start = torch.stack([root[:, 0, 0], torch.zeros_like(yaw), root[:, 0, 2]], dim=-1)
    return _turn(joints - start[:, None, None], -yaw[:, None, None])


def polar(matrix: Tensor) -> Tensor:
    """Closest rotation (..., 3, 3) to matrices of positive determinant, by Newton's iteration (Higham 1986)."""
    x = matrix / matrix.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-9)
    for _ in range(POLAR_STEPS):
        a, b, c = x.unbind(-1)
        cofactors = torch.stack(
            [torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-1
        )
        determinant = (a * cofactors[..., 0]).sum(dim=-1)[..., None, None]
        inverse = cofactors / determinant.abs().clamp_min(1e-12)
        scale = (inverse.norm(dim=(-2, -1), keepdim=True) / x.norm(dim=(-2, -1), keepdim=True)).sqrt()
        x = 0.5 * (scale * x + inverse / scale)
    return x


def _turn(vectors: Tensor, angle: Tensor) -> Tensor:
    """Vectors (..., 3) turned by ``angle`` (...) about +Y."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, z = vectors[..., 0], vectors[..., 2]
    return torch.stack([cos * x + sin * z, vectors[..., 1], -sin * x + cos * z], dim=-1)
