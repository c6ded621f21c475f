# SPDX-License-Identifier: GPL-3.0-or-later
"""Jumps: their number, direction and height."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.sentence import Sentence, counted
from motion_engine.expected.travel import RUN

JUMP = re.compile(r"\b(?:jump|leap|hop)(?:s|ing|ped|ed)?\b")
_HOP = re.compile(r"\bhop")
_JACK = re.compile(r"(?<!half a )\b(?:jumping jacks?|star jumps?)\b")
_ODD = re.compile(r"\b(?:rope|platform|down from|off|hopscotch|one (?:leg|foot))\b")
_AHEAD = re.compile(r"\b(?:forwards?|ahead)\b")
_HIGH = re.compile(r"\bhigh\b")


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about leaving the floor."""
    if said.says(_JACK):
        # the legs of a jumping jack leave the floor too shortly to be counted
        yield Expectation.of("does jumping jacks", Bound("left_arm.raises", 2), Bound("right_arm.raises", 2))
        return
    jumps, count = said.clauses_with(JUMP), said.times
    if not jumps or said.says(_ODD):
        return
    if count is not None and len(jumps) == 1 and not said.says(RUN):
        yield Expectation.of(f"jumps {counted(count)}", Bound("air.jumps", count, count))
    elif said.says(RUN) or said.says(_HOP):
        yield Expectation.of("jumps", Bound("air.flights", 1))
    else:
        yield Expectation.either("jumps", Bound("air.jumps", 1), Bound("air.time", 0.2))
    if any(map(_AHEAD.search, jumps)):
        yield Expectation.of("jumps forward", Bound("travel.forward", 0.3))
    if any(map(_HIGH.search, jumps)):
        yield Expectation.of("jumps high", Bound("air.rise", 0.1))
