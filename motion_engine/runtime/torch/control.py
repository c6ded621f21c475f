# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion ControlNet of the convolutional bundles: what must change in an estimate so that it meets its hints.

MotionLCM's control branch (Dai et al. 2024, section 3.4) adapted to latents that run along time. As there, the base
network is frozen, a trajectory encoder turns hints into tokens, a trainable copy of a part of the denoiser reads
them beside text and time, and its last map starts at zero. Two things differ. Hints are encoded by temporal
convolutions to one token a latent, so that they stay aligned in time. And the branch closes the loop: the hints come
as displacements from the base network's own clean estimate, in the frame of the body (`motion_engine.control_hints`),
and what it returns is added to that estimate. A path is the integral of velocities; the displacement that is still
missing is a number that a network can act on, an absolute position at second eight is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.control_hints import N_HINTS
from motion_engine.runtime.torch.denoiser import (
    MAX_LATENTS,
    TIME_WIDTH,
    Denoiser,
    DenoiserConfig,
    Layer,
    length_and_sentence,
    sinusoid,
)
from motion_engine.runtime.torch.vae import ResidualBlock


@dataclass(frozen=True)
class ControlConfig:
    """Channels of the trajectory encoder; layers of the copied half of the denoiser."""

    hint_width: int
    layers: int


class HintEncoder(nn.Module):
    """Hints a frame (B, T, N_HINTS) to one token a latent (B, T / downsampling, width)."""

    def __init__(self, hint_width: int, width: int, downsampling: int) -> None:
        super().__init__()
        levels = downsampling.bit_length() - 1
        parts: list[nn.Module] = [nn.Conv1d(N_HINTS, hint_width, 3, padding=1), ResidualBlock(hint_width, 1)]
        for _ in range(levels):
            parts += [nn.SiLU(), nn.Conv1d(hint_width, hint_width, 4, stride=2, padding=1)]
            parts += [ResidualBlock(hint_width, 3), ResidualBlock(hint_width, 1)]
        self.layers = nn.Sequential(*parts, nn.SiLU(), nn.Conv1d(hint_width, width, 3, padding=1))

    def forward(self, hints: Tensor) -> Tensor:
        """One token a latent."""
        return self.layers(hints.transpose(1, 2)).transpose(1, 2)


class ControlNet(nn.Module):
    """Correction (B, L, C) of the clean estimate (B, L, C) of the base network at time step (B,)."""

    def __init__(
        self, config: ControlConfig, denoiser: DenoiserConfig, channels: int, downsampling: int
    ) -> None:
        super().__init__()
        self.config = config
        width = denoiser.width
        self.latent_in = nn.Linear(channels, width)
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.hints = HintEncoder(config.hint_width, width, downsampling)
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.length = nn.Linear(TIME_WIDTH, width)
        self.text_in = nn.Sequential(nn.Linear(denoiser.text_width, width), nn.LayerNorm(width))
        self.sentence = nn.Linear(denoiser.text_width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.layers = nn.ModuleList(Layer(denoiser) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        # the displacement of a latent's own frames acts on that latent first of all: a short way past the layers
        direct_out = nn.Linear(width, channels)
        self.direct = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), direct_out)
        self.latent_out = nn.Linear(width, channels)
        for last in (direct_out, self.latent_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def copy_base(self, base: Denoiser) -> None:
        """Start from the weights of the frozen denoiser's lower layers, as a ControlNet does."""
        for name in ("latent_in", "time", "length", "text_in", "sentence", "modulation"):
            getattr(self, name).load_state_dict(getattr(base, name).state_dict())
        self.positions.data.copy_(base.positions.data)
        for mine, theirs in zip(self.layers, base.descending, strict=False):
            mine.load_state_dict(theirs.state_dict())

    def forward(
        self,
        latents: Tensor,
        hints: Tensor,
        time: Tensor,
        text: Tensor,
        mask: Tensor | None = None,
        text_mask: Tensor | None = None,
    ) -> Tensor:
        """``hints`` (B, T, N_HINTS); masks as in `Denoiser`, True where latents (B, L) and tokens (B, S) are real."""
        length, sentence = length_and_sentence(latents, text, mask, text_mask)
        condition = (
            self.time(sinusoid(time, TIME_WIDTH))
            + self.length(sinusoid(length, TIME_WIDTH))
            + self.sentence(sentence)
        )
        modulation = self.modulation(F.silu(condition)).unflatten(-1, (6, -1))
        wanted = self.hints(hints)
        start = self.latent_in(latents) + wanted
        x = start + self.positions[: latents.shape[1]]
        tokens = self.text_in(text)
        for layer in self.layers:
            x = layer(x, tokens, modulation, mask, text_mask)
        return self.latent_out(self.norm(x)) + self.direct(torch.cat([start, wanted], dim=-1))
