# SPDX-License-Identifier: GPL-3.0-or-later
"""The simplest captioner: what people said of the training window that moves most alike.

A captioner that is no better has learned nothing beyond looking things up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from motion_engine.motion import Motion
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.evaluate import metrics
from training.evaluate.caption_sets import Spoken
from training.evaluate.held_out import LONGEST, windows_of

Array = NDArray[np.floating]
Embed = Callable[[Sequence[Motion]], Array]
"""Motions to rows (N, D) of a space in which those that are alike are near each other."""

ALTERNATIVES = 4


class NearestCaption:
    """A `Captioner` that looks up the nearest of known motions.

    Parameters
    ----------
    embed : motions to the space that nearness is meant in; Euclidean, which for unit vectors orders as the cosine.
    motions : the known motions.
    captions : one sentence of each.
    """

    def __init__(self, embed: Embed, motions: Sequence[Motion], captions: Sequence[str]) -> None:
        if not motions:
            raise ValueError("The nearest neighbour needs training windows with captions; the set has none.")
        self._embed = embed
        self._known = embed(motions)
        self._captions = list(captions)

    @classmethod
    def of_set(cls, embed: Embed, motion_set: MotionSet, longest: int = LONGEST) -> NearestCaption:
        """Of the training windows and their mirror images; of each its first caption.

        Captioners are trained on mirror images as well.
        """
        motions, captions = [], []
        for window, motion in windows_of(motion_set, "train", longest):
            motions += [motion, motion.mirrored()]
            captions += [window.captions[0], mirror_caption(window.captions[0])]
        return cls(embed, motions, captions)

    def __call__(self, motions: Sequence[Motion]) -> list[Spoken]:
        """Of each motion the caption of the nearest window, and those of the next ones."""
        found: list[Spoken] = []
        for row in metrics.distances(self._embed(motions), self._known):
            said: dict[str, None] = {}
            for index in np.argsort(row, kind="stable"):
                said.setdefault(self._captions[index])
                if len(said) > ALTERNATIVES:
                    break
            first, *others = said
            found.append((first, others))
        return found
