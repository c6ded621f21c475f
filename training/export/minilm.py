# SPDX-License-Identifier: GPL-3.0-or-later
"""all-MiniLM-L6-v2, a BERT of six layers, from its published weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, LAYERS, HEADS, FEED_FORWARD, POSITIONS, VOCABULARY = 384, 6, 12, 1536, 512, 30522


class BertLayer(nn.Module):
    """Post-norm transformer layer with BERT's parameter names flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, 1e-12), nn.LayerNorm(WIDTH, 1e-12)
        self.up, self.down = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, 384) in and out."""
        q, k, v = (
            f(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        attention = torch.softmax(q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5, dim=-1)
        x = self.norm1(x + self.out((attention @ v).transpose(1, 2).flatten(-2)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class EightBitEmbedding(nn.Module):
    """An embedding table in 8 bits with one scale a row."""

    scale: Tensor
    codes: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        scale = table.abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("codes", torch.round(table / scale.clamp_min(1e-12)).to(torch.int8))

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of the table."""
        return self.codes[ids].float() * self.scale[ids]


class MiniLM(nn.Module):
    """Sentences without padding: ids (B, L) to token features (B, L, 384) and unit vectors (B, 384)."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.segment = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.layers = nn.ModuleList(BertLayer() for _ in range(LAYERS))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Features of every token, and their mean scaled to unit length."""
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]] + self.segment)
        for layer in self.layers:
            x = layer(x)
        return x, F.normalize(x.mean(dim=1), dim=-1)

    @classmethod
    def from_files(cls, folder: Path) -> MiniLM:
        """Read ``model.safetensors`` in the layout of Hugging Face's BertModel."""
        from safetensors.torch import load_file

        stored = load_file(folder / "model.safetensors")
        state = {
            "words.weight": stored["embeddings.word_embeddings.weight"],
            "positions.weight": stored["embeddings.position_embeddings.weight"],
            "segment": stored["embeddings.token_type_embeddings.weight"][0],
            "norm.weight": stored["embeddings.LayerNorm.weight"],
            "norm.bias": stored["embeddings.LayerNorm.bias"],
        }
        names = {
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "out": "attention.output.dense",
            "norm1": "attention.output.LayerNorm",
            "up": "intermediate.dense",
            "down": "output.dense",
            "norm2": "output.LayerNorm",
        }
        for layer in range(LAYERS):
            for ours, theirs in names.items():
                for part in ("weight", "bias"):
                    state[f"layers.{layer}.{ours}.{part}"] = stored[f"encoder.layer.{layer}.{theirs}.{part}"]
        model = cls()
        model.load_state_dict(state)
        return model.eval()
