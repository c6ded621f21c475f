# SPDX-License-Identifier: GPL-3.0-or-later
"""From a prompt to token features: the shipped all-MiniLM-L6-v2, or the encoder that an imported bundle brings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle import Bundle, text_encoder_dir
from motion_engine.errors import EngineError
from motion_engine.runtime.onnx import OnnxNetwork

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Array = NDArray[np.floating]

TOKENIZER = "tokenizer.json"
SENTENCE_NETWORK = "text_encoder.onnx"
"""File of a bundle whose text encoder is its own."""


class TextEncoder:
    """Tokenizer and network of a folder with ``model.onnx``, ``tokenizer.json`` and ``manifest.json``."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _broken(folder, error) from error
        self.name: str = manifest["name"]
        self.width: int = manifest["width"]
        self._tokenizer = _tokenizer(folder / TOKENIZER, manifest["max_tokens"])
        self._network = _network(folder / "model.onnx", threads)

    def encode(self, text: str) -> tuple[Array, Array]:
        """Token features (S, width) and the unit sentence vector (width,), float32."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        tokens, sentence = self._network({"ids": ids})
        return tokens[0], sentence[0]

    def encode_tokens(self, texts: Sequence[str]) -> list[Array]:
        """Token features (S, width) of each text; those of one length run together, as the network knows no padding."""
        ids = [self._tokenizer.encode(text).ids for text in texts]
        found: list[Array] = [np.zeros((0, self.width), dtype=np.float32)] * len(texts)
        for length in {len(numbers) for numbers in ids}:
            rows = [row for row, numbers in enumerate(ids) if len(numbers) == length]
            tokens = self._network({"ids": np.array([ids[row] for row in rows], dtype=np.int64)})[0]
            for row, features in zip(rows, tokens, strict=True):
                found[row] = np.asarray(features, dtype=np.float32)
        return found


class SentenceEncoder:
    """The papers' text encoder inside a bundle: one vector a sentence, read by the networks as a single token."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.name: str = bundle.manifest["text_encoder"]
        self._tokenizer = _tokenizer(bundle.file(TOKENIZER), bundle.manifest["max_tokens"])
        self._network = _network(bundle.file(SENTENCE_NETWORK), threads)

    def encode(self, text: str) -> tuple[Array, Array]:
        """The sentence as one token (1, width), and as a vector (width,), float32."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        sentence = np.asarray(self._network({"ids": ids})[0], dtype=np.float32)
        return sentence, sentence[0]

    def encode_tokens(self, texts: Sequence[str]) -> list[Array]:
        """The sentence as one token (1, width), of each text."""
        return [self.encode(text)[0] for text in texts]


def text_encoder_for(bundle: Bundle, threads: int | None = None) -> TextEncoder | SentenceEncoder:
    """The encoder that a bundle brings along, else the shipped one that it names.

    Raises
    ------
    EngineError
        If it is missing or damaged.
    """
    if SENTENCE_NETWORK in bundle.files:
        return SentenceEncoder(bundle, threads)
    return TextEncoder(text_encoder_dir(bundle.manifest["text_encoder"]), threads)


def _tokenizer(file: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise _broken(file.parent, error) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _network(file: Path, threads: int | None) -> OnnxNetwork:
    # the text runs on the CPU whatever the device: it takes milliseconds and saves a transfer
    return OnnxNetwork(file, providers=["CPUExecutionProvider"], threads=threads)


def _broken(folder: Path, error: Exception) -> EngineError:
    return EngineError(
        "broken_text_encoder",
        f"The text encoder in {folder} cannot be read: {error}.",
        "Install the bundle again.",
    )
