# SPDX-License-Identifier: GPL-3.0-or-later
"""Latent denoiser: a skip transformer over the latents of a clip that attends to the tokens of the prompt.

The stage of MLD (Chen et al. 2023, section 3.3) that learns to denoise, with three changes: one latent every few
frames instead of one a clip, cross-attention to every token of the prompt instead of one sentence token, and time
entering as a modulation of each layer (Peebles & Xie 2023) shared by all layers (Chen et al. 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_LATENTS = 64
TIME_WIDTH = 256
GUIDANCE_WIDTH = 256


@dataclass(frozen=True)
class DenoiserConfig:
    """Latent transformer."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    dropout: float
    text_width: int


def sinusoid(position: Tensor, width: int) -> Tensor:
    """(B,) to (B, width): cosines, then sines, frequencies falling from 1 to 1/10000."""
    half = width // 2
    frequency = torch.exp(-math.log(10000.0) * torch.arange(half, device=position.device) / half)
    angle = position.float()[:, None] * frequency
    return torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)


def guidance_embedding(w: Tensor, width: int = GUIDANCE_WIDTH) -> Tensor:
    """(B,) guidance weights w = scale - 1 to (B, width) (Luo et al. 2023): sines, then cosines, of 1000 w."""
    half = width // 2
    step = torch.tensor(math.log(10000.0) / (half - 1), dtype=torch.float32)
    frequency = torch.exp(torch.arange(half, device=w.device, dtype=torch.float32) * -step)
    angle = (w.float() * 1000.0)[:, None] * frequency
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class Attention(nn.Module):
    """Multi-head attention of ``x`` (B, L, width) to ``context`` (B, S, context width)."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.fused = True
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """``mask`` (B, S) is True where the context is real; (B, N, S) says it for each of the N rows of ``x``."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(x), *self.key_value(context).chunk(2, dim=-1))
        )
        bias = mask if mask is None else mask[:, None] if mask.ndim == 3 else mask[:, None, None]
        if x.device.type == "cpu" or not self.fused:
            found = _attend(q, k, v, bias)
        else:
            found = F.scaled_dot_product_attention(q, k, v, bias)
        return self.out(found.transpose(1, 2).flatten(-2))


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention written out: the fused kernels are slow backwards on CPUs, and have no second derivative."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1).to(v.dtype) @ v


class Layer(nn.Module):
    """Self-attention, cross-attention, feed-forward; pre-norm; self-attention and feed-forward are modulated."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.modulation = nn.Parameter(torch.zeros(6, width))
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width, elementwise_affine=False)
        self.self_attention = Attention(width, config.heads, width)
        self.cross_attention = Attention(width, config.heads, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, text: Tensor, modulation: Tensor, mask: Tensor | None, text_mask: Tensor | None
    ) -> Tensor:
        """``x`` (B, L, width), ``text`` (B, S, width), ``modulation`` (B, 6, width) shared by all layers."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation + self.modulation)[:, :, None].unbind(1)
        y = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.dropout(self.self_attention(y, y, mask))
        x = x + self.dropout(self.cross_attention(self.norm2(x), text, text_mask))
        y = self.norm3(x) * (1 + scale2) + shift2
        return x + gate2 * self.dropout(self.feed_forward(y))


def length_and_sentence(
    latents: Tensor, text: Tensor, mask: Tensor | None, text_mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Real latents a clip (B,) and the mean of the real tokens (B, text width)."""
    ones = torch.ones_like(latents[:, :, 0])
    words = torch.ones_like(text[:, :, :1]) if text_mask is None else text_mask[..., None].to(text)
    length = (ones if mask is None else ones * mask).sum(dim=1)
    return length, (text * words).sum(dim=1) / words.sum(dim=1)


class Denoiser(nn.Module):
    """Predicts from noisy latents (B, L, C), time step (B,) and text features (B, S, text width).

    With ``guided`` it also takes the guidance weight w as MotionLCM does: the embedding of w passes a linear map that
    starts at zero and is added to the sinusoid of the time step.
    """

    def __init__(self, config: DenoiserConfig, channels: int, guided: bool = False) -> None:
        super().__init__()
        width = config.width
        self.latent_in = nn.Linear(channels, width)
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.length = nn.Linear(TIME_WIDTH, width)
        self.guidance = nn.Linear(GUIDANCE_WIDTH, TIME_WIDTH, bias=False) if guided else None
        if self.guidance is not None:
            nn.init.zeros_(self.guidance.weight)
        self.text_in = nn.Sequential(nn.Linear(config.text_width, width), nn.LayerNorm(width))
        self.sentence = nn.Linear(config.text_width, width)
        self.modulation = nn.Linear(width, 6 * width)
        half = config.layers // 2
        self.descending = nn.ModuleList(Layer(config) for _ in range(half))
        self.middle = nn.ModuleList(Layer(config) for _ in range(config.layers % 2))
        self.skips = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(half))
        self.ascending = nn.ModuleList(Layer(config) for _ in range(half))
        self.norm = nn.LayerNorm(width)
        self.latent_out = nn.Linear(width, channels)
        nn.init.zeros_(self.latent_out.weight)
        nn.init.zeros_(self.latent_out.bias)

    def forward(
        self,
        latents: Tensor,
        time: Tensor,
        text: Tensor,
        guidance: Tensor | None = None,
        mask: Tensor | None = None,
        text_mask: Tensor | None = None,
    ) -> Tensor:
        """Prediction (B, L, C); ``mask`` (B, L) and ``text_mask`` (B, S) are True where latents and tokens are real."""
        step = sinusoid(time, TIME_WIDTH)
        if self.guidance is not None:
            assert guidance is not None
            step = step + self.guidance(guidance_embedding(guidance))
        return self.through(latents, self.time(step), text, mask, text_mask)

    def through(
        self, latents: Tensor, step: Tensor, text: Tensor, mask: Tensor | None, text_mask: Tensor | None
    ) -> Tensor:
        """Prediction (B, L, C) where ``step`` (B, width) tells the time; length and sentence are added to it."""
        length, sentence = length_and_sentence(latents, text, mask, text_mask)
        condition = step + self.length(sinusoid(length, TIME_WIDTH)) + self.sentence(sentence)
        modulation = self.modulation(F.silu(condition)).unflatten(-1, (6, -1))

        x = self.latent_in(latents) + self.positions[: latents.shape[1]]
        tokens = self.text_in(text)
        kept: list[Tensor] = []
        for layer in self.descending:
            x = layer(x, tokens, modulation, mask, text_mask)
            kept.append(x)
        for layer in self.middle:
            x = layer(x, tokens, modulation, mask, text_mask)
        for layer, skip in zip(self.ascending, self.skips, strict=True):
            x = layer(skip(torch.cat([x, kept.pop()], dim=-1)), tokens, modulation, mask, text_mask)
        return self.put_out(self.norm(x), mask)

    def put_out(self, said: Tensor, mask: Tensor | None) -> Tensor:
        """Prediction (B, L, C) from what the last layer says (B, L, width)."""
        return self.latent_out(said)
