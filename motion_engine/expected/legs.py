# SPDX-License-Identifier: GPL-3.0-or-later
"""Legs: kicks, raised knees, raised legs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.sentence import Sentence, other, side_of
from motion_engine.expected.travel import WALK

KICK = re.compile(r"\bkick\w*|\bshoots? (?:\w+ ){0,3}(?:ball|goal)\b")
_HIGH = re.compile(r"\bhigh\b")
_RAISED_KNEE = re.compile(r"\b(?:rais|lift|brings?)\w* (?:\w+ ){0,3}knee")
_RAISED_LEG = re.compile(r"\b(?:rais|lift)\w* (?:\w+ ){0,4}(?:leg|foot)\b|\b(?:leg|foot) (?:raise|lift)s?\b")


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about a leg in the air; where one leg is spoken of, the other one stays down."""
    alone = said.side
    for clause in said.clauses:
        side = side_of(clause)
        if KICK.search(clause):
            height = 0.6 if _HIGH.search(clause) else 0.3
            if side:
                rest = (Bound(f"{other(side)}_leg.kicks", high=0),) if alone == side else ()
                yield Expectation.of(f"kicks with the {side} leg", Bound(f"{side}_leg.foot", height), *rest)
            else:
                yield Expectation.either(
                    "kicks", Bound("left_leg.foot", height), Bound("right_leg.foot", height)
                )
        elif _RAISED_KNEE.search(clause):
            knees = [side] if side else ["left", "right"]
            name = f"raises the {side} knee" if side else "raises a knee"
            yield Expectation.either(name, *(Bound(f"{knee}_leg.knee", -0.2) for knee in knees))
        elif side and _RAISED_LEG.search(clause):
            stands = alone == side and not said.says(WALK)
            rest = (Bound(f"{other(side)}_leg.foot", high=0.2),) if stands else ()
            yield Expectation.of(f"raises the {side} leg", Bound(f"{side}_leg.foot", 0.18), *rest)
