# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of the papers: reconstruction of the VAE, and of controlled joints."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

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
