# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-norm transformer with long skips (MLD, Chen et al. 2023): what all networks of the papers are built from.

With n layers, n odd, the first half pushes its outputs on a stack, the second half pops them: last in, first out.
Each popped tensor is joined to the current one on channels and brought back to the width by a linear map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_POSITIONS = 500


@dataclass(frozen=True)
class StackSizes:
    """Width, layers (an odd number), width of the feed-forward, heads, dropout in training."""

    width: int
    layers: int
    feed_forward: int
    heads: int = 4
    dropout: float = 0.1

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], stack: str) -> StackSizes:
        """Read from the tensors under the name ``stack``; heads and dropout leave no trace and are the papers'."""
        half = {key.split(".")[2] for key in weights if key.startswith(f"{stack}.input_blocks.")}
        feed_forward, width = weights[f"{stack}.middle_block.linear1.weight"].shape
        return cls(width, 2 * len(half) + 1, feed_forward)


class Attention(nn.Module):
    """Multi-head attention with the parameter names of `torch.nn.MultiheadAttention`; batch first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be dealt out to {heads} heads")
        self.heads, self.dropout = heads, dropout
        self.scale = (width // heads) ** -0.5
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """From ``x`` (B, S, D) to ``context`` (B, K, D); ``mask`` (B, K) is True where the context is real."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(given, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for given, weight, bias in zip((x, context, context), weights, biases, strict=True)
        )
        # scaled before the product, and written out: with random weights decoded motions follow the order of rounding
        scores = (q * self.scale) @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        shares = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
        return self.out_proj((shares @ v).transpose(1, 2).flatten(-2))


class EncoderLayer(nn.Module):
    """x = LN(x + attention(x)); x = LN(x + W2 gelu(W1 x))."""

    def __init__(self, sizes: StackSizes) -> None:
        super().__init__()
        width = sizes.width
        self.self_attn = Attention(width, sizes.heads, sizes.dropout)
        self.linear1 = nn.Linear(width, sizes.feed_forward)
        self.linear2 = nn.Linear(sizes.feed_forward, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(sizes.dropout)

    def feed_forward(self, x: Tensor) -> Tensor:
        """(B, S, D) in and out; the exact GELU."""
        return self.dropout(self.linear2(self.dropout(F.gelu(self.linear1(x)))))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, S, D) in and out; ``mask`` (B, S) is True where the sequence is real."""
        x = self.norm1(x + self.dropout(self.self_attn(x, x, mask)))
        return self.norm2(x + self.feed_forward(x))


class DecoderLayer(EncoderLayer):
    """An encoder layer with attention to a memory in its middle."""

    def __init__(self, sizes: StackSizes) -> None:
        super().__init__(sizes)
        self.multihead_attn = Attention(sizes.width, sizes.heads, sizes.dropout)
        self.norm3 = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """``memory`` (B, L, D) is looked at as it is, without positions or mask."""
        assert memory is not None
        x = self.norm1(x + self.dropout(self.self_attn(x, x, mask)))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, memory)))
        return self.norm3(x + self.feed_forward(x))


class SkipStack(nn.Module):
    """Layers with long skips; a final LayerNorm unless ``norm`` is False."""

    def __init__(
        self, sizes: StackSizes, layer: Callable[[StackSizes], nn.Module] = EncoderLayer, norm: bool = True
    ) -> None:
        super().__init__()
        if sizes.layers % 2 == 0:
            raise ValueError(f"A stack with skips has an odd number of layers, not {sizes.layers}.")
        half, width = sizes.layers // 2, sizes.width
        self.input_blocks = nn.ModuleList(layer(sizes) for _ in range(half))
        self.middle_block = layer(sizes)
        self.output_blocks = nn.ModuleList(layer(sizes) for _ in range(half))
        self.linear_blocks = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(half))
        self.norm = nn.LayerNorm(width) if norm else None

    def layer_outputs(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        residuals: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """What every layer hands on, each (B, S, D).

        ``residuals``, one for every layer, are added to a layer's output before it is kept for the skip.
        """
        context = (mask,) if memory is None else (mask, memory)
        outputs: list[Tensor] = []

        def run(layer: nn.Module, x: Tensor) -> Tensor:
            x = layer(x, *context)
            if residuals:
                x = x + residuals[len(outputs)]
            outputs.append(x)
            return x

        for layer in self.input_blocks:
            x = run(layer, x)
        kept = list(outputs)
        x = run(self.middle_block, x)
        for layer, linear in zip(self.output_blocks, self.linear_blocks, strict=True):
            x = run(layer, linear(torch.cat([x, kept.pop()], dim=-1)))
        return outputs

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        residuals: Sequence[Tensor] = (),
    ) -> Tensor:
        """(B, S, D) in and out."""
        x = self.layer_outputs(x, mask, memory, residuals)[-1]
        return x if self.norm is None else self.norm(x)


class LearnedPositions(nn.Module):
    """A table of positions, added once before the first layer; ``pe`` is (500, 1, D) as the checkpoints store it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pe = nn.Parameter(torch.rand(MAX_POSITIONS, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) in and out."""
        return x + self.pe[: x.shape[1], 0]


def prefixed_mask(mask: Tensor, tokens: int) -> Tensor:
    """Mask (B, tokens + T) of ``mask`` (B, T) behind tokens that are always looked at."""
    return torch.cat([torch.ones_like(mask[:, :1]).expand(-1, tokens), mask], dim=1)
