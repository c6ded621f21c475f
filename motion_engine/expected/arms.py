# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and arms: raised ones, waves, claps, blows and throws."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.sentence import Sentence, counted, other, side_of

_HAND = r"(?:hand|arm|fist)"
_SEVERAL = re.compile(rf"\bboth\b|\b{_HAND}s\b")
_BOTH = re.compile(rf"\b(?:both|two|the|his|her|their) (?:\w+ )?{_HAND}s\b")
_ONE = {side: re.compile(rf"\b{side} (?:\w+ )?{_HAND}\b") for side in ("left", "right")}

_LIFT = re.compile(
    r"\b(?:rais|lift|puts? up|holds? up|reach(?:es|ing)? up|stretch\w* up|throws? up|sticks? up|brings? up)"
)
_HELD_UP = re.compile(
    rf"{_HAND}s? (?:\w+ )?(?:up|raised|overhead|in the air|held (?:up|high|overhead)|above)\b"
)
_NOT_UP = re.compile(
    r"\b(?:back(?:ward|wards)?|rear|behind|under|shoulder-high|chest|waist|hips?|face|mouth|chin|ears?|eyes?|stomach"
    r"|legs?|knees?|foot|feet|guard|box|object|something|phone|cup|ball|down|low|slightly|heavy|lower(?:s|ed)?)\b"
)
_BOTH_NOT_UP = re.compile(r"\b(?:fists?|swing\w*|sides?)\b")
_HIGH = re.compile(r"\b(?:(?:over|above) (?:the|his|her|their) head|overhead|high|in the air)\b")
_NOT_UPRIGHT = re.compile(r"\b(?:lying|lies|cartwheel|handstand|crawl|push-? ?up|climb|ladder|dribbl)")

_SWING = re.compile(rf"\bswing\w* (?:both|the|his|her|their) (?:\w+ )?{_HAND}s\b")
_WAVE = re.compile(r"\b(?:wav(?:es|ing|e)|says hello|greets?|goodbye)\b")
_WAVES = re.compile(r"\bwav")
_CLAP = re.compile(r"\b(?:clap|applau)")
_BLOW = re.compile(r"\b(?:punch(?:es|ing)?|jabs?|hooks?|uppercuts?|strik\w+ with the \w+ fist)\b")
_STRAIGHT_BLOW = re.compile(r"\b(?:punch(?:es|ing)?|jabs?)\b")
_KICK = re.compile(r"\bkick")
_THROW = re.compile(
    r"\b(?:throw|toss|hurl|pitch|fling)\w* (?:\w+ ){0,3}(?:ball|stone|object|something|baseball)\b"
)


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about hands, for an upright body."""
    if said.says(_NOT_UPRIGHT):
        return
    alone = None if said.says(_SEVERAL) else said.side
    for clause in said.clauses:
        side = side_of(clause)
        one = side if side and _ONE[side].search(clause) else None
        # where one hand is spoken of, the other one stays down
        rest = (Bound(f"{other(one)}_arm.highest", high=0.1),) if one and alone == one else ()
        both = bool(_BOTH.search(clause))
        yield from _raised(clause, one, both, rest)
        yield from _waved(clause, one, both, rest)
        if side and _BLOW.search(clause) and not _KICK.search(clause):
            reach = (Bound(f"{side}_arm.reach", 0.38),) if _STRAIGHT_BLOW.search(clause) else ()
            yield Expectation.of(f"strikes with the {side} hand", Bound(f"{side}_arm.top_speed", 1.9), *reach)
        if _THROW.search(clause):
            arms = [one] if one else ["left", "right"]
            yield Expectation.either("throws", *(Bound(f"{arm}_arm.top_speed", 2.0) for arm in arms))
    if said.says(_SWING):
        yield Expectation.of(
            "swings both arms", Bound("left_arm.energy", 0.2), Bound("right_arm.energy", 0.2)
        )
    if said.says(_CLAP):
        yield _claps(said.times)


def _raised(clause: str, one: str | None, both: bool, rest: tuple[Bound, ...]) -> Iterator[Expectation]:
    lifts, is_up = _LIFT.search(clause), _HELD_UP.search(clause)
    if not (lifts or is_up) or _NOT_UP.search(clause):
        return
    height = 0.15 if _HIGH.search(clause) else -0.05
    if one:
        yield Expectation.of(f"raises the {one} hand", Bound(f"{one}_arm.highest", height), *rest)
    elif both and not _BOTH_NOT_UP.search(clause):
        held = () if lifts else (Bound("hands.both_above_shoulder", 0.4),)
        highest = Bound("left_arm.highest", height), Bound("right_arm.highest", height)
        yield Expectation.of("raises both hands", *highest, *held)


def _waved(clause: str, one: str | None, both: bool, rest: tuple[Bound, ...]) -> Iterator[Expectation]:
    if not _WAVE.search(clause):
        return
    if one:
        waves = Bound(f"{one}_arm.waves", 2), Bound(f"{one}_arm.above_shoulder", 0.3)
        yield Expectation.of(f"waves the {one} hand", *waves, *rest)
    elif both:
        yield Expectation.of("waves both hands", Bound("left_arm.waves", 2), Bound("right_arm.waves", 2))
    elif _WAVES.search(clause) and side_of(clause) is None:
        yield Expectation.either("waves", Bound("left_arm.waves", 1), Bound("right_arm.waves", 1))


def _claps(count: int | None) -> Expectation:
    if count is None:
        return Expectation.of("claps", Bound("hands.claps", 2))
    # at 20 frames a second some of many quick claps are lost
    return Expectation.of(
        f"claps {counted(count)}", Bound("hands.claps", min(max(count - 1, 1), 3), count + 1)
    )
