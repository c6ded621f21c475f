# SPDX-License-Identifier: GPL-3.0-or-later
"""Generator of EMDM (Zhou et al. 2024, section 3): a transformer that draws clean frames from noisy ones.

The encoder of MDM (Tevet et al. 2023) with one token more: a random vector z, so that one noisy motion has many
clean ones. Parameter names are those of the official files. There is no mask: clips have always the same number of
frames, and what lies behind the wanted length is cut off afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.paper.skip_transformer import EncoderLayer, StackSizes

MAX_POSITIONS = 512
"""Rows of the table; the official files store ten times as many of the same formula."""

HEAD_WIDTH = 32
"""Of the official networks (1024 numbers, 32 heads): heads leave no trace in a file."""

Z_LAYERS = 5
SLOPE = 0.2
"""Of the leaky ReLU on the way of z."""


@dataclass(frozen=True)
class GeneratorSizes:
    """Numbers a frame, of the text or classes of action, of z, and the transformer.

    ``text_width`` is 0 where the condition is one of ``actions`` classes. With ``separate`` the condition is a token of
    its own, as the official networks have it, else it is added to the time's.
    """

    features: int
    text_width: int
    actions: int
    noise_width: int
    stack: StackSizes
    separate: bool = True

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], heads: int | None = None) -> GeneratorSizes:
        """Read from the tensors of a generator; heads are the official ones where they are not given."""
        features = weights["output_process.poseFinal.weight"].shape[0]
        text, actions = weights.get("embed_text.weight"), weights.get("embed_action.action_embedding")
        return cls(
            features=features,
            text_width=0 if text is None else text.shape[1],
            actions=0 if actions is None else actions.shape[0],
            noise_width=weights["z_transform.0.weight"].shape[1],
            stack=stack_sizes(weights, heads),
        )


def stack_sizes(weights: Mapping[str, Tensor], heads: int | None = None) -> StackSizes:
    """Sizes of the transformer ``seqTransEncoder``."""
    layers = {key.split(".")[2] for key in weights if key.startswith("seqTransEncoder.layers.")}
    forward, width = weights["seqTransEncoder.layers.0.linear1.weight"].shape
    return StackSizes(width, len(layers), forward, heads or max(width // HEAD_WIDTH, 1))


def sinusoid_table(width: int) -> Tensor:
    """(512, width): sines in even columns, cosines in odd ones (Vaswani et al. 2017)."""
    angle = torch.arange(MAX_POSITIONS)[:, None] * torch.exp(
        torch.arange(0, width, 2) * (-math.log(10000.0) / width)
    )
    return torch.stack([torch.sin(angle), torch.cos(angle)], dim=-1).flatten(1)


class SELULayer(EncoderLayer):
    """Post-norm attention and feed-forward with SELU."""

    def feed_forward(self, x: Tensor) -> Tensor:
        """(B, S, D) in and out."""
        return self.dropout(self.linear2(self.dropout(F.selu(self.linear1(x)))))


class Encoder(nn.Module):
    """A pile of layers without a norm at the end."""

    def __init__(self, sizes: StackSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SELULayer(sizes) for _ in range(sizes.layers))

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) in and out."""
        for layer in self.layers:
            x = layer(x)
        return x


class FrameEmbedding(nn.Module):
    """Frames (B, T, F) to tokens (B, T, D)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.poseEmbedding = nn.Linear(features, width)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.poseEmbedding(frames)


class FrameOutput(nn.Module):
    """Tokens (B, T, D) to frames (B, T, F)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.poseFinal = nn.Linear(width, features)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        return self.poseFinal(tokens)


class TimeEmbedding(nn.Module):
    """Row t of the table of positions through two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) in and out."""
        return self.time_embed(rows)


class ActionEmbedding(nn.Module):
    """Classes (B,) to learned vectors (B, D)."""

    def __init__(self, actions: int, width: int) -> None:
        super().__init__()
        self.action_embedding = nn.Parameter(torch.randn(actions, width))

    def forward(self, action: Tensor) -> Tensor:
        """See the class."""
        return self.action_embedding[action]


class Generator(nn.Module):
    """Clean frames (B, T, F) from noisy ones at time (B,), a condition and z (B, noise width).

    The condition is text (B, 1, text width), where zeros stand for none, or classes (B,), where -1 does.
    """

    positions: Tensor

    def __init__(self, sizes: GeneratorSizes) -> None:
        super().__init__()
        width = sizes.stack.width
        self.sizes = sizes
        self.register_buffer("positions", sinusoid_table(width), persistent=False)
        self.input_process = FrameEmbedding(sizes.features, width)
        self.embed_timestep = TimeEmbedding(width)
        if sizes.text_width:
            self.embed_text = nn.Linear(sizes.text_width, width)
        else:
            self.embed_action = ActionEmbedding(sizes.actions, width)
        maps: list[nn.Module] = []
        for i in range(Z_LAYERS):
            maps += [nn.Linear(width if i else sizes.noise_width, width), nn.LeakyReLU(SLOPE)]
        self.z_transform = nn.Sequential(*maps)
        self.seqTransEncoder = Encoder(sizes.stack)
        self.output_process = FrameOutput(sizes.features, width)

    @property
    def text_width(self) -> int:
        """Numbers of a sentence."""
        return self.sizes.text_width

    def condition(self, condition: Tensor) -> Tensor:
        """Token (B, 1, D) of the text or of the class."""
        if self.sizes.text_width:
            return self.embed_text(condition)
        token = self.embed_action(condition.clamp(min=0))
        return (token * (condition >= 0)[:, None].to(token))[:, None]

    def sequence(self, latents: Tensor, time: Tensor, condition: Tensor, z: Tensor) -> Tensor:
        """(B, 3 + T, D): time, condition, z, frames, with their positions."""
        step = self.embed_timestep(self.positions[time.long()])[:, None]
        given = self.condition(condition)
        first = [step, given] if self.sizes.separate else [step + given]
        x = torch.cat([*first, self.z_transform(z)[:, None], self.input_process(latents)], dim=1)
        return x + self.positions[: x.shape[1]]

    def forward(self, latents: Tensor, time: Tensor, text: Tensor, z: Tensor) -> Tensor:
        """See the class; never clipped."""
        x = self.seqTransEncoder(self.sequence(latents, time, text, z))
        return self.output_process(x[:, -latents.shape[1] :])


class Crop(nn.Module):
    """Stands where other bundles have a decoder: the generator's frames up to the wanted length."""

    def forward(self, latents: Tensor, mask: Tensor) -> Tensor:
        """``latents`` (B, L, F) to (B, T, F) of ``mask`` (B, T)."""
        return latents[:, : mask.shape[1]] * mask[..., None].to(latents)
