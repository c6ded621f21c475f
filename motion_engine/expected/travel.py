# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting about: direction, pace, number of steps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.sentence import NUMBER, Sentence, number
from motion_engine.expected.turns import TURN

WALK = re.compile(r"\b(?:walk|stroll|wander|ambl|strid|saunter|pac(?:es|ing)\b)")
RUN = re.compile(r"\b(?:run(?:s|ning)?|sprint\w*|dash(?:es|ing)?|rac(?:es|ing))\b")
_SPRINT = re.compile(r"\bsprint")
_JOG = re.compile(r"\b(?:jog|trot)")
_GO = re.compile(
    r"\b(?:(?:walk|stroll|wander|ambl|strid|saunter|pac|step|run|sprint|dash|rac|jog|trot|hurr)\w*"
    r"|mov(?:es|ing)(?! (?:the|his|her|one|both))|go(?:es|ing)|retreats?|backs (?:away|off|up))\b"
)
_STEP_ONLY = re.compile(r"\b(?:steps?|stepping|moves|moving)\b")
_BACKWARD = re.compile(r"\b(?:backwards?|in reverse|retreats?|backs (?:away|off|up))\b")
_BACK = re.compile(r"\bback\b")
_FORWARD = re.compile(
    r"\b(?:forwards?|ahead|straight (?:on|ahead))\b|\b(?:walks|runs|jogs) (?:\w+ )?straight\b"
)
_SIDEWAYS = re.compile(r"\b(?:side-? ?steps?|sideways|sidles?|side to side)\b")
_SLOW = re.compile(r"\b(?:slow(?:ly)?|leisurely|careful(?:ly)?)\b")
_QUICK = re.compile(r"\b(?:quick(?:ly)?|fast|brisk(?:ly)?|rapid(?:ly)?|hurr(?:y|ies)|swift(?:ly)?)\b")
_NOWHERE = re.compile(
    r"\b(?:in place|on the spot|circles?|circling|belly|stomach|forearms|crawls?|all fours)\b"
)
_LEAVES_THE_FLOOR = re.compile(r"\b(?:jump|leap|hop)")
_STEPS = re.compile(rf"\b(?:takes|makes|walks) {NUMBER} (?:steps|strides)\b(?! (?:down|up|back))")


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about getting about; nothing for fights, whose steps go to and fro."""
    if said.says(_NOWHERE) or said.is_in_guard:
        return
    yield from _direction(said)
    yield from _pace(said)
    steps = _STEPS.findall(said.text)
    if len(steps) == 1 and 1 < (count := number(steps[0])) <= 10:
        yield Expectation.of(f"takes {count} steps", Bound("steps", count - 1, count + 1))


def _direction(said: Sentence) -> Iterator[Expectation]:
    going = said.clauses_with(_GO)
    patterns = {"backward": _BACKWARD, "forward": _FORWARD, "sideways": _SIDEWAYS}
    ways = [way for way, pattern in patterns.items() if any(map(pattern.search, going))]
    turned = said.says(TURN)
    if ways == ["backward"] and not turned and not said.says(_FORWARD):
        bounds = Bound("travel.forward", high=-0.4), Bound("travel.backward_share", 0.6)
        yield Expectation.of("goes backward", *bounds)
    elif ways == ["forward"] and not said.says(_BACKWARD) and not said.says(_BACK):
        few = all(_STEP_ONLY.search(clause) for clause in going)
        straight = not (few or turned or said.says(_SIDEWAYS))
        share = (Bound("travel.forward_share", 0.7),) if straight else ()
        yield Expectation.of("goes forward", Bound("travel.forward", 0.2 if few else 0.5), *share)
    elif ways == ["sideways"] and not turned and (side := said.side):
        left = Bound("travel.left", 0.25) if side == "left" else Bound("travel.left", high=-0.25)
        yield Expectation.of(f"steps to the {side}", left, Bound(f"travel.{side}_share", 0.5))


def _pace(said: Sentence) -> Iterator[Expectation]:
    if said.says(RUN) and not said.says(_SLOW):
        fast = said.says(_QUICK) or said.says(_SPRINT)
        yield Expectation.of("runs", Bound("travel.top_speed", 2.6 if fast else 1.7))
    elif said.says(_JOG) or said.says(RUN):
        yield Expectation.of("jogs", Bound("travel.top_speed", 1.3))
    elif said.says(WALK) and not said.says(_LEAVES_THE_FLOOR):
        yield Expectation.of("walks", Bound("travel.path", 0.3), Bound("travel.top_speed", high=2.4))
        walking = said.clauses_with(WALK)
        if any(map(_SLOW.search, walking)):
            yield Expectation.of("walks slowly", Bound("travel.moving_speed", high=1.05))
        elif any(map(_QUICK.search, walking)) and not said.says(_BACKWARD):
            yield Expectation.of("walks quickly", Bound("travel.moving_speed", 1.2))
