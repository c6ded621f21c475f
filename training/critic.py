# SPDX-License-Identifier: GPL-3.0-or-later
"""A critic of clean latents, for the adversarial part of distillation.

A consistency loss asks that steps agree with each other, not that their end looks measured; few steps therefore give
motions that are a little too smooth and too alike. A discriminator that sees measured latents beside the student's
closes part of that gap (consistency trajectory models, Kim et al. 2024, section 4; adversarial diffusion
distillation, Sauer et al. 2023). It looks at latents that carry a little noise, as in diffusion GANs, so that it cannot
win by what the VAE's posterior leaves behind.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.vae import ResidualBlock

NOISIEST = 300
"""Of the 1000 time steps of the schedule: the most noise that the critic's input gets."""


class Critic(nn.Module):
    """How measured latents (B, L, C) look under a sentence: one score a latent and one of the sentence (B, L)."""

    def __init__(self, channels: int, text_width: int, width: int = 128) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels + 1, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, dilation) for dilation in (1, 3, 9))
        self.score = nn.Linear(width, 1)
        # projection discriminator (Miyato & Koyama 2018): does the clip fit its sentence?
        self.sentence = nn.Linear(text_width, width)

    def forward(self, latents: Tensor, mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Scores, higher for measured; ``mask`` (B, L) and ``text_mask`` (B, S) are True where there is something."""
        real = mask[:, None].to(latents)
        x = torch.cat([latents.transpose(1, 2) * real, real], dim=1)
        x = self.first(x)
        for block in self.blocks:
            x = block(x * real)
        x = F.silu(x).transpose(1, 2)
        words = text_mask[..., None].to(text)
        sentence = self.sentence((text * words).sum(dim=1) / words.sum(dim=1))
        pooled = (x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return self.score(x)[..., 0] + (pooled * sentence).sum(dim=-1, keepdim=True) / x.shape[-1] ** 0.5


def hinge(real: Tensor, made: Tensor, mask: Tensor) -> Tensor:
    """The critic's own loss over real latents, from its scores (B, L) of measured and of made ones."""
    weight = mask.to(real)
    return ((F.relu(1.0 - real) + F.relu(1.0 + made)) * weight).sum() / weight.sum()


def lightly_noised(latents: Tensor, levels: Tensor, time: Tensor, noise: Tensor) -> Tensor:
    """Latents (B, L, C) at the time steps ``time`` (B,) of the schedule ``levels`` (1000,)."""
    a = levels[time][:, None, None]
    return a.sqrt() * latents + (1 - a).sqrt() * noise
