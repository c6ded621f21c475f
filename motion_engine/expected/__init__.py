# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of a sentence let one expect of a motion, in measures of `motion_engine.kinematics`.

"Turns left" is a facing that ends to the left, "claps three times" are hands that meet three times. Most of what a
sentence says cannot be measured like that; what can is worth checking, of a motion made for the sentence as of a
sentence made for the motion.

The rules would rather say nothing than something wrong: what is denied, what is said of two sides at once, and whatever
a sentence takes back later ("walks forward, then backward") is left out. Their bounds are wide enough for the clips of
people who were told to do such things: `python -m training expectations`.
"""

from __future__ import annotations

from functools import lru_cache

from motion_engine.expected import arms, body, jumps, legs, travel, turns
from motion_engine.expected.bounds import Bound as Bound
from motion_engine.expected.bounds import Expectation as Expectation
from motion_engine.expected.bounds import shortfall as shortfall
from motion_engine.expected.bounds import unmet as unmet
from motion_engine.expected.sentence import Sentence


@lru_cache(maxsize=4096)
def expectations(sentence: str) -> tuple[Expectation, ...]:
    """What a sentence lets one expect; nothing where it names nothing that can be measured."""
    said = Sentence.of(sentence)
    if said.is_denied:
        return ()
    rules = [arms.expected, legs.expected, jumps.expected]
    if not said.is_elsewhere:
        rules = [travel.expected, turns.expected, *rules, body.expected]
    found: dict[str, Expectation] = {}
    for rule in rules:
        for expectation in rule(said):
            found.setdefault(expectation.name, expectation)
    return tuple(found.values())
