# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions found by sentences and sentences by motions: R@k and the median rank, as in TMR (Petrovich et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate import metrics
from training.evaluate.held_out import HeldOut, label_of
from training.evaluate.metrics import Estimate, estimate
from training.evaluate.own_evaluator import Evaluator

Array = NDArray[np.floating]
Flags = NDArray[np.bool_]

RECALLS = (1, 3, 5, 10)
DRAWS = 4
"""Of the captions of the windows; captions of a set are mostly four."""

RUNS = 20

WHOLE, SHARED, GROUPS = "whole split", "whole split, an equal sentence is right too", "groups of 32"


@dataclass(frozen=True)
class Retrieval:
    """R@k in per cent by k, and the median rank (1 is best)."""

    recall: dict[int, Estimate]
    median_rank: Estimate

    def as_json(self) -> dict[str, Any]:
        """Means and intervals by column."""
        found = {f"r{k}": [value.mean, value.interval] for k, value in self.recall.items()}
        return {**found, "median_rank": [self.median_rank.mean, self.median_rank.interval]}


def ranks(table: Array, right: Flags) -> Array:
    """Rank of the nearest right answer of every question, from distances (Q, A) and what is right (Q, A).

    Of wrong answers at the same distance half come before it: where everything is at one point a rank is that of
    guessing. Every question needs a right answer.
    """
    best = np.where(right, table, np.inf).min(axis=1, keepdims=True)
    wrong = ~right
    before = (wrong & (table < best)).sum(axis=1)
    beside = (wrong & (table == best)).sum(axis=1)
    return 1 + before + beside / 2


def both_ways(texts: Array, motions: Array, right: Flags) -> tuple[Array, Array]:
    """Ranks (N,) of text to motion and of motion to text; ``right`` (N, N) has texts in rows."""
    table = metrics.distances(texts, motions)
    return ranks(table, right), ranks(table.T, right.T)


def equal_sentences(captions: Sequence[str], labels: Sequence[frozenset[str]]) -> Flags:
    """(N, N): whether sentence i is among the captions of window j."""
    sentences = [next(iter(label_of([caption]))) for caption in captions]
    return np.array([[sentence in label for label in labels] for sentence in sentences])


def retrieval(
    space: Evaluator, held_out: HeldOut, draws: int = DRAWS, runs: int = RUNS
) -> dict[str, dict[str, Retrieval]]:
    """Scores of a space on held-out windows, by protocol and then by direction.

    Over the whole split a sentence is right for its own window alone, or, in the second protocol, for all that have
    it as a caption: many clips of a set share sentences. Groups of 32 never hold two windows that share one; their
    median rank is the mean over groups. Means and intervals are over draws of one caption a window, in groups over
    runs that also draw groups anew. Groups are left out where the windows do not fill one.
    """
    motions = space.embed_motions(held_out.motions)
    labels = held_out.labels()
    drawn = [held_out.captions(draw) for draw in range(draws)]
    texts = [space.embed_texts(captions) for captions in drawn]
    own = np.eye(len(motions), dtype=bool)
    found = {
        WHOLE: _summary([[pair] for pair in (both_ways(rows, motions, own) for rows in texts)]),
        SHARED: _summary(
            [
                [both_ways(rows, motions, equal_sentences(captions, labels))]
                for rows, captions in zip(texts, drawn, strict=True)
            ]
        ),
    }
    random = np.random.default_rng(0)
    grouped = []
    try:
        for run in range(runs):
            rows = texts[run % draws]
            grouped.append(
                [
                    both_ways(rows[group], motions[group], np.eye(len(group), dtype=bool))
                    for group in metrics.distinct_groups(labels, random)
                ]
            )
    except ValueError:
        return found
    return {**found, GROUPS: _summary(grouped)}


def _summary(runs: Sequence[Sequence[tuple[Array, Array]]]) -> dict[str, Retrieval]:
    """From the ranks both ways of each group of each run."""
    made = {}
    for side, name in enumerate(("text to motion", "motion to text")):
        every = [np.concatenate([group[side] for group in run]) for run in runs]
        made[name] = Retrieval(
            {k: estimate([100 * float((found <= k).mean()) for found in every]) for k in RECALLS},
            estimate([float(np.mean([np.median(group[side]) for group in run])) for run in runs]),
        )
    return made
