# SPDX-License-Identifier: GPL-3.0-or-later
"""What training a denoising diffusion GAN (Xiao et al. 2022) needs beside its networks: diffusion and losses."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.samplers import emdm


class Diffusion(nn.Module):
    """Noisy pairs and steps back between T levels; see `motion_engine.samplers.emdm`.

    Attributes
    ----------
    signal, sigma : (T + 1,) weights of clean data and noise at a level.
    """

    signal: Tensor
    sigma: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        betas, shares = emdm.betas(levels), emdm.alpha_bar(levels)
        steps = np.array([emdm.posterior(levels, k + 1, k) for k in range(levels)])
        tables = {
            "signal": np.sqrt(shares), "sigma": np.sqrt(1.0 - shares), "kept": np.sqrt(1.0 - betas),
            "added": np.sqrt(betas), "of_clean": steps[:, 0], "of_noisy": steps[:, 1],
            "deviation": np.sqrt(steps[:, 2]),
        }  # fmt: skip
        for name, values in tables.items():
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    def _row(self, table: str, index: Tensor, like: Tensor) -> Tensor:
        values: Tensor = getattr(self, table)
        return values[index].reshape(-1, *[1] * (like.ndim - 1))

    def pair(self, clean: Tensor, time: Tensor, noise: Tensor, later_noise: Tensor) -> tuple[Tensor, Tensor]:
        """x(t) of clean data (B, ...) at ``time`` (B,), and x(t + 1), one step of diffusion further."""
        earlier = self._row("signal", time, clean) * clean + self._row("sigma", time, clean) * noise
        later = (
            self._row("kept", time + 1, clean) * earlier + self._row("added", time + 1, clean) * later_noise
        )
        return earlier, later

    def step_back(self, clean: Tensor, later: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """x(t) drawn from the posterior of x(t + 1) and an estimate of clean data; at t = 0 that estimate itself."""
        mean = self._row("of_clean", time, clean) * clean + self._row("of_noisy", time, clean) * later
        return mean + self._row("deviation", time, clean) * noise


def real_loss(logits: Tensor) -> Tensor:
    """softplus(-D): high where data are taken for made ones; the generator's loss on what it made, too."""
    return F.softplus(-logits).mean()


def fake_loss(logits: Tensor) -> Tensor:
    """softplus(D): high where made data are taken for real ones."""
    return F.softplus(logits).mean()


def gradient_penalty(logits: Tensor, data: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): mean over the batch of the squared gradient of D on real ``data`` (B, ...)."""
    (gradient,) = torch.autograd.grad(logits.sum(), data, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1).mean()


def balance(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """What tells whether the two keep step: mean logits, and shares of real and made data that are recognised."""
    return {
        "logit_real": real.mean(),
        "logit_fake": fake.mean(),
        "right_real": (real > 0).float().mean(),
        "right_fake": (fake < 0).float().mean(),
    }
