# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the caption side: the pieces of the text encoder's tokenizer that the captions are made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from motion_engine.bundle import text_encoder_dir
from motion_engine.formats.atomic import replacing
from motion_engine.runtime.torch.captioner import END, MAX_WORDS, PAD, START

SPECIAL = ("<pad>", "<start>", "<end>")
NAME = "words.json"


class Vocabulary:
    """Word pieces by index; the first three are `SPECIAL`, a piece with ``##`` continues the word before it.

    Parameters
    ----------
    words : all of them, in order.
    encoder : name of the text encoder whose tokenizer cuts sentences into pieces.
    """

    def __init__(self, words: Sequence[str], encoder: str) -> None:
        if tuple(words[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"A vocabulary begins with {', '.join(SPECIAL)}.")
        self.words = tuple(words)
        self._index = {word: index for index, word in enumerate(words)}
        self._tokenizer = tokenizer_of(encoder)

    @classmethod
    def of(cls, captions: Iterable[str], encoder: str) -> Vocabulary:
        """From all pieces of ``captions``, frequent ones first."""
        tokenizer = tokenizer_of(encoder)
        counts = Counter(
            piece
            for caption in captions
            for piece in tokenizer.encode(caption, add_special_tokens=False).tokens
        )
        pieces = sorted(counts, key=lambda piece: (-counts[piece], piece))
        return cls((*SPECIAL, *pieces), encoder)

    @classmethod
    def load(cls, folder: Path, encoder: str) -> Vocabulary:
        """``words.json`` of a run."""
        return cls(json.loads((folder / NAME).read_text(encoding="utf-8")), encoder)

    def save(self, folder: Path) -> None:
        """Write ``words.json``."""
        with replacing(folder / NAME) as file:
            file.write(json.dumps(self.words, ensure_ascii=False).encode("utf-8"))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: str) -> list[int]:
        """Indices, framed by start and end; pieces that are not in the vocabulary are left out, long sentences cut."""
        pieces = self._tokenizer.encode(sentence, add_special_tokens=False).tokens
        known = [self._index[piece] for piece in pieces if piece in self._index]
        return [START, *known[: MAX_WORDS - 2], END]

    def batch(self, sentences: Sequence[str]) -> Tensor:
        """(B, N) int64, padded behind the end."""
        rows = [self.encode(sentence) for sentence in sentences]
        padded = torch.full((len(rows), max(map(len, rows))), PAD, dtype=torch.int64)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = torch.tensor(row)
        return padded


def tokenizer_of(encoder: str) -> Tokenizer:
    """The tokenizer of a shipped text encoder, without padding and limits."""
    tokenizer = Tokenizer.from_file(str(text_encoder_dir(encoder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
