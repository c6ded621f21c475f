# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion VAE of MLD: a whole clip as a few latent tokens (Chen et al. 2023, section 3.2).

V1 has one latent of the transformer's width, V2 sixteen of 32 channels behind a linear map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motion_engine.runtime.torch.paper.skip_transformer import (
    DecoderLayer,
    LearnedPositions,
    SkipStack,
    StackSizes,
    prefixed_mask,
)


@dataclass(frozen=True)
class VAESizes:
    """Numbers a frame, latent tokens and their channels, and the transformer; channels = width has no linear map."""

    features: int
    latents: int
    channels: int
    stack: StackSizes

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> VAESizes:
        """Read from the tensors of a VAE, or of its decoder alone, whose number of latents is then 0."""
        stack = StackSizes.of(weights, "decoder")
        tokens = weights.get("global_motion_token")
        projection = weights.get("latent_post.weight")
        return cls(
            features=weights["final_layer.weight"].shape[0],
            latents=0 if tokens is None else tokens.shape[0] // 2,
            channels=stack.width if projection is None else projection.shape[1],
            stack=stack,
        )

    @property
    def projected(self) -> bool:
        """Whether latents have channels of their own (V2)."""
        return self.channels != self.stack.width


class MotionDecoder(nn.Module):
    """Latents to frames: the half of the VAE that a bundle needs."""

    def __init__(self, sizes: VAESizes) -> None:
        super().__init__()
        width = sizes.stack.width
        self.sizes = sizes
        self.latent_post = nn.Linear(sizes.channels, width) if sizes.projected else nn.Identity()
        self.query_pos_decoder = LearnedPositions(width)
        self.decoder = SkipStack(sizes.stack, DecoderLayer)
        self.final_layer = nn.Linear(width, sizes.features)

    def decode(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Normalised features (B, T, F) of ``latents`` (B, L, C); frames where ``mask`` (B, T) is False are zero.

        The queries are positions alone: how long the clip is, the mask says.
        """
        memory = self.latent_post(latents)
        queries = mask[..., None].to(memory) * torch.zeros_like(memory[:, :1])
        frames = self.decoder(self.query_pos_decoder(queries), mask, memory)
        return self.final_layer(frames) * mask[..., None].to(memory)

    def forward(self, latents: Tensor, mask: Tensor) -> Tensor:
        """See `decode`."""
        return self.decode(latents, mask)


class MotionVAE(MotionDecoder):
    """The whole VAE over normalised features (B, T, F)."""

    def __init__(self, sizes: VAESizes) -> None:
        super().__init__(sizes)
        width = sizes.stack.width
        self.global_motion_token = nn.Parameter(torch.randn(2 * sizes.latents, width))
        self.skel_embedding = nn.Linear(sizes.features, width)
        self.query_pos_encoder = LearnedPositions(width)
        self.encoder = SkipStack(sizes.stack)
        self.latent_pre = nn.Linear(width, sizes.channels) if sizes.projected else nn.Identity()

    def encode(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents, each (B, L, C); frames behind the mask have no influence."""
        tokens = self.global_motion_token.expand(len(features), -1, -1)
        x = torch.cat([tokens, self.skel_embedding(features)], dim=1)
        x = self.encoder(self.query_pos_encoder(x), prefixed_mask(mask, tokens.shape[1]))
        mean, log_variance = self.latent_pre(x[:, : tokens.shape[1]]).chunk(2, dim=1)
        return mean, (0.5 * log_variance).exp()
