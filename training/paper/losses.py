# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of the papers: reconstruction of the VAE, and of controlled joints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from training.geometry import root_path

Distance = Literal["l1", "l1_smooth", "l2"]
Reduction = Literal["sum", "sum_mask", "mask"]

_DISTANCES = {"l1": F.l1_loss, "l1_smooth": F.smooth_l1_loss, "l2": F.mse_loss}


def control_loss(
    found: Tensor, wanted: Tensor, mask: Tensor, distance: Distance, reduction: Reduction
) -> Tensor:
    """Distance of controlled joints (MotionLCM, section 3.4), a scalar.

    Parameters
    ----------
    found, wanted : joints (B, T, J, 3).
    mask : (B, T, J, 1), 1 where a joint is controlled.
    reduction : ``sum`` divides the sum over all samples by the number of controlled joints, ``sum_mask`` does so
        sample by sample, ``mask`` also divides by the three axes.
    """
    error = (_DISTANCES[distance](found, wanted, reduction="none") * mask).sum(dim=-1)
    if reduction == "sum":
        return error.sum() / mask.sum()
    per_sample = error.sum(dim=(1, 2)) / mask.sum(dim=(1, 2, 3))
    return per_sample.mean() / (3 if reduction == "mask" else 1)


def recover_joints(rows: Tensor, n_joints: int) -> Tensor:
    """Joints (B, T, J, 3) from the position numbers of features (B, T, F), not normalised; differentiable.

    The torch side of `motion_engine.features.recover_joints`, for any number of joints.
    """
    half_yaw = F.pad(torch.cumsum(rows[:, :-1, 0], dim=1), (1, 0))
    # the inverse of the heading (cos h, 0, sin h, 0) turns by -2h about +Y
    cos, sin = torch.cos(-2 * half_yaw), torch.sin(-2 * half_yaw)
    path = root_path(rows)
    local = rows[..., 4 : 4 + 3 * (n_joints - 1)].unflatten(-1, (n_joints - 1, 3))
    x, y, z = local.unbind(dim=-1)
    cos, sin = cos[..., None], sin[..., None]
    joints = torch.stack([cos * x + sin * z + path[..., :1], y, -sin * x + cos * z + path[..., 1:]], dim=-1)
    root = torch.stack([path[..., 0], rows[..., 3], path[..., 1]], dim=-1)
    return torch.cat([root[..., None, :], joints], dim=-2)


def vae_losses(
    recovered: Tensor,
    original: Tensor,
    mask: Tensor | None,
    rows_of: Callable[[Tensor], Tensor],
    n_joints: int,
) -> dict[str, Tensor]:
    """Smooth L1 of normalised features (B, T, F) and of the joints they stand for, in the data's unit.

    Parameters
    ----------
    mask : (B, T) of real frames; None takes the mean over padded frames too.
    rows_of : from normalised features to features.
    """
    found, wanted = recover_joints(rows_of(recovered), n_joints), recover_joints(rows_of(original), n_joints)
    pairs = {"feature": (recovered, original), "joint": (found.flatten(2), wanted.flatten(2))}
    losses = {}
    for name, (a, b) in pairs.items():
        error = F.smooth_l1_loss(a, b, reduction="none").mean(dim=-1)
        losses[name] = error.mean() if mask is None else (error * mask).sum() / mask.sum()
    return losses


def kl_to_unit(mean: Tensor, std: Tensor) -> Tensor:
    """Mean over all numbers of the divergence of N(mean, std²) from N(0, 1)."""
    return 0.5 * (mean**2 + std**2 - 2 * std.log() - 1).mean()
