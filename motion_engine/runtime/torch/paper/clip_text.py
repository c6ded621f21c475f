# SPDX-License-Identifier: GPL-3.0-or-later
"""The text side of CLIP (Radford et al. 2021): a causal transformer whose last token stands for the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """Pre-norm causal attention and feed-forward."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, hidden = config.get("hidden_size", 512), config.get("intermediate_size", 2048)
        epsilon = config.get("layer_norm_eps", 1e-5)
        self.heads = config.get("num_attention_heads", 8)
        self.scale = (width // self.heads) ** -0.5
        self.quick = config.get("hidden_act", "quick_gelu") == "quick_gelu"
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor, later: Tensor) -> Tensor:
        """``x`` (B, S, width); ``later`` (S, S) is True where a token lies behind the one that looks."""
        y = self.layer_norm1(x)
        maps = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (f(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in maps)
        scores = (q * self.scale) @ k.transpose(-1, -2)
        shares = scores.masked_fill(later, float("-inf")).softmax(dim=-1)
        x = x + self.out_proj((shares @ v).transpose(1, 2).flatten(-2))
        y = self.fc1(self.layer_norm2(x))
        return x + self.fc2(y * torch.sigmoid(1.702 * y) if self.quick else F.gelu(y))


class CLIPText(nn.Module):
    """Token numbers (B, S), from the start token to the end token without padding, to sentence vectors (B, width)."""

    later: Tensor

    def __init__(self, config: Mapping[str, Any], width: int) -> None:
        super().__init__()
        hidden, longest = config.get("hidden_size", 512), config.get("max_position_embeddings", 77)
        self.words = nn.Embedding(config.get("vocab_size", 49408), hidden)
        self.positions = nn.Embedding(longest, hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.get("num_hidden_layers", 12)))
        self.norm = nn.LayerNorm(hidden, config.get("layer_norm_eps", 1e-5))
        self.projection = nn.Linear(hidden, width, bias=False)
        later = torch.ones(longest, longest, dtype=torch.bool).triu(1)
        self.register_buffer("later", later, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """See the class."""
        count = ids.shape[1]
        x = self.words(ids) + self.positions.weight[:count]
        for layer in self.layers:
            x = layer(x, self.later[:count, :count])
        return self.projection(self.norm(x)[:, -1])

    @classmethod
    def from_openai(cls, weights: Mapping[str, Tensor]) -> CLIPText:
        """From tensors named as OpenAI's own files name those of CLIP, in any precision.

        Raises
        ------
        KeyError, RuntimeError
            If a tensor is missing or of another shape.
        """
        hidden = weights["ln_final.weight"].shape[0]
        layers = {key.split(".")[2] for key in weights if key.startswith("transformer.resblocks.")}
        config = {
            "hidden_size": hidden,
            "intermediate_size": weights["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            "num_hidden_layers": len(layers),
            "num_attention_heads": max(hidden // 64, 1),
            "vocab_size": weights["token_embedding.weight"].shape[0],
            "max_position_embeddings": weights["positional_embedding"].shape[0],
        }
        projection = weights["text_projection"].T
        state = {
            "words.weight": weights["token_embedding.weight"],
            "positions.weight": weights["positional_embedding"],
            "projection.weight": projection,
        }
        parts = {
            "out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2", "fc1": "mlp.c_fc",
            "fc2": "mlp.c_proj",
        }  # fmt: skip
        for kind in ("weight", "bias"):
            state[f"norm.{kind}"] = weights[f"ln_final.{kind}"]
            for index in range(len(layers)):
                block = f"transformer.resblocks.{index}"
                for ours, theirs in parts.items():
                    state[f"layers.{index}.{ours}.{kind}"] = weights[f"{block}.{theirs}.{kind}"]
                joined = weights[f"{block}.attn.in_proj_{kind}"].chunk(3)
                for name, part in zip(("q_proj", "k_proj", "v_proj"), joined, strict=True):
                    state[f"layers.{index}.{name}.{kind}"] = part
        model = cls(config, projection.shape[0])
        model.load_state_dict({key: value.float() for key, value in state.items()})
        return model.eval()

    @classmethod
    def from_weights(cls, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> CLIPText:
        """From tensors named as Hugging Face names those of CLIP; the picture side is left aside.

        Raises
        ------
        KeyError
            With the name of a tensor that is missing.
        """
        model = cls(config, weights["text_projection.weight"].shape[0])
        state = {
            "words.weight": weights["text_model.embeddings.token_embedding.weight"],
            "positions.weight": weights["text_model.embeddings.position_embedding.weight"],
            "projection.weight": weights["text_projection.weight"],
        }
        parts = {name: f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
        parts |= {
            "fc1": "mlp.fc1",
            "fc2": "mlp.fc2",
            "layer_norm1": "layer_norm1",
            "layer_norm2": "layer_norm2",
        }
        for kind in ("weight", "bias"):
            state[f"norm.{kind}"] = weights[f"text_model.final_layer_norm.{kind}"]
            for index in range(len(model.layers)):
                for ours, theirs in parts.items():
                    name = f"text_model.encoder.layers.{index}.{theirs}.{kind}"
                    state[f"layers.{index}.{ours}.{kind}"] = weights[name]
        model.load_state_dict(state)
        return model.eval()
