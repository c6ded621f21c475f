# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentence-T5 (Ni et al. 2022): the encoder of T5 (Raffel et al. 2020), mean over tokens, a linear map, unit length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_TOKENS = 256


class RMSNorm(nn.Module):
    """Scale by the root mean square, without centring or bias."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) in and out."""
        return self.weight * x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.epsilon)


class Layer(nn.Module):
    """Pre-norm attention without scaling, then the feed-forward, plain with ReLU or gated with GELU."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, hidden = config["d_model"], config["d_ff"]
        inner, epsilon = config["num_heads"] * config["d_kv"], config.get("layer_norm_epsilon", 1e-6)
        self.heads = config["num_heads"]
        self.norm1, self.norm2 = RMSNorm(width, epsilon), RMSNorm(width, epsilon)
        self.q, self.k, self.v = (nn.Linear(width, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, width, bias=False)
        gated = config.get("feed_forward_proj", "relu").startswith("gated")
        self.up = nn.Linear(width, hidden, bias=False)
        self.gate = nn.Linear(width, hidden, bias=False) if gated else None
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """``x`` (B, S, width), ``bias`` (heads, S, S) of the distances between tokens."""
        y = self.norm1(x)
        q, k, v = (f(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        shares = torch.softmax(q @ k.transpose(-1, -2) + bias, dim=-1)
        x = x + self.o((shares @ v).transpose(1, 2).flatten(-2))
        y = self.norm2(x)
        if self.gate is None:
            return x + self.down(F.relu(self.up(y)))
        return x + self.down(F.gelu(self.gate(y), approximate="tanh") * self.up(y))


class SentenceT5(nn.Module):
    """Token numbers (B, S), without padding, to unit sentence vectors (B, width)."""

    buckets: Tensor

    def __init__(self, config: Mapping[str, Any], width: int) -> None:
        super().__init__()
        n_buckets = config.get("relative_attention_num_buckets", 32)
        self.words = nn.Embedding(config["vocab_size"], config["d_model"])
        self.distances = nn.Embedding(n_buckets, config["num_heads"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_layers"]))
        self.norm = RMSNorm(config["d_model"], config.get("layer_norm_epsilon", 1e-6))
        self.dense = nn.Linear(config["d_model"], width, bias=False)
        farthest = config.get("relative_attention_max_distance", 128)
        self.register_buffer("buckets", distance_buckets(n_buckets, farthest), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """See the class."""
        count = ids.shape[1]
        bias = self.distances(self.buckets[:count, :count]).permute(2, 0, 1)
        x = self.words(ids)
        for layer in self.layers:
            x = layer(x, bias)
        return F.normalize(self.dense(self.norm(x).mean(dim=1)), dim=-1)

    @classmethod
    def from_weights(
        cls, config: Mapping[str, Any], encoder: Mapping[str, Tensor], dense: Mapping[str, Tensor]
    ) -> SentenceT5:
        """From tensors named as Hugging Face names those of a T5 encoder and of the linear map.

        Raises
        ------
        KeyError
            With the name of a tensor that is missing.
        """
        model = cls(config, dense["linear.weight"].shape[0])
        words = "shared.weight" if "shared.weight" in encoder else "encoder.embed_tokens.weight"
        state = {
            "words.weight": encoder[words],
            "distances.weight": encoder[
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            ],
            "norm.weight": encoder["encoder.final_layer_norm.weight"],
            "dense.weight": dense["linear.weight"],
        }
        gated = model.layers[0].gate is not None
        names = {
            "norm1": "0.layer_norm", "norm2": "1.layer_norm", "down": "1.DenseReluDense.wo",
            **{letter: f"0.SelfAttention.{letter}" for letter in "qkvo"},
            **({"gate": "1.DenseReluDense.wi_0", "up": "1.DenseReluDense.wi_1"} if gated
               else {"up": "1.DenseReluDense.wi"}),
        }  # fmt: skip
        for index in range(len(model.layers)):
            for ours, theirs in names.items():
                state[f"layers.{index}.{ours}.weight"] = encoder[
                    f"encoder.block.{index}.layer.{theirs}.weight"
                ]
        model.load_state_dict(state)
        return model.eval()


def distance_buckets(count: int, farthest: int) -> Tensor:
    """(256, 256) bucket of the distance from a token to another: exact when near, logarithmic when far, two-sided."""
    position = torch.arange(MAX_TOKENS)
    distance = position[None, :] - position[:, None]
    half, exact = count // 2, count // 4
    far = torch.log(distance.abs().clamp(min=1) / exact) / math.log(farthest / exact) * (half - exact)
    bucket = torch.where(distance.abs() < exact, distance.abs(), (exact + far.long()).clamp(max=half - 1))
    return bucket + half * (distance > 0)
