# SPDX-License-Identifier: GPL-3.0-or-later
"""The caption decoder one word at a time: keys and values of the words before are kept, not computed anew."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine.runtime.torch.captioner import TextDecoder, TransformerLayer
from motion_engine.runtime.torch.denoiser import Attention

KeysValues = tuple[Tensor, Tensor]
"""(B, heads, N, width / heads) each."""


class WordByWord:
    """`TextDecoder.forward` for sentences that grow by a word, without gradients.

    Parameters
    ----------
    memory, mask : (B, K, token width) of what is described, one row a sentence, and (B, K) of its real tokens.
    """

    def __init__(self, decoder: TextDecoder, memory: Tensor, mask: Tensor) -> None:
        self._decoder = decoder
        self._layers = [layer for layer in decoder.layers if isinstance(layer, TransformerLayer)]
        context = decoder.memory_in(memory)
        self._described = [_keys_values(_cross(layer), context) for layer in self._layers]
        self._said: list[KeysValues] = []
        self._mask = mask[:, None, None]
        self._count = 0

    def next(self, words: Tensor) -> Tensor:
        """Logits (B, V) of what follows the words (B,), which are the next of each sentence."""
        decoder = self._decoder
        x = (decoder.words(words) + decoder.positions[self._count])[:, None]
        said = []
        for index, layer in enumerate(self._layers):
            y = layer.norm1(x)
            new = _keys_values(layer.self_attention, y)
            if self._count:
                keys, values = self._said[index]
                new = torch.cat([keys, new[0]], dim=2), torch.cat([values, new[1]], dim=2)
            said.append(new)
            x = x + _attended(layer.self_attention, y, new, None)
            assert layer.norm2 is not None
            x = x + _attended(_cross(layer), layer.norm2(x), self._described[index], self._mask)
            x = x + layer.feed_forward(layer.norm3(x))
        self._said = said
        self._count += 1
        return F.linear(decoder.norm(x)[:, 0], decoder.words.weight)

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the sentences: ``rows`` are their numbers, or (B,) whether to keep each."""
        self._described = [(keys[rows], values[rows]) for keys, values in self._described]
        self._said = [(keys[rows], values[rows]) for keys, values in self._said]
        self._mask = self._mask[rows]


def _cross(layer: TransformerLayer) -> Attention:
    assert layer.cross_attention is not None
    return layer.cross_attention


def _keys_values(attention: Attention, context: Tensor) -> KeysValues:
    """Of a context (B, N, width)."""
    keys, values = attention.key_value(context).chunk(2, dim=-1)
    heads = attention.heads
    return (
        keys.unflatten(-1, (heads, -1)).transpose(1, 2),
        values.unflatten(-1, (heads, -1)).transpose(1, 2),
    )


def _attended(attention: Attention, x: Tensor, keys_values: KeysValues, mask: Tensor | None) -> Tensor:
    queries = attention.query(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
    found = F.scaled_dot_product_attention(queries, *keys_values, mask)
    return attention.out(found.transpose(1, 2).flatten(-2))
