# SPDX-License-Identifier: GPL-3.0-or-later
"""Are the expectations of the prompt suite fair? Real windows with such captions have to meet them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.data.motion_set import MotionSet, Window, window_motion
from training.prompt_suite import Prompt, Row, measure, parts_of, score_motions


@dataclass(frozen=True)
class Fairness:
    """How real windows do on a prompt's expectations; ``windows`` names them in the order of ``row.passed``."""

    row: Row
    windows: tuple[str, ...]


def windows_like(prompt: Prompt, windows: Sequence[Window]) -> list[Window]:
    """Windows one of whose captions matches ``like`` and none ``unlike``."""
    if prompt.like is None:
        return []
    like, unlike = re.compile(prompt.like), re.compile(prompt.unlike) if prompt.unlike else None
    return [
        window
        for window in windows
        if any(like.search(caption) for caption in window.captions)
        and not (unlike and any(unlike.search(caption) for caption in window.captions))
    ]


def check_suite(suite: Sequence[Prompt], motion_set: MotionSet, most: int = 20) -> list[Fairness]:
    """Judge up to ``most`` real windows a prompt, evenly spread; comparisons between prompts count as met."""
    found = []
    for prompt in suite:
        windows = windows_like(prompt, motion_set.windows)
        chosen = windows[:: max(len(windows) // most, 1)][:most]
        takes = [measure(window_motion(motion_set, window), parts_of(prompt)) for window in chosen]
        if takes:
            names = tuple(f"{w.clip} {w.start:.1f}-{w.end:.1f}" for w in chosen)
            found.append(Fairness(score_motions(prompt, takes, None, prompt.contained), names))
    return found


def fairness_table(found: Sequence[Fairness], below: float = 0.85) -> str:
    """One line a prompt that too few real windows pass, and a summary."""
    lines = []
    for fairness in sorted(found, key=lambda f: f.row.score):
        row = fairness.row
        if row.score < below:
            failed = [w for w, fine in zip(fairness.windows, row.passed, strict=True) if not fine]
            lines.append(f"{row.prompt.id}: {sum(row.passed)} of {len(row.passed)} real windows pass")
            lines += [f"    {miss}" for miss in row.misses] + [f"    not {', '.join(failed[:6])}"]
    share = sum(f.row.score for f in found) / max(len(found), 1)
    lines.append(f"{len(found)} prompts checked on real windows: {100 * share:.1f} % pass on average")
    return "\n".join(lines)
