# SPDX-License-Identifier: GPL-3.0-or-later
"""The two discriminators of EMDM, with the parameter names of the official files.

Both judge whether x(t) was drawn by the generator or by the diffusion, given x(t + 1), the time and the condition.
For sentences the published one is the MLP; the transformer reads classes of action.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.paper.emdm import (
    SLOPE,
    ActionEmbedding,
    Encoder,
    FrameEmbedding,
    FrameOutput,
    TimeEmbedding,
    sinusoid_table,
)
from motion_engine.runtime.torch.paper.skip_transformer import StackSizes

TIME_WIDTH = 128


class MLPTime(nn.Module):
    """Times (B,) to (B, 128): sines, then cosines, whose last frequency is 1 / 10000, through two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(TIME_WIDTH, TIME_WIDTH), nn.LeakyReLU(SLOPE), nn.Linear(TIME_WIDTH, TIME_WIDTH)
        )

    def forward(self, time: Tensor) -> Tensor:
        """See the class."""
        half = TIME_WIDTH // 2
        frequency = torch.exp(torch.arange(half, device=time.device) * (-math.log(10000.0) / (half - 1)))
        angle = time.float()[:, None] * frequency
        return self.main(torch.cat([torch.sin(angle), torch.cos(angle)], dim=1))


class MLPDiscriminator(nn.Module):
    """Logits (B,) from whole motions, flat: it knows clips of ``frames`` frames only.

    The condition is a sentence vector or a one-hot class of ``condition_width`` numbers; 0 of them is none.
    """

    def __init__(self, frames: int, features: int, condition_width: int) -> None:
        super().__init__()
        self.t_embed = MLPTime()
        self.fc1 = nn.Linear(2 * frames * features + TIME_WIDTH + condition_width, 1024)
        self.fc2 = nn.Linear(1024, 1024)
        self.gn1 = nn.GroupNorm(32, 1024)
        self.fc3 = nn.Linear(1024, 512)
        self.fc4 = nn.Linear(512, 512)
        self.gn2 = nn.GroupNorm(16, 512)
        self.fc5 = nn.Linear(512, 256)
        self.fc6 = nn.Linear(256, 64)
        self.fc7 = nn.Linear(64, 1)

    def forward(self, earlier: Tensor, later: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        """``earlier`` x(t) and ``later`` x(t + 1), both (B, T, F)."""
        # the official numbers run along time first: (F, T)
        parts = [earlier.transpose(1, 2).flatten(1), later.transpose(1, 2).flatten(1), self.t_embed(time)]
        if condition is not None:
            parts.append(condition)
        x = F.selu(self.fc1(torch.cat(parts, dim=1)))
        x = F.selu(self.gn1(self.fc2(x)))
        x = F.selu(self.fc3(x))
        x = F.selu(self.gn2(self.fc4(x)))
        return self.fc7(F.selu(self.fc6(F.selu(self.fc5(x)))))[:, 0]


@dataclass(frozen=True)
class DiscriminatorSizes:
    """Numbers a frame, classes of action, and the transformer."""

    features: int
    actions: int
    stack: StackSizes


class TransformerDiscriminator(nn.Module):
    """Logits (B,) from a token that looks at time, class and both motions, frame by frame."""

    positions: Tensor

    def __init__(self, sizes: DiscriminatorSizes) -> None:
        super().__init__()
        width = sizes.stack.width
        self.register_buffer("positions", sinusoid_table(width), persistent=False)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.input_process = FrameEmbedding(sizes.features, width)
        self.embed_timestep = TimeEmbedding(width)
        self.embed_action = ActionEmbedding(sizes.actions, width)
        self.seqTransEncoder = Encoder(sizes.stack)
        self.output_process = FrameOutput(sizes.features, width)  # in the official files, and never used
        self.output_process.requires_grad_(False)
        self.latent_to_disc = nn.Sequential(
            nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        )

    def forward(self, earlier: Tensor, later: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        """``condition`` holds classes (B,); -1, as for the generator, is none."""
        tokens = [self.cls_token.expand(len(earlier), -1, -1)]
        tokens.append(self.embed_timestep(self.positions[time.long()])[:, None])
        if condition is not None:
            action = self.embed_action(condition.clamp(min=0)) * (condition >= 0)[:, None]
            tokens.append(action[:, None])
        tokens += [self.input_process(earlier), self.input_process(later)]
        x = torch.cat(tokens, dim=1)
        x = self.seqTransEncoder(x + self.positions[: x.shape[1]])
        return self.latent_to_disc(x[:, 0])[:, 0]
