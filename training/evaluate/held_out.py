# SPDX-License-Identifier: GPL-3.0-or-later
"""Captioned windows with their measured motions: what a model is compared with."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from motion_engine.motion import Motion
from training.data.motion_set import MotionSet, Window, window_motion

SHORTEST, LONGEST = 8, 196
"""Frames: shorter windows are left out, longer ones cut."""


def windows_of(motion_set: MotionSet, split: str, longest: int = LONGEST) -> list[tuple[Window, Motion]]:
    """Captioned windows of a split with their measured motions, cut to ``longest`` frames.

    Windows without a caption or of fewer than eight frames are left out.
    """
    found = []
    for window in motion_set.windows:
        if window.split != split or not window.captions:
            continue
        motion = window_motion(motion_set, window)
        if motion.n_frames > longest:
            motion = motion.trim(0.0, longest / motion.fps)
        if motion.n_frames >= SHORTEST:
            found.append((window, motion))
    return found


def label_of(captions: Sequence[str]) -> frozenset[str]:
    """What a group of R-precision must not hold twice: the sentences of a clip, without capitals and stops."""
    return frozenset(re.sub(r"[^a-z0-9 ]", "", caption.lower()).strip() for caption in captions)


@dataclass(frozen=True)
class HeldOut:
    """The windows that a report looks at, with their measured motions."""

    windows: list[Window]
    motions: list[Motion]

    @classmethod
    def choose(
        cls,
        motion_set: MotionSet,
        sources: Collection[str] = (),
        samples: int | None = None,
        shortest: int = SHORTEST,
        longest: int = LONGEST,
        split: str = "test",
    ) -> HeldOut:
        """Windows of a split; ``samples`` of them, taken in turn from the sources, or all.

        Raises
        ------
        ValueError
            If there is no such window.
        """
        found = [
            (window, motion)
            for window, motion in windows_of(motion_set, split, longest)
            if (not sources or window.source in sources) and motion.n_frames >= shortest
        ]
        if samples is not None and samples < len(found):
            random = np.random.default_rng(0)
            shuffled = [found[i] for i in random.permutation(len(found))]
            names = sorted({window.source for window, _ in found})
            by_source = [[pair for pair in shuffled if pair[0].source == name] for name in names]
            found = [pair for turn in zip_longest(*by_source) for pair in turn if pair is not None][:samples]
        if not found:
            among = f" of the sources {', '.join(sorted(sources))}" if sources else ""
            raise ValueError(f"The set has no captioned windows in the split {split}{among}.")
        return cls([window for window, _ in found], [motion for _, motion in found])

    def captions(self, draw: int) -> list[str]:
        """One caption a window; another draw chooses others."""
        random = np.random.default_rng((1, draw))
        return [str(random.choice(window.captions)) for window in self.windows]

    def labels(self) -> list[frozenset[str]]:
        """See `label_of`."""
        return [label_of(window.captions) for window in self.windows]
