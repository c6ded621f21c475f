# SPDX-License-Identifier: GPL-3.0-or-later
"""The control network's second half: what must change in decoded frames so that they meet their hints.

A latent stands for several frames, and a target may lie on a single one of them; what the latents cannot say is
corrected here, frame by frame, by a temporal convolutional network over features and hints. It learns inverse
kinematics that look like the data: which joints take part, and how far before and after a target a correction fades.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.control_hints import N_HINTS
from motion_engine.features import N_FEATURES
from motion_engine.runtime.torch.vae import ResidualBlock

MOST = 3.0
"""Standard deviations: no number of a frame is changed by more. Two rounds that feed each other could run away."""

DILATIONS = (1, 9, 3)
"""Of the blocks, in turn."""


@dataclass(frozen=True)
class FrameControlConfig:
    """Channels and residual blocks."""

    width: int
    blocks: int


class FrameControl(nn.Module):
    """Change (B, T, 263) of normalised features (B, T, 263) that have the hints (B, T, N_HINTS)."""

    def __init__(self, config: FrameControlConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.first = nn.Conv1d(N_FEATURES + N_HINTS, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, DILATIONS[i % len(DILATIONS)]) for i in range(config.blocks)
        )
        self.last = nn.Conv1d(width, N_FEATURES, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor, hints: Tensor) -> Tensor:
        """Zero everywhere before training."""
        x = self.first(torch.cat([features, hints], dim=-1).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        return MOST * torch.tanh(self.last(F.silu(x)).transpose(1, 2) / MOST)
