# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion and text read into one space, and sentences written from it: the caption side of a bundle.

`MotionReader` and `TextReader` each give an embedding in a joint space, trained by contrast (TMR, Petrovich et al.
2023), and tokens that describe their input; `TextDecoder` writes a sentence from such tokens, word piece by word
piece. Trained together they are a contrastive captioner (CoCa, Yu et al. 2022). The text side is the text
encoder-decoder of MoTe: a sentence as a few tokens, and the sentence back from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.denoiser import MAX_LATENTS, TIME_WIDTH, Attention, sinusoid

PAD, START, END = 0, 1, 2
"""Indices of the three words that are no word pieces."""

MAX_WORDS = 48


@dataclass(frozen=True)
class CaptionerConfig:
    """Sizes of the three networks.

    Attributes
    ----------
    width, heads : of the transformers.
    motion_layers, text_layers, decoder_layers : how deep they are.
    token_width : numbers of a token that describes motion or text, and of an embedding.
    text_tokens : tokens of a sentence.
    text_width : numbers of a token feature of the frozen text encoder.
    words : size of the vocabulary.
    """

    width: int
    heads: int
    motion_layers: int
    text_layers: int
    decoder_layers: int
    token_width: int
    text_tokens: int
    text_width: int
    words: int


class TransformerLayer(nn.Module):
    """Pre-norm self-attention, cross-attention where ``context_width`` is given, and a feed-forward network."""

    def __init__(self, width: int, heads: int, context_width: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads, width)
        self.norm2 = nn.LayerNorm(width) if context_width else None
        self.cross_attention = Attention(width, heads, context_width) if context_width else None
        self.norm3 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
    ) -> Tensor:
        """``x`` (B, N, width); ``mask`` (B, N) of what may be seen, or (B, N, N) by row; ``context`` (B, K, width)."""
        y = self.norm1(x)
        x = x + self.self_attention(y, y, mask)
        if self.cross_attention is not None and self.norm2 is not None:
            assert context is not None
            x = x + self.cross_attention(self.norm2(x), context, context_mask)
        return x + self.feed_forward(self.norm3(x))


class MotionReader(nn.Module):
    """Normalised latents (B, L, C) and their mask (B, L) to (B, 1 + L, token width).

    Row 0 is the embedding in the joint space, of unit length; the rest are tokens along time, to be described.
    """

    def __init__(self, config: CaptionerConfig, channels: int) -> None:
        super().__init__()
        width = config.width
        self.latent_in = nn.Linear(channels, width)
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.length = nn.Linear(TIME_WIDTH, width)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads) for _ in range(config.motion_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.token_out = nn.Linear(width, config.token_width)
        self.embedding_out = nn.Linear(width, config.token_width)

    def forward(self, latents: Tensor, mask: Tensor) -> Tensor:
        """What lies behind a clip's length has no influence; its tokens are to be masked out."""
        real = mask.to(latents.dtype)
        x = self.latent_in(latents) + self.positions[: latents.shape[1]]
        first = self.length(sinusoid(real.sum(dim=1), TIME_WIDTH))[:, None]
        x = torch.cat([first, x], dim=1)
        seen = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)
        for layer in self.layers:
            x = layer(x, seen)
        x = self.norm(x)
        mean = (x[:, 1:] * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        embedding = F.normalize(self.embedding_out(x[:, 0] + mean), dim=-1)
        return torch.cat([embedding[:, None], self.token_out(x[:, 1:])], dim=1)


class TextReader(nn.Module):
    """Features (B, S, text width) of the frozen text encoder and their mask to (B, 1 + text tokens, token width).

    Row 0 is the embedding in the joint space, of unit length; the rest is the sentence as tokens of unit variance.
    """

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        width = config.width
        self.text_in = nn.Linear(config.text_width, width)
        self.queries = nn.Parameter(torch.randn(1 + config.text_tokens, width) * 0.1)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads, width) for _ in range(config.text_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.token_out = nn.Sequential(
            nn.Linear(width, config.token_width), nn.LayerNorm(config.token_width, elementwise_affine=False)
        )
        self.embedding_out = nn.Linear(width, config.token_width)

    def forward(self, text: Tensor, text_mask: Tensor) -> Tensor:
        """Both of a batch of sentences."""
        words = self.text_in(text)
        x = self.queries + torch.zeros_like(words[:, :1])
        for layer in self.layers:
            x = layer(x, None, words, text_mask)
        x = self.norm(x)
        embedding = F.normalize(self.embedding_out(x[:, :1]), dim=-1)
        return torch.cat([embedding, self.token_out(x[:, 1:])], dim=1)


class TextDecoder(nn.Module):
    """Logits of the next word from tokens (B, K, token width) that describe a motion or a sentence."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        width = config.width
        self.words = nn.Embedding(config.words, width)
        nn.init.normal_(self.words.weight, std=0.02)
        self.positions = nn.Parameter(torch.randn(MAX_WORDS, width) * 0.02)
        self.memory_in = nn.Sequential(nn.Linear(config.token_width, width), nn.LayerNorm(width))
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads, width) for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(width)

    def every(self, memory: Tensor, memory_mask: Tensor | None, words: Tensor) -> Tensor:
        """Logits (B, N, words): at each of the words (B, N), of the one behind it."""
        return F.linear(self._states(memory, memory_mask, words), self.words.weight)

    def forward(self, memory: Tensor, memory_mask: Tensor, words: Tensor) -> Tensor:
        """Logits (B, words) of the word behind the last of ``words`` (B, N) int64, which begin with `START`."""
        return F.linear(self._states(memory, memory_mask, words)[:, -1], self.words.weight)

    def _states(self, memory: Tensor, memory_mask: Tensor | None, words: Tensor) -> Tensor:
        count = words.shape[1]
        causal = torch.ones(count, count, dtype=torch.bool, device=words.device).tril()[None]
        x = self.words(words) + self.positions[:count]
        context = self.memory_in(memory)
        for layer in self.layers:
            x = layer(x, causal, context, memory_mask)
        return self.norm(x)
