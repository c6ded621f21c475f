# SPDX-License-Identifier: GPL-3.0-or-later
"""A take that does not do what its words say is drawn again: rejection sampling on what can be told of a motion.

A sampler of few steps turns most noise into what was asked for, and some into its neighbour: a turn of 150 degrees in
place of 90, two jumps in place of three. Where the words name something measurable (`motion_engine.expected`), the take
is checked; where the bundle has a joint space of motion and text, it also has to be near its sentence. A take that
does what it should is the one that its seed always gave; for another one other noise is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motion_engine.expected import Expectation, shortfall, unmet
from motion_engine.kinematics import kinematics
from motion_engine.motion import Motion

Draw = Callable[[Sequence[int], int], list[Motion]]
"""Takes number so and so, drawn for the k-th time (0, 1, ...)."""


FIELDS = ("draw", "draws", "unmet", "fit", "far")
"""What the provenance of a judged take says; see `best_of_draws`, and `Judge` for ``fit``."""


@dataclass(frozen=True)
class Verdict:
    """How much a take lacks, 0 for nothing; what it does not do, in words; and whether it is far from its sentence."""

    lack: float
    unmet: tuple[str, ...] = ()
    is_far: bool = False


@dataclass(frozen=True)
class Judge:
    """What a take has to be.

    Attributes
    ----------
    expected : what its words let one expect.
    least_fit : similarity to its sentence, from -1 to 1, that a take has to have where ``provenance["fit"]`` tells it.
    """

    expected: Sequence[Expectation] = ()
    least_fit: float | None = None

    def __call__(self, motion: Motion) -> Verdict:
        """The verdict on one take."""
        lack, missing = 0.0, []
        if self.expected:
            measured = kinematics(motion)
            lack, missing = shortfall(self.expected, measured), unmet(self.expected, measured)
        fit = motion.provenance.get("fit")
        below = 0.0 if fit is None or self.least_fit is None else max(self.least_fit - fit, 0.0)
        return Verdict(lack + below, tuple(missing), below > 0)


def best_of_draws(judge: Judge, count: int, tries: int, draw: Draw) -> list[Motion]:
    """``count`` takes, each the first of its draws that lacks nothing, or the one that lacks least.

    Their provenance says in ``draw`` which one it was, counted from 0, in ``draws`` how many there were, in ``unmet``
    what is still lacking, and in ``far`` that they are far from their sentence.

    Parameters
    ----------
    tries : draws of a take, at most.
    draw : makes takes; its errors are passed on.
    """
    kept = draw(range(count), 0)
    verdicts = [judge(motion) for motion in kept]
    drawn, which = [1] * count, [0] * count
    for number in range(1, tries):
        again = [take for take, verdict in enumerate(verdicts) if verdict.lack > 0]
        if not again:
            break
        for take, motion in zip(again, draw(again, number), strict=True):
            drawn[take] += 1
            if (verdict := judge(motion)).lack < verdicts[take].lack:
                kept[take], verdicts[take], which[take] = motion, verdict, number
    for take, (motion, verdict) in enumerate(zip(kept, verdicts, strict=True)):
        motion.provenance |= {"draw": which[take], "draws": drawn[take]}
        if verdict.unmet:
            motion.provenance["unmet"] = list(verdict.unmet)
        if verdict.is_far:
            motion.provenance["far"] = True
    return kept
