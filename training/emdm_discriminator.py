# SPDX-License-Identifier: GPL-3.0-or-later
"""Discriminator of the latent EMDM: was x(t) made, or is it what diffusion made of real latents?

The published one is an MLP over whole clips of 196 frames. Latents that run along time, of any number, are read by
the denoiser's own layers in a smaller number: x(t) and x(t + 1) side by side in one token a latent, attention to the
words, time, length and sentence as a modulation. What lies behind a clip's length has no influence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.denoiser import (
    MAX_LATENTS,
    TIME_WIDTH,
    Attention,
    DenoiserConfig,
    Layer,
    length_and_sentence,
    sinusoid,
)


class LatentDiscriminator(nn.Module):
    """Logits (B,) from ``earlier`` x(t) and ``later`` x(t + 1), both (B, L, C), the time t (B,) and the text."""

    def __init__(self, config: DenoiserConfig, channels: int) -> None:
        super().__init__()
        width = config.width
        self.latent_in = nn.Linear(2 * channels, width)
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.length = nn.Linear(TIME_WIDTH, width)
        self.text_in = nn.Sequential(nn.Linear(config.text_width, width), nn.LayerNorm(width))
        self.sentence = nn.Linear(config.text_width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 1))
        for module in self.modules():
            if isinstance(module, Attention):
                module.fused = False  # the penalty on the gradient needs a second derivative

    def forward(
        self, earlier: Tensor, later: Tensor, time: Tensor, text: Tensor, mask: Tensor, text_mask: Tensor
    ) -> Tensor:
        """``mask`` (B, L) and ``text_mask`` (B, S) are True where latents and tokens are real."""
        length, sentence = length_and_sentence(later, text, mask, text_mask)
        condition = (
            self.time(sinusoid(time, TIME_WIDTH))
            + self.length(sinusoid(length, TIME_WIDTH))
            + self.sentence(sentence)
        )
        modulation = self.modulation(F.silu(condition)).unflatten(-1, (6, -1))
        x = self.latent_in(torch.cat([earlier, later], dim=-1)) + self.positions[: later.shape[1]]
        tokens = self.text_in(text)
        for layer in self.layers:
            x = layer(x, tokens, modulation, mask, text_mask)
        real = mask[..., None].to(x)
        pooled = (self.norm(x) * real).sum(dim=1) / real.sum(dim=1)
        return self.out(torch.cat([pooled, condition], dim=-1))[:, 0]
