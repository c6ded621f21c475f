# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion VAE: features at 20 frames a second to latents at 5 a second and back.

The stage of MLD (Chen et al. 2023, section 3.2) that makes the latent space, with temporal convolutions in place of
the transformer: a clip of any length has one latent every ``downsampling`` frames.

A width of 0 asks for no network at all: a latent is the frames themselves side by side, so that what is trained on
latents is trained in motion space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class VAEConfig:
    """Convolutional motion VAE: channels, latent channels, frames a latent, residual blocks a level.

    With ``width`` 0 the latents are frames side by side, and ``latent_channels`` is 263 times ``downsampling``.
    """

    width: int
    latent_channels: int
    downsampling: int
    blocks: int

    @property
    def motion_space(self) -> bool:
        """Whether latents are the frames themselves."""
        return self.width == 0


class ResidualBlock(nn.Module):
    """Dilated convolution, then a pointwise one, around a skip."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, T) in and out."""
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


EXACT = -20.0
"""Log-variance of a latent that is known exactly."""


class FoldFrames(nn.Module):
    """(B, F, T) to (B, 2 n F, T / n): n frames side by side, and behind them the log-variance of each number."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        """Frame by frame: first all numbers of the first one."""
        mean = x.unflatten(-1, (-1, self.frames)).permute(0, 3, 1, 2).flatten(1, 2)
        return torch.cat([mean, torch.full_like(mean, EXACT)], dim=1)


class UnfoldFrames(nn.Module):
    """(B, n F, L) to (B, F, n L): back from the numbers that `FoldFrames` put side by side."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers, no other."""
        return x.unflatten(1, (self.frames, -1)).permute(0, 2, 3, 1).flatten(2)


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(width, 3**i) for i in reversed(range(count))]


class MotionVAE(nn.Module):
    """Encoder and decoder over normalised features (B, T, 263); T is a multiple of ``downsampling``."""

    def __init__(self, config: VAEConfig, n_features: int = 263) -> None:
        super().__init__()
        width, levels = config.width, config.downsampling.bit_length() - 1
        if 2**levels != config.downsampling:
            raise ValueError(f"downsampling must be a power of two, not {config.downsampling}")
        self.downsampling = config.downsampling
        self.latent_channels = config.latent_channels
        self.motion_space = config.motion_space
        if config.motion_space:
            folded = n_features * config.downsampling
            if config.latent_channels != folded:
                raise ValueError(
                    f"A VAE of width 0 puts {config.downsampling} frames of {n_features} numbers side by side: "
                    f"latent_channels must be {folded}, not {config.latent_channels}."
                )
            self.encoder = nn.Sequential(FoldFrames(config.downsampling))
            self.decoder = nn.Sequential(UnfoldFrames(config.downsampling))
            return
        encoder: list[nn.Module] = [
            nn.Conv1d(n_features, width, 3, padding=1),
            *_blocks(width, config.blocks),
        ]
        for _ in range(levels):
            encoder += [nn.Conv1d(width, width, 4, stride=2, padding=1), *_blocks(width, config.blocks)]
        self.encoder = nn.Sequential(
            *encoder, nn.SiLU(), nn.Conv1d(width, 2 * config.latent_channels, 3, padding=1)
        )
        decoder: list[nn.Module] = [
            nn.Conv1d(config.latent_channels, width, 3, padding=1),
            *_blocks(width, config.blocks),
        ]
        for _ in range(levels):
            decoder += [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv1d(width, width, 3, padding=1)]
            decoder += _blocks(width, config.blocks)
        self.decoder = nn.Sequential(*decoder, nn.SiLU(), nn.Conv1d(width, n_features, 3, padding=1))

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (B, T / downsampling, C)."""
        mean, log_variance = self.encoder(features.transpose(1, 2)).transpose(1, 2).chunk(2, dim=-1)
        return mean, log_variance.clamp(EXACT, 10.0)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, L, C) to normalised features (B, L * downsampling, 263)."""
        return self.decoder(latents.transpose(1, 2)).transpose(1, 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction from a sampled latent, mean and log-variance."""
        mean, log_variance = self.encode(features)
        latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decode(latents), mean, log_variance
