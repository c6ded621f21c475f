# SPDX-License-Identifier: GPL-3.0-or-later
"""Normalisation and balanced sampling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion_engine import features
from motion_engine.formats.atomic import replacing
from training.config import DataConfig
from training.data.motion_set import Item

Array = NDArray[np.floating]

_GROUPS = (
    features.YAW_VELOCITY, features.ROOT_VELOCITY, features.ROOT_HEIGHT, features.JOINTS, features.ROTATIONS,
    features.VELOCITIES, features.CONTACTS,
)  # fmt: skip


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation (263,), the latter averaged inside each group of features as HumanML3D does."""

    mean: Array
    std: Array

    @classmethod
    def fit(cls, items: Sequence[Item]) -> Normaliser:
        """From all frames of ``items``."""
        rows = np.concatenate([item.features for item in items])
        std = rows.std(axis=0)
        for group in _GROUPS:
            std[group] = std[group].mean()
        return cls(rows.mean(axis=0).astype(np.float32), np.maximum(std, 1e-6).astype(np.float32))

    def save(self, path: Path) -> None:
        """``mean`` and ``std`` in one ``.npz``."""
        with replacing(path) as file:
            np.savez(file, mean=self.mean, std=self.std)

    @classmethod
    def load(cls, path: Path) -> Normaliser:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(data["mean"], data["std"])

    def apply(self, rows: Array) -> Array:
        """Normalised features."""
        return (rows - self.mean) / self.std


class BalancedSampler:
    """Draws items so that each source gets its share, whatever its size.

    Parameters
    ----------
    weights : (n,) how often each item is drawn beside the others of its source, with mean 1 in each; all alike when
        left out.
    """

    def __init__(
        self, sources: Sequence[str], shares: Mapping[str, float], weights: Array | None = None
    ) -> None:
        counts = {source: sources.count(source) for source in set(sources)}
        share = np.array([shares.get(source, 1.0 / len(counts)) / counts[source] for source in sources])
        weights = share if weights is None else share * weights
        self._cumulative = np.cumsum(weights / weights.sum())

    def draw(self, count: int, random: np.random.Generator) -> NDArray[np.integer]:
        """Indices of ``count`` items."""
        drawn = np.searchsorted(self._cumulative, random.random(count))
        return np.minimum(drawn, len(self._cumulative) - 1)


def change_tempo(rows: Array, factor: float) -> Array:
    """Features (T, 263) played ``factor`` times as fast: resampled along time, with velocities to match.

    Linear in all numbers: for the few percent of a tempo jitter the 6D rotations stay close to orthogonal, and
    decoding makes them so.
    """
    count = max(round((len(rows) - 1) / factor), 1) + 1
    time = np.linspace(0, len(rows) - 1, count)
    left = np.minimum(time.astype(int), max(len(rows) - 2, 0))
    right = np.minimum(left + 1, len(rows) - 1)
    share = (time - left)[:, None].astype(rows.dtype)
    out = rows[left] * (1 - share) + rows[right] * share
    for part in (features.YAW_VELOCITY, features.ROOT_VELOCITY, features.VELOCITIES):
        out[:, part] *= factor
    out[:, features.CONTACTS] = rows[np.round(time).astype(int)][:, features.CONTACTS]
    return out


def crops(
    items: Sequence[Item], normaliser: Normaliser, data: DataConfig, batch: int, length: int, first: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of random crops: normalised features (B, length, 263) and the mask (B, length) of real frames.

    Each crop is played up to ``data.tempo_jitter`` faster or slower. Shorter items are continued with their last frame
    and masked there. Counted from ``first``, batch i is the same in every run.
    """
    sampler = BalancedSampler([item.source for item in items], data.shares)
    for number in itertools.count(first):
        random = np.random.default_rng((0, number))
        out = np.empty((batch, length, features.N_FEATURES), dtype=np.float32)
        mask = np.zeros((batch, length), dtype=bool)
        for i, index in enumerate(sampler.draw(batch, random)):
            item = items[index].features
            factor = 1 + data.tempo_jitter * random.uniform(-1, 1)
            wanted = round((length - 1) * factor) + 1
            start = random.integers(0, max(len(item) - wanted, 0) + 1)
            part = change_tempo(item[start : start + wanted], factor)[:length]
            out[i, : len(part)], out[i, len(part) :] = part, part[-1]
            mask[i, : len(part)] = True
        yield torch.from_numpy(normaliser.apply(out)), torch.from_numpy(mask)
