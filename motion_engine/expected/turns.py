# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns about the vertical: their side and their size."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.sentence import Sentence, side_of

TURN = re.compile(r"\b(?:turn|rotat|pivot|spin|swings round|veer|curv|bear|corner|bends? off|heads? off)\w*")
_OF_A_PART = re.compile(
    r"\b(?:head|neck|torso|trunk|waist|wrist|forearm|elbow|shoulders?|hands?|arms?|hips|legs?|foot|feet|upper body"
    r"|knob|wheel|page|ball|dances?|dancing)\b"
)
_AROUND = re.compile(
    r"\bturns? a?round\b|\bu-?turn|\bthe other way\b|\b(?:half turn|180)\b|\babout-turn|\bfaces about\b"
)
_BACK = re.compile(r"\b(?<!walks )(?<!comes )back\b")
_UNDONE = re.compile(
    r"\b(?:back|returns?|switch\w*|diagonal\w*|more than|again|body|sideways|side-? ?steps?)\b"
)
_FULL = re.compile(r"\b(?:full turn|full circle|360|all the way a?round|spins? a?round)\b")
_HERE = re.compile(r"\b(?:in place|on the spot)\b")
_LEAVES = re.compile(r"\b(?:walk|stroll|strid|run|jog|sprint)")

_SIZES = (
    (re.compile(r"\b(?:90|ninety|quarter turn)\b"), 55.0, 125.0),
    (re.compile(r"\b(?:45|forty-five)\b"), 20.0, 75.0),
    (re.compile(r"\b(?:slight(?:ly)?|a little|a bit|bears?|veers?)\b"), 10.0, 80.0),
    (re.compile(""), 25.0, np.inf),
)
"""Degrees that go with a word; the first that is said counts."""

MOST_CLAUSES = 3
"""In a longer story a turn is soon undone by another one that no word tells of."""


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about one turn of the whole body."""
    if said.is_in_guard or len(said.clauses) > MOST_CLAUSES:
        return
    turns = [clause for clause in said.clauses_with(TURN) if not _OF_A_PART.search(clause)]
    if said.says(_FULL):
        yield Expectation.of("turns all the way", Bound("travel.turned", 220.0))
    elif said.says(_AROUND):
        if len(turns) < 2 and not said.says(_BACK):
            yield Expectation.either(
                "turns around", Bound("travel.turn", 115.0), Bound("travel.turn", high=-115.0)
            )
    elif len(turns) == 1 and (side := side_of(turns[0])) and said.side and not said.says(_UNDONE):
        low, high = next((low, high) for word, low, high in _SIZES if word.search(turns[0]))
        turn = Bound("travel.turn", low, high) if side == "left" else Bound("travel.turn", -high, -low)
        here = (Bound("travel.distance", high=0.9),) if said.says(_HERE) and not said.says(_LEAVES) else ()
        yield Expectation.of(f"turns {side}", turn, *here)
