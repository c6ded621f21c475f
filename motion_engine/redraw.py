# SPDX-License-Identifier: GPL-3.0-or-later
"""A take that does not do what its words say is drawn again: rejection sampling on what can be measured.

A sampler of few steps turns most noise into what was asked for, and some into its neighbour: a turn of 150 degrees in
place of 90, two jumps in place of three. Where the words name something measurable (`motion_engine.expected`), the
take is checked, and other noise is tried. A take that does what it should is the one that its seed always gave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from motion_engine.expected import Expectation, shortfall, unmet
from motion_engine.kinematics import kinematics
from motion_engine.motion import Motion

Draw = Callable[[Sequence[int], int], list[Motion]]
"""Takes number so and so, drawn for the k-th time (0, 1, ...)."""


def best_of_draws(expected: Sequence[Expectation], count: int, tries: int, draw: Draw) -> list[Motion]:
    """``count`` takes, each the first of its draws that does what is expected, or the one that lacks least.

    Where something is expected, their provenance says in ``draw`` which one it was, counted from 0, in ``draws`` how
    many there were, and in ``unmet`` what is still lacking.

    Parameters
    ----------
    expected : what the words say; without any the first draws are taken as they are.
    tries : draws of a take, at most.
    draw : makes takes; its errors are passed on.
    """
    kept = draw(range(count), 0)
    if not expected:
        return kept
    measured = [kinematics(motion) for motion in kept]
    lacking = [shortfall(expected, measures) for measures in measured]
    drawn, which = [1] * count, [0] * count
    for number in range(1, tries):
        again = [take for take, lack in enumerate(lacking) if lack > 0]
        if not again:
            break
        for take, motion in zip(again, draw(again, number), strict=True):
            measures = kinematics(motion)
            drawn[take] += 1
            if (lack := shortfall(expected, measures)) < lacking[take]:
                kept[take], measured[take], lacking[take], which[take] = motion, measures, lack, number
    for take, (motion, measures) in enumerate(zip(kept, measured, strict=True)):
        motion.provenance |= {"draw": which[take], "draws": drawn[take]}
        if missing := unmet(expected, measures):
            motion.provenance["unmet"] = missing
    return kept
