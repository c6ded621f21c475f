# SPDX-License-Identifier: GPL-3.0-or-later
"""Denoiser of MLD and MotionLCM: a skip transformer over latent tokens, a time token and the text.

It predicts the noise. V2 (MLD++) has linear maps between the latents' channels and the transformer's width; V1 has
none, and a ReLU in front of the text's linear map. MotionLCM adds the guidance weight to the time (Dai et al. 2024,
section 3.3). No network here sees how long the clip is to be: the decoder does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.denoiser import GUIDANCE_WIDTH, guidance_embedding, sinusoid
from motion_engine.runtime.torch.paper.skip_transformer import LearnedPositions, SkipStack, StackSizes


@dataclass(frozen=True)
class DenoiserSizes:
    """Channels of a latent, width of the text and of the time's sinusoid, the transformer, and the version.

    ``projected`` stands for V2; ``guided`` for MotionLCM, whose network is told the guidance weight.
    """

    channels: int
    text_width: int
    time_width: int
    projected: bool
    guided: bool
    stack: StackSizes

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> DenoiserSizes:
        """Read from the tensors of a denoiser or of its control copy."""
        stack = StackSizes.of(weights, "encoder")
        projection = weights.get("latent_pre.weight")
        return cls(
            channels=stack.width if projection is None else projection.shape[1],
            text_width=weights["emb_proj.1.weight"].shape[1],
            time_width=weights["time_embedding.linear_1.weight"].shape[1],
            projected=projection is not None,
            guided="time_embedding.cond_proj.weight" in weights,
            stack=stack,
        )


class TimeEmbedding(nn.Module):
    """Sinusoid of the time step, plus a map of the guidance embedding that starts at zero, through two layers."""

    def __init__(self, sizes: DenoiserSizes) -> None:
        super().__init__()
        width = sizes.stack.width
        self.linear_1 = nn.Linear(sizes.time_width, width)
        self.linear_2 = nn.Linear(width, width)
        self.cond_proj = nn.Linear(GUIDANCE_WIDTH, sizes.time_width, bias=False) if sizes.guided else None
        if self.cond_proj is not None:
            nn.init.zeros_(self.cond_proj.weight)

    def forward(self, time: Tensor, guidance: Tensor | None) -> Tensor:
        """(B, D) of time steps (B,) and guidance weights (B,), which may be left out."""
        weight = self.linear_1.weight
        step = sinusoid(time, self.linear_1.in_features).to(weight)
        if self.cond_proj is not None and guidance is not None:
            step = step + self.cond_proj(guidance_embedding(guidance).to(weight))
        return self.linear_2(F.silu(self.linear_1(step)))


class Denoiser(nn.Module):
    """Noise in latents (B, L, C) at time (B,), given text (B, S, text width) and the guidance weight w (B,)."""

    def __init__(self, sizes: DenoiserSizes, norm: bool = True) -> None:
        super().__init__()
        width = sizes.stack.width
        self.latent_pre = nn.Linear(sizes.channels, width) if sizes.projected else nn.Identity()
        self.latent_post = nn.Linear(width, sizes.channels) if sizes.projected else nn.Identity()
        self.time_embedding = TimeEmbedding(sizes)
        text_activation = nn.Identity() if sizes.projected else nn.ReLU()
        self.text_width = sizes.text_width
        self.emb_proj = nn.Sequential(text_activation, nn.Linear(sizes.text_width, width))
        self.query_pos = LearnedPositions(width)
        self.encoder = SkipStack(sizes.stack, norm=norm)

    def sequence(self, latents: Tensor, time: Tensor, text: Tensor, guidance: Tensor | None) -> Tensor:
        """(B, L + 1 + S, D): latents, time, text, with their positions."""
        tokens = [self.latent_pre(latents), self.time_embedding(time, guidance)[:, None], self.emb_proj(text)]
        return self.query_pos(torch.cat(tokens, dim=1))

    def forward(
        self,
        latents: Tensor,
        time: Tensor,
        text: Tensor,
        guidance: Tensor | None = None,
        residuals: Sequence[Tensor] = (),
    ) -> Tensor:
        """Predicted noise (B, L, C); ``residuals`` come from a `ControlNet`, one for every layer."""
        x = self.encoder(self.sequence(latents, time, text, guidance), residuals=residuals)
        return self.latent_post(x[:, : latents.shape[1]])
