# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds on measures of a motion, and how far a motion is from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motion_engine.kinematics_values import Kinematics

SPREAD = {
    "turn": 90.0, "turned": 180.0, "pitch": 30.0, "roll_left": 20.0, "roll_right": 20.0, "sweep": 60.0,
    "forward": 1.0, "left": 0.5, "path": 1.0, "distance": 1.0,
    "moving_speed": 0.5, "top_speed": 1.0, "start": 0.2, "end": 0.2, "lowest": 0.2, "highest": 0.3,
    "jumps": 2.0, "flights": 2.0, "claps": 2.0, "dips": 1.0, "waves": 2.0, "raises": 2.0, "steps": 3.0,
}  # fmt: skip
"""How far off a measure, by the last part of its name, misses its bound altogether: metres, degrees, counts."""

USUAL_SPREAD = 0.4


@dataclass(frozen=True)
class Bound:
    """A measure, by its name in `Kinematics.value`, and the range that it should be in, both ends included."""

    measure: str
    low: float = -np.inf
    high: float = np.inf

    def miss(self, measured: Kinematics) -> float:
        """0 inside the range, and up to 1 outside of it."""
        value = measured.value(self.measure)
        gap = max(self.low - value, value - self.high, 0.0)
        return min(gap / SPREAD.get(self.measure.rpartition(".")[2], USUAL_SPREAD), 1.0)


@dataclass(frozen=True)
class Expectation:
    """Something that a sentence says and a motion can be measured by.

    Attributes
    ----------
    name : in words, as ``turns left``.
    ways : bounds of which all hold, in each of the ways in which the words can be meant.
    """

    name: str
    ways: tuple[tuple[Bound, ...], ...]

    @classmethod
    def of(cls, name: str, *bounds: Bound) -> Expectation:
        """One of a single meaning: all bounds hold."""
        return cls(name, (bounds,))

    @classmethod
    def either(cls, name: str, *bounds: Bound) -> Expectation:
        """One that any of the bounds is enough for."""
        return cls(name, tuple((bound,) for bound in bounds))

    def miss(self, measured: Kinematics) -> float:
        """0 where the motion does it, up to 1 where it does nothing like it."""
        return min(max(bound.miss(measured) for bound in way) for way in self.ways)

    def met(self, measured: Kinematics) -> bool:
        """Whether the motion does it."""
        return self.miss(measured) == 0.0


def shortfall(expected: Sequence[Expectation], measured: Kinematics) -> float:
    """How much of what was expected a motion lacks: the sum of what it misses, 0 where nothing is missing."""
    return float(sum(expectation.miss(measured) for expectation in expected))


def unmet(expected: Sequence[Expectation], measured: Kinematics) -> list[str]:
    """Names of what a motion does not do."""
    return [expectation.name for expectation in expected if not expectation.met(measured)]
