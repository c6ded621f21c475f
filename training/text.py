# SPDX-License-Identifier: GPL-3.0-or-later
"""Token features of captions, computed once with the text encoder that the engine runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from motion_engine.bundle import text_encoder_dir
from motion_engine.formats.atomic import replacing
from motion_engine.text_encoder import TextEncoder

Array = NDArray[np.floating]


class CaptionFeatures:
    """Features (S, width) of each caption, in half precision, and of the empty prompt."""

    def __init__(self, captions: Iterable[str], encoder: str, cache: Path) -> None:
        wanted = sorted({"", *captions})
        known: dict[str, Array] = {}
        if cache.exists():
            with np.load(cache, allow_pickle=False) as data:
                ends = np.cumsum(data["lengths"])
                pieces = np.split(data["features"], ends[:-1])
                known = dict(zip(data["captions"].tolist(), pieces, strict=True))
        missing = [caption for caption in wanted if caption not in known]
        if missing:
            text_encoder = TextEncoder(text_encoder_dir(encoder))
            for caption in tqdm(missing, desc="captions", mininterval=5):
                known[caption] = text_encoder.encode(caption)[0].astype(np.float16)
            with replacing(cache) as file:
                np.savez(
                    file,
                    captions=np.array(wanted),
                    lengths=np.array([len(known[caption]) for caption in wanted]),
                    features=np.concatenate([known[caption] for caption in wanted]),
                )
        self._features = {caption: torch.from_numpy(known[caption]) for caption in wanted}

    def batch(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Features (B, S, width) float32 padded with zeros, and the mask (B, S) of real tokens."""
        rows = [self._features[caption] for caption in captions]
        text = torch.zeros(len(rows), max(len(row) for row in rows), rows[0].shape[1])
        mask = torch.zeros(text.shape[:2], dtype=torch.bool)
        for i, row in enumerate(rows):
            text[i, : len(row)], mask[i, : len(row)] = row, True
        return text, mask
