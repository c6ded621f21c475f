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


class Cider:
    """CIDEr-D of captions against the clips of a set.

    Equation 3 of the paper with the clipping, the Gaussian penalty and the factor of its section 5 (CIDEr-D). How rare
    an n-gram is follows from the references given: the number of clips of which some reference has it.

    Parameters
    ----------
    references : words of the references of each clip, one or more.

    Raises
    ------
    ValueError
        If a clip has no reference.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]]) -> None:
        if any(len(several) == 0 for several in references):
            raise ValueError("A clip without a reference has no CIDEr.")
        counted = [[_ngrams(words) for words in several] for several in references]
        self._seen: Counter[Ngram] = Counter()
        for clip in counted:
            self._seen.update(set().union(*clip))
        self._clips = math.log(len(counted)) if counted else 0.0
        self._references = [
            [(self._weighted(counts), len(words)) for counts, words in zip(owned, several, strict=True)]
            for owned, several in zip(counted, references, strict=True)
        ]

    def score(self, words: Sequence[str], clip: int) -> float:
        """Of a caption of clip number ``clip``, 0 to 10."""
        made = self._weighted(_ngrams(words))
        alike = [
            _similarity(made, wanted) * _penalty(len(words), length)
            for wanted, length in self._references[clip]
        ]
        return SCALE * float(np.mean(alike))

    def _weighted(self, counts: Mapping[Ngram, int]) -> Vector:
        vector: Vector = [{} for _ in range(ORDERS)]
        for ngram, count in counts.items():
            rarity = self._clips - math.log(max(1.0, self._seen[ngram]))
            vector[len(ngram) - 1][ngram] = count * rarity
        return vector


def cider(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """CIDEr-D of one caption a clip, against the references of all; that of a set is their mean. See `Cider`."""
    if len(captions) != len(references):
        raise ValueError(f"{len(captions)} captions cannot be scored against {len(references)} clips.")
    scorer = Cider(references)
    return [scorer.score(words, clip) for clip, words in enumerate(captions)]


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
