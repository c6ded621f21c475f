# SPDX-License-Identifier: GPL-3.0-or-later
"""The row of a table: every metric of one model under one evaluator, over repeated runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate import metrics
from training.evaluate.metrics import Estimate, estimate

Array = NDArray[np.floating]

RUNS = 20


@dataclass(frozen=True)
class RowScores:
    """R-precision top 1..3, FID, MM-Dist, Diversity, MultiModality; None where a row has no such figure."""

    r_precision: tuple[Estimate, Estimate, Estimate] | None
    fid: Estimate | None
    mm_dist: Estimate | None
    diversity: Estimate
    multimodality: Estimate | None

    def as_json(self) -> dict[str, Any]:
        """Means and intervals by column."""

        def pair(value: Estimate | None) -> list[float | None] | None:
            return None if value is None else [value.mean, value.interval]

        precision = self.r_precision or (None, None, None)
        return {
            **{f"r{k}": pair(value) for k, value in enumerate(precision, 1)},
            "fid": pair(self.fid),
            "mm_dist": pair(self.mm_dist),
            "diversity": pair(self.diversity),
            "multimodality": pair(self.multimodality),
        }


def score_row(
    real: Array,
    sets: Sequence[tuple[Array, Array]],
    labels: Sequence[frozenset[str]],
    *,
    is_real: bool = False,
    repeated: Array | None = None,
    runs: int = RUNS,
) -> RowScores:
    """All metrics of one row.

    Every run draws groups and pairs anew and takes the next of the generated sets in turn. FID does not depend on
    groups: its interval is over the generated sets alone, and there is none where there is one set.

    Parameters
    ----------
    real : (N, D) embeddings of the measured motions.
    sets : for each generated set the embeddings (N, D) of motions and of their captions.
    labels : captions of each window; no two windows of a group share one.
    is_real : the row of the measured motions: its FID against itself says nothing and is left out.
    repeated : (texts, samples, D) embeddings of several motions a text, for MultiModality.
    """
    random = np.random.default_rng(0)
    rows, spread, modes = [], [], []
    for run in range(runs):
        motions, texts = sets[run % len(sets)]
        try:
            groups = metrics.distinct_groups(labels, random)
        except ValueError:
            groups = None
        if groups is not None:
            precision, matching = metrics.r_precision(texts, motions, groups)
            rows.append([*precision, matching])
        spread.append(
            metrics.diversity(motions, *metrics.pairs(len(motions), metrics.DIVERSITY_PAIRS, random))
        )
        if repeated is not None:
            drawn = metrics.pairs(repeated.shape[1], metrics.MULTIMODALITY_PAIRS, random)
            modes.append(metrics.multimodality(repeated, *drawn))
    columns = [estimate([row[i] for row in rows]) for i in range(4)] if rows else None
    return RowScores(
        (columns[0], columns[1], columns[2]) if columns else None,
        None if is_real else estimate([metrics.fid(real, motions) for motions, _ in sets]),
        columns[3] if columns else None,
        estimate(spread),
        estimate(modes) if modes else None,
    )


def fid_floor(real: Array, runs: int = RUNS) -> Estimate:
    """FID of one random half of the measured motions against the other: what the number of windows alone makes."""
    random = np.random.default_rng(0)
    values = []
    for _ in range(runs):
        order = random.permutation(len(real))
        half = len(real) // 2
        values.append(metrics.fid(real[order[:half]], real[order[half : 2 * half]]))
    return estimate(values)
