# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of Guo et al. 2022 (HumanML3D) on embeddings, as MLD and MotionLCM report them.

Embeddings are rows: texts (N, D) and motions (N, D) of an evaluator network, row i of both from the same sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Indices = NDArray[np.integer]

GROUP = 32
"""Motions that a text is ranked against."""

TOP_K = 3
DIVERSITY_PAIRS = 300
MULTIMODALITY_PAIRS = 10


@dataclass(frozen=True)
class Estimate:
    """Mean of a metric over runs and the half width of its 95 % interval; None where there was one run only."""

    mean: float
    interval: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + ("" if self.interval is None else f" ±{self.interval:.3f}")


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 1.96 std / sqrt(n) of n runs; the deviation has ddof 0, as in the papers' code."""
    if len(values) == 0:
        raise ValueError("A metric without a single run has no mean.")
    spread = None if len(values) == 1 else float(1.96 * np.std(values) / np.sqrt(len(values)))
    return Estimate(float(np.mean(values)), spread)


def distances(texts: Array, motions: Array) -> Array:
    """Euclidean distances (N, M) from every text (N, D) to every motion (M, D), float64."""
    texts, motions = np.asarray(texts, dtype=float), np.asarray(motions, dtype=float)
    squared = (texts**2).sum(1)[:, None] + (motions**2).sum(1) - 2 * texts @ motions.T
    return np.sqrt(np.maximum(squared, 0.0))


def top_k_hits(group: Array, k: int = TOP_K) -> NDArray[np.bool_]:
    """Whether the own motion of each text is among the nearest 1..k: (G, k) from distances (G, G)."""
    order = np.argsort(group, axis=1)
    own = order[:, :k] == np.arange(len(group))[:, None]
    return np.cumsum(own, axis=1) > 0


def r_precision(texts: Array, motions: Array, groups: Indices, k: int = TOP_K) -> tuple[Array, float]:
    """R-precision top 1..k, shape (k,), and the matching score (MM-Dist) over groups.

    Parameters
    ----------
    groups : (n, 32) indices of samples; a text is ranked against the motions of its group.
    """
    hits, matched = np.zeros(k), 0.0
    for group in groups:
        table = distances(texts[group], motions[group])
        hits += top_k_hits(table, k).sum(axis=0)
        matched += float(np.trace(table))
    return hits / groups.size, matched / groups.size


def shuffled_groups(count: int, random: np.random.Generator, size: int = GROUP) -> Indices:
    """Indices (n, size) of all samples in random order; the last, incomplete group is dropped."""
    order = random.permutation(count)
    return order[: count // size * size].reshape(-1, size)


def distinct_groups(
    labels: Sequence[frozenset[str]], random: np.random.Generator, size: int = GROUP
) -> Indices:
    """Random groups (n, size) of samples no two of which share a label; samples that fit nowhere are left out.

    With a sample's captions as its labels no group holds two motions with an equal sentence. In sets where many clips
    share sentences a measured motion could otherwise not be told from its neighbours, and R-precision would measure
    the repetition of the captions.

    Raises
    ------
    ValueError
        If not even one group can be filled.
    """
    waiting = random.permutation(len(labels)).tolist()
    groups = []
    while len(waiting) >= size:
        taken: list[int] = []
        seen: set[str] = set()
        rest = []
        for index in waiting:
            if len(taken) < size and not (labels[index] & seen):
                taken.append(index)
                seen |= labels[index]
            else:
                rest.append(index)
        if len(taken) < size:
            break
        groups.append(taken)
        waiting = rest
    if not groups:
        raise ValueError(
            f"R-precision needs {size} samples with different captions in a group; there are {len(labels)} samples "
            "and too few different captions. Evaluate more windows."
        )
    return np.array(groups)


def fid(real: Array, generated: Array) -> float:
    """Fréchet distance between Gaussians fitted to two sets of embeddings (N, D), (M, D).

    |m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^½), covariances with ddof 1 (Heusel et al. 2017, eq. 6). The
    last term is the sum of the roots of the eigenvalues of C1^½ C2 C1^½, which is symmetric: it stays real and exact
    where the covariances have no full rank, unlike a matrix root of C1 C2.
    """
    real, generated = np.asarray(real, dtype=float), np.asarray(generated, dtype=float)
    if min(len(real), len(generated)) < 2:
        raise ValueError("FID needs at least two motions on both sides.")
    difference = real.mean(axis=0) - generated.mean(axis=0)
    one, two = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    crossed = np.linalg.eigvalsh(root @ two @ root)
    overlap = np.sqrt(np.maximum(crossed, 0.0)).sum()
    return float(difference @ difference + np.trace(one) + np.trace(two) - 2 * overlap)


def pairs(count: int, n_pairs: int, random: np.random.Generator) -> tuple[Indices, Indices]:
    """Two draws of ``n_pairs`` indices below ``count``, each without repetition; fewer where there are fewer."""
    n_pairs = min(n_pairs, count)
    return random.choice(count, n_pairs, replace=False), random.choice(count, n_pairs, replace=False)


def diversity(motions: Array, first: Indices, second: Indices) -> float:
    """Mean distance between the motions ``first`` and ``second`` of embeddings (N, D)."""
    motions = np.asarray(motions, dtype=float)
    return float(np.linalg.norm(motions[first] - motions[second], axis=-1).mean())


def multimodality(motions: Array, first: Indices, second: Indices) -> float:
    """Mean distance between samples of the same text: embeddings (texts, samples, D), pairs of samples."""
    motions = np.asarray(motions, dtype=float)
    return float(np.linalg.norm(motions[:, first] - motions[:, second], axis=-1).mean())


def mpjpe(joints: Array, target: Array, aligned: bool = True) -> Array:
    """Mean joint error of each frame (..., T) in metres; ``aligned`` takes the pelvis position off both."""
    if aligned:
        joints, target = joints - joints[..., :1, :], target - target[..., :1, :]
    return np.linalg.norm(joints - target, axis=-1).mean(axis=-1)


@dataclass(frozen=True)
class ControlErrors:
    """Errors of controlled joints, means over sequences (OmniControl's measures).

    Attributes
    ----------
    trajectory : by threshold in metres: share of sequences in which a controlled key is missed by more.
    location : by threshold: share of keys missed by more.
    average : mean distance in metres.
    """

    trajectory: dict[float, float]
    location: dict[float, float]
    average: float


def control_errors(
    joints: Sequence[Array],
    targets: Sequence[Array],
    masks: Sequence[NDArray[np.bool_]],
    thresholds: Sequence[float] = (0.2, 0.5),
) -> ControlErrors:
    """Compare joints (T, 22, 3) with targets of the same shape where masks (T, 22) are True; lists over sequences.

    Raises
    ------
    ValueError
        If a sequence has no controlled key.
    """
    errors = []
    for found, wanted, mask in zip(joints, targets, masks, strict=True):
        if not mask.any():
            raise ValueError("A sequence without a controlled joint has no control error.")
        errors.append(np.linalg.norm(found - wanted, axis=-1)[mask])
    return ControlErrors(
        {limit: float(np.mean([(e > limit).any() for e in errors])) for limit in thresholds},
        {limit: float(np.mean([(e > limit).mean() for e in errors])) for limit in thresholds},
        float(np.mean([e.mean() for e in errors])),
    )
