# SPDX-License-Identifier: GPL-3.0-or-later
"""How much more often an item is drawn because few others show what it shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 6.0
"""Times the mean of its source that an item is drawn at most."""

_WORD = re.compile(r"[a-z]+")
_SUBJECTS = frozenset(
    (
        "a",
        "an",
        "the",
        "some",
        "this",
        "man",
        "woman",
        "person",
        "someone",
        "somebody",
        "figure",
        "human",
        "one",
    )
)


def rarity_weights(captions: Sequence[str], sources: Sequence[str], exponent: float) -> NDArray[np.floating]:
    """Weights (n,) with mean 1 in each source: the rarest word of a caption decides.

    A word that stands in f captions weighs ``f ** -exponent``. "Jab" stands in a handful of captions, "walks" in
    thousands; without this, acts that were recorded once or twice are never learned.

    Parameters
    ----------
    captions : the short caption of each item, which names the act and little else.
    sources : where each item comes from.
    exponent : 0 for no difference, 0.5 for the square root.
    """
    words = [set(_WORD.findall(caption.lower())) - _SUBJECTS for caption in captions]
    frequency = Counter(word for found in words for word in found)
    rarest = np.array([min((frequency[word] for word in found), default=len(words)) for found in words])
    weights = np.maximum(rarest, 1.0) ** -exponent
    names = np.asarray(sources)
    for source in set(sources):
        here = names == source
        weights[here] = np.minimum(weights[here] / weights[here].mean(), MOST)
        weights[here] /= weights[here].mean()
    return weights
