# SPDX-License-Identifier: GPL-3.0-or-later
"""The HumanML3D and KIT-ML folders as batches, cut the way the papers' loader cuts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from motion_engine.errors import EngineError
from motion_engine.formats.atomic import replacing
from motion_engine.import_checkpoint import read_stats
from motion_engine.runtime.torch.paper.text_folder import TextNetwork
from training.data.humanml3d import HumanML3D
from training.data.motion_set import Item
from training.paper.config import DataSection

Array = NDArray[np.floating]

SHOWN = 3
"""Skipped files that a sentence names."""


@dataclass
class PaperData:
    """Training items, not normalised, and the statistics that normalise them."""

    items: list[Item]
    mean: Array
    std: Array
    skipped: list[str]
    settings: DataSection

    @classmethod
    def read(cls, folder: Path, settings: DataSection) -> PaperData:
        """Read the training split, mirrored copies included.

        Raises
        ------
        ValueError, FileNotFoundError
            If the folder lacks a part, or no clip of it can be used; the sentence says why.
        """
        for part in ("new_joint_vecs", "texts"):
            if not (folder / part).is_dir():
                raise FileNotFoundError(
                    f"{folder / part} is missing: a HumanML3D folder has new_joint_vecs, texts and train.txt."
                )
        try:
            mean, std = read_stats(folder, settings.features)
        except EngineError as error:
            raise ValueError(str(error)) from error
        reader = HumanML3D(folder, settings.fps, settings.features, settings.shortest)
        items = list(reader.items("train", mirrored=True))
        if not items:
            shown = "; ".join(reader.skipped[:SHOWN])
            raise ValueError(
                f"{folder} has no clip with a caption that can be trained on"
                f" ({len(reader.skipped)} skipped: {shown or 'train.txt is empty'})."
            )
        return cls(items, mean, std, reader.skipped, settings)

    def steps_an_epoch(self, batch: int) -> int:
        """Batches that one pass over the items has; a last one that is not full is left out."""
        return max(len(self.items) // batch, 1)

    def batches(self, batch: int, vectors: SentenceVectors, first: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Endless batches from step ``first`` on: features (B, T, F), mask (B, T), sentence vectors (B, 1, width).

        Every pass is a permutation of the items. A clip is cut to a whole number of units, now and then to one less,
        from a random start, and one of its captions is drawn; all of it depends on the number of the step alone.
        """
        each, step = self.steps_an_epoch(batch), first
        while True:
            order = np.random.default_rng([0, step // each]).permutation(len(self.items))
            random = np.random.default_rng([1, step])
            begin = step % each * batch
            chosen = [self.items[i] for i in order[begin : begin + batch]]
            rows = [self._cut(item.features, random) for item in chosen]
            captions = [str(random.choice(item.captions)) for item in chosen]
            motion = torch.zeros(len(rows), max(len(row) for row in rows), self.settings.features)
            mask = torch.zeros(motion.shape[:2], dtype=torch.bool)
            for i, row in enumerate(rows):
                motion[i, : len(row)], mask[i, : len(row)] = torch.from_numpy(row), True
            yield motion, mask, vectors.of(captions)
            step += 1

    def _cut(self, rows: Array, random: np.random.Generator) -> Array:
        settings = self.settings
        units = min(len(rows), settings.longest) // settings.unit
        if units > 1 and random.random() < settings.unit_drop:
            units -= 1
        length = units * settings.unit
        start = int(random.integers(0, len(rows) - length + 1))
        return (rows[start : start + length] - self.mean) / self.std


class SentenceVectors:
    """Vectors of all captions and of the empty one, computed once and kept in ``cache``."""

    def __init__(self, captions: Sequence[str], text: TextNetwork, cache: Path, device: torch.device) -> None:
        wanted = sorted({"", *captions})
        known: dict[str, Array] = {}
        if cache.exists():
            with np.load(cache, allow_pickle=False) as stored:
                if stored["vectors"].shape[1:] == (text.width,) and str(stored["kind"]) == text.kind:
                    known = dict(zip(stored["captions"].tolist(), stored["vectors"], strict=True))
        missing = [caption for caption in wanted if caption not in known]
        if missing:
            encode = _encoder(text, device)
            for caption in tqdm(missing, desc="captions", mininterval=5):
                known[caption] = encode(caption)
            text.module.cpu()
            with replacing(cache) as file:
                np.savez(
                    file,
                    kind=text.kind,
                    captions=np.array(wanted),
                    vectors=np.stack([known[caption] for caption in wanted]),
                )
        self._vectors = {caption: torch.from_numpy(known[caption]) for caption in wanted}

    def of(self, captions: Sequence[str]) -> Tensor:
        """(B, 1, width): each sentence as a sequence of one token."""
        return torch.stack([self._vectors[caption] for caption in captions])[:, None]

    @property
    def empty(self) -> Tensor:
        """(1, 1, width) of the empty caption."""
        return self.of([""])


def _encoder(text: TextNetwork, device: torch.device) -> Callable[[str], Array]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(text.max_tokens)
    module: nn.Module = text.module.to(device)

    @torch.inference_mode()
    def encode(caption: str) -> Array:
        ids = torch.tensor([tokenizer.encode(caption).ids], device=device)
        vector: Tensor = module(ids)[0]
        return vector.float().cpu().numpy()

    return encode
