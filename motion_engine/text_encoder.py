# SPDX-License-Identifier: GPL-3.0-or-later
"""From a prompt to token features, with the shipped all-MiniLM-L6-v2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine.errors import EngineError
from motion_engine.runtime.onnx import OnnxNetwork

Array = NDArray[np.floating]


class TextEncoder:
    """Tokenizer and network of a folder with ``model.onnx``, ``tokenizer.json`` and ``manifest.json``."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        from tokenizers import Tokenizer

        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception
            raise EngineError(
                "broken_text_encoder",
                f"The text encoder in {folder} cannot be read: {error}.",
                "Install the bundle again.",
            ) from error
        self.name: str = manifest["name"]
        self.width: int = manifest["width"]
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest["max_tokens"])
        # the text runs on the CPU whatever the device: it takes milliseconds and saves a transfer
        self._network = OnnxNetwork(
            folder / "model.onnx", providers=["CPUExecutionProvider"], threads=threads
        )

    def encode(self, text: str) -> tuple[Array, Array]:
        """Token features (S, width) and the unit sentence vector (width,), float32."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        tokens, sentence = self._network({"ids": ids})
        return tokens[0], sentence[0]
