# SPDX-License-Identifier: GPL-3.0-or-later
"""Do measured clips do what `motion_engine.expected` reads out of the captions that people gave them?

A rule is of use where clips meet what their own captions say, and clips of other captions do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from motion_engine.expected import expectations
from motion_engine.kinematics import kinematics
from training.data.motion_set import MotionSet, window_motion

EVERY = "all"


@dataclass(frozen=True)
class Agreement:
    """How often a thing is said, the share of clips that do it, and that of clips drawn at random."""

    name: str
    said: int
    met: float
    by_chance: float


def agreement(motion_set: MotionSet, splits: Iterable[str], seed: int = 0) -> list[Agreement]:
    """One row for everything that captions of the windows say, the commonest first, and one for all of it.

    Raises
    ------
    ValueError
        If no caption of these windows says anything that can be measured.
    """
    windows = [window for window in motion_set.windows if window.split in set(splits)]
    measured = [kinematics(window_motion(motion_set, window)) for window in windows]
    random = np.random.default_rng(seed)
    own: dict[str, list[bool]] = defaultdict(list)
    others: dict[str, list[bool]] = defaultdict(list)
    for window, measures in zip(windows, measured, strict=True):
        for caption in window.captions:
            for expected in expectations(caption):
                other = measured[int(random.integers(len(measured)))]
                for name in (expected.name, EVERY):
                    own[name].append(expected.met(measures))
                    others[name].append(expected.met(other))
    if not own:
        raise ValueError("No caption of these windows says anything that can be measured.")
    rows = [
        Agreement(name, len(met), float(np.mean(met)), float(np.mean(others[name])))
        for name, met in own.items()
    ]
    return sorted(rows, key=lambda row: (row.name == EVERY, -row.said))


def agreement_table(rows: Iterable[Agreement], least: int = 1) -> str:
    """Rows that are said ``least`` times, in Markdown; shares in per cent."""
    lines = ["| said | times | met by its clip | by another clip |", "|---|---|---|---|"]
    lines += [
        f"| {row.name} | {row.said} | {100 * row.met:.0f} | {100 * row.by_chance:.0f} |"
        for row in rows
        if row.said >= least
    ]
    return "\n".join(lines)
