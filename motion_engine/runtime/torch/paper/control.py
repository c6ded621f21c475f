# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion ControlNet of MotionLCM: given joints steer a frozen denoiser (Dai et al. 2024, section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.skip_transformer import (
    LearnedPositions,
    SkipStack,
    StackSizes,
    prefixed_mask,
)


@dataclass(frozen=True)
class TrajectorySizes:
    """Numbers a frame (three for each joint), latent tokens and their channels, the transformer."""

    features: int
    latents: int
    channels: int
    stack: StackSizes

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> TrajectorySizes:
        """Read from the tensors of a trajectory encoder."""
        stack = StackSizes.of(weights, "encoder")
        projection = weights.get("latent_proj.weight")
        return cls(
            features=weights["skel_embedding.weight"].shape[1],
            latents=weights["global_motion_token"].shape[0],
            channels=stack.width if projection is None else projection.shape[0],
            stack=stack,
        )


class TrajectoryEncoder(nn.Module):
    """Given joints to tokens of the latents' shape."""

    def __init__(self, sizes: TrajectorySizes) -> None:
        super().__init__()
        width = sizes.stack.width
        self.global_motion_token = nn.Parameter(torch.randn(sizes.latents, width))
        self.skel_embedding = nn.Linear(sizes.features, width)
        self.query_pos_encoder = LearnedPositions(width)
        self.encoder = SkipStack(sizes.stack)
        projected = sizes.channels != width
        self.latent_proj = nn.Linear(width, sizes.channels) if projected else nn.Identity()

    def forward(self, hint: Tensor, given: Tensor) -> Tensor:
        """Tokens (B, L, C).

        ``hint`` (B, T, J, 3) holds normalised joint positions, zero where nothing is given; ``given`` of that shape
        is 1 where something is. Frames without any given joint are left out as padding.
        """
        mask = given.flatten(2).ne(0).any(dim=-1)
        tokens = self.global_motion_token.expand(len(hint), -1, -1)
        x = torch.cat([tokens, self.skel_embedding(hint.flatten(2))], dim=1)
        x = self.encoder(self.query_pos_encoder(x), prefixed_mask(mask, tokens.shape[1]))
        return self.latent_proj(x[:, : tokens.shape[1]])


@dataclass(frozen=True)
class ControlSizes:
    """A denoiser's sizes, the hidden width of the map of the trajectory, and whether it has SiLUs (V2)."""

    denoiser: DenoiserSizes
    width: int
    activated: bool

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> ControlSizes:
        """Read from the tensors of a ControlNet: the third linear map is number 4 with SiLUs between, 2 without."""
        return cls(
            DenoiserSizes.of(weights),
            weights["controlnet_cond_embedding.0.weight"].shape[0],
            "controlnet_cond_embedding.4.weight" in weights,
        )


class ControlNet(Denoiser):
    """A copy of the denoiser that reads the trajectory's tokens and gives a residual for each of its layers."""

    def __init__(self, sizes: ControlSizes) -> None:
        super().__init__(sizes.denoiser, norm=False)
        channels, width = sizes.denoiser.channels, sizes.width
        maps: list[nn.Module] = [
            nn.Linear(channels, width),
            nn.Linear(width, width),
            nn.Linear(width, channels),
        ]
        if sizes.activated:
            maps[1:1] = [nn.SiLU()]
            maps[3:3] = [nn.SiLU()]
        self.controlnet_cond_embedding = nn.Sequential(*maps)
        stack = sizes.denoiser.stack
        self.controlnet_down_mid_blocks = nn.ModuleList(
            nn.Linear(stack.width, stack.width) for _ in range(stack.layers)
        )
        # a new control changes nothing: the last maps of both ways start at zero
        for last in (maps[-1], *self.controlnet_down_mid_blocks):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def residuals(
        self, latents: Tensor, time: Tensor, text: Tensor, guidance: Tensor | None, trajectory: Tensor
    ) -> list[Tensor]:
        """One (B, L + 1 + S, D) for every layer of the denoiser; ``trajectory`` (B, L, C) as encoded."""
        steered = latents + self.controlnet_cond_embedding(trajectory)
        outputs = self.encoder.layer_outputs(self.sequence(steered, time, text, guidance))
        return [linear(x) for linear, x in zip(self.controlnet_down_mid_blocks, outputs, strict=True)]


class ControlledDenoiser(nn.Module):
    """Denoiser and ControlNet as one network."""

    def __init__(self, denoiser: Denoiser, controlnet: ControlNet) -> None:
        super().__init__()
        self.denoiser, self.controlnet = denoiser, controlnet

    def forward(
        self, latents: Tensor, time: Tensor, text: Tensor, guidance: Tensor, trajectory: Tensor
    ) -> Tensor:
        """Predicted noise (B, L, C)."""
        residuals = self.controlnet.residuals(latents, time, text, guidance, trajectory)
        return self.denoiser(latents, time, text, guidance, residuals)


def noise_decorrelation(noise: Tensor) -> Tensor:
    """(B,) how far ``noise`` (B, L, C) is from independent tokens (DNO, Karunratanakul et al. 2024, section 4.3).

    The squared mean product of neighbouring tokens, summed over a pyramid that averages pairs of tokens until two
    are left. A number of tokens that is no power of two is filled up with fresh noise.
    """
    length = noise.shape[1]
    missing = 2 ** (length - 1).bit_length() - length
    level = torch.cat([noise, torch.randn_like(noise[:, :missing])], dim=1) if missing else noise
    total = torch.zeros_like(noise[:, 0, 0])
    while level.shape[1] > 2:
        total = total + (level * level.roll(1, dims=1)).mean(dim=(1, 2)) ** 2
        level = F.avg_pool1d(level.transpose(1, 2), 2).transpose(1, 2)
    return total
