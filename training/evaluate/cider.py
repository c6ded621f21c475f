# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDEr-D (Vedantam et al. 2015): how much a caption says that people say of this clip and not of every clip.

The packages that have it bring a hundred megabytes of Java or pin numpy to an old version. The figures are those of
pycocoevalcap, which the papers' numbers come from; the tests hold some of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

ORDERS = 4
SIGMA = 6.0
"""Of the penalty for another length, in words."""

SCALE = 10.0
"""The factor that CIDEr-D has by definition; tables print the score times 100 on top of it."""

Ngram = tuple[str, ...]
Vector = list[dict[Ngram, float]]


def cider(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """CIDEr-D of every caption, 0 to 10; that of a set is their mean.

    Equation 3 of the paper with the clipping, the Gaussian penalty and the factor of its section 5 (CIDEr-D). How rare
    an n-gram is follows from the references given: the number of clips of which some reference has it.

    Parameters
    ----------
    captions : words of one caption a clip.
    references : words of the references of each clip, one or more.

    Raises
    ------
    ValueError
        If a clip has no reference.
    """
    if any(len(several) == 0 for several in references):
        raise ValueError("A clip without a reference has no CIDEr.")
    counted = [[_ngrams(words) for words in several] for several in references]
    seen: Counter[Ngram] = Counter()
    for several in counted:
        seen.update(set().union(*several))
    clips = math.log(len(counted)) if counted else 0.0

    def weighted(counts: Mapping[Ngram, int]) -> Vector:
        vector: Vector = [{} for _ in range(ORDERS)]
        for ngram, count in counts.items():
            vector[len(ngram) - 1][ngram] = count * (clips - math.log(max(1.0, seen[ngram])))
        return vector

    scores = []
    for words, several, owned in zip(captions, references, counted, strict=True):
        made = weighted(_ngrams(words))
        alike = [
            _similarity(made, weighted(counts)) * _penalty(len(words), len(reference))
            for reference, counts in zip(several, owned, strict=True)
        ]
        scores.append(SCALE * float(np.mean(alike)))
    return scores


def _ngrams(words: Sequence[str]) -> Counter[Ngram]:
    """Counts of the n-grams of one to four words."""
    return Counter(
        tuple(words[start : start + n]) for n in range(1, ORDERS + 1) for start in range(len(words) - n + 1)
    )


def _similarity(made: Vector, wanted: Vector) -> float:
    """Mean over n of the cosine, with the caption's weights clipped to those of the reference."""
    total = 0.0
    for one, other in zip(made, wanted, strict=True):
        norm = math.sqrt(sum(value**2 for value in one.values()) * sum(value**2 for value in other.values()))
        if norm > 0.0:
            total += sum(min(one[key], other[key]) * other[key] for key in one.keys() & other.keys()) / norm
    return total / ORDERS


def _penalty(length: int, wanted: int) -> float:
    """Of two lengths in words; counted in pairs of words as pycocoevalcap does, so that one word is as long as none."""
    difference = max(length - 1, 0) - max(wanted - 1, 0)
    return math.exp(-(difference**2) / (2 * SIGMA**2))
