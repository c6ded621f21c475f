# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole body: sitting, standing up, squats, bows, lying, standing still."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motion_engine.expected.bounds import Bound, Expectation
from motion_engine.expected.jumps import JUMP
from motion_engine.expected.legs import KICK
from motion_engine.expected.sentence import NUMBER, Sentence, counted, number

_SIT = re.compile(r"\b(?:sits? down|takes? a seat|sits\b(?! (?:up|on|in|at|there|still|with|cross)))")
_STAND_UP = re.compile(r"\b(?:stands? up|gets? up|(?<!hand )rises?|stands? again|comes? up to stand)\b")
_HIGH_SEAT = re.compile(r"\b(?:stool|tall|bar|high|top|dangling)\b")
_STOOPS = re.compile(r"\b(?:bend|lean|fold|hang|plac|pick|reach|releas|stoop|slump|floor|ground|half)\w*")
_SQUAT = re.compile(r"\b(?:squats?|knee bends?)\b")
_SQUATS = re.compile(rf"\b{NUMBER} (?:deep )?(?:squats?|knee bends?)\b")
_ONE_SQUAT = re.compile(r"\b(?:does|performs|makes) (?:an?|one) (?:\w+ )?(?:squat|knee bend)\b")
_CROUCH = re.compile(r"\b(?:crouch(?:es)?|ducks?|hunkers?)\b")
_SLIGHT = re.compile(r"\bslight")
_KNEEL = re.compile(r"\bkneels?\b")
_LIE_DOWN = re.compile(r"\b(?:lies?|lays?) down\b")
_LYING = re.compile(r"\b(?:lying|lies|lays)\b")
_CRAWL = re.compile(r"\bcrawls?\b|\bon all fours\b")
_BOW = re.compile(r"\bbows\b|\btakes? a bow\b|\bbow(?:s|ing)? (?:deeply|politely|forward|down)\b")
_BEND = re.compile(r"\b(?:bends?|folds?) (?:far )?(?:forward|over|down)\b|touch\w* (?:\w+ )?toes")
_NO_BEND = re.compile(r"\bslight|\bknees")
_LEAN = re.compile(
    r"\b(?:leans?|bends sideways|tilts?) (?:\w+ ){0,4}(?:to|toward|towards) (?:the|his|her|their) (left|right)\b"
)
_NO_LEAN = re.compile(r"\b(?:down|over|lung\w*|knees|path|run\w*|walk\w*|turn\w*|forward|backward)\b")
_STILL = re.compile(
    r"\b(?:stands? still|stands? motionless|does not move|waits? motionless|stands? quietly)\b"
)
_LOOKS_AROUND = re.compile(r"\blook(?:s|ing) (?:all )?around\b")
_TURNS_HEAD = re.compile(
    r"\blook(?:s|ing) (?:to )?(?:the |his |her |their )?(?:left|right)\b"
    r"|\b(?:turn|shak|rotat)(?:s|es|ing) (?:the|his|her|their) head\b|\blook(?:s|ing) (?:from )?side to side\b"
)

STANDING = 0.82
"""Height of the pelvis, as a share of the standing one, over which a body stands."""


def expected(said: Sentence) -> Iterator[Expectation]:
    """What a sentence says about heights and leaning of a body on a level floor."""
    yield from _down_and_up(said)
    yield from _on_the_floor(said)
    yield from _leaning(said)
    yield from _head(said)
    if said.says(_STILL) and len(said.clauses) == 1:
        yield Expectation.of("stands still", Bound("travel.path", high=0.6), Bound("still", 0.4))


def _down_and_up(said: Sentence) -> Iterator[Expectation]:
    """Sitting, squatting, crouching, and what comes after."""
    low_seat = not said.says(_HIGH_SEAT)
    sits = _SIT.search(said.text) if low_seat else None
    rises = _STAND_UP.search(said.text) if low_seat else None
    squats, crouches = _SQUAT.search(said.text), said.says(_CROUCH)
    squatted = _SQUATS.search(said.text)
    count = number(squatted[1]) if squatted else said.times
    down = sits or squats
    if down and not said.says(JUMP) and not said.says(KICK):
        name = "squats" if squats else "sits down"
        if count and (squats or rises):
            dips = Bound("pelvis.dips", count, count)
            yield Expectation.of(f"{name} {counted(count)}", dips, Bound("pelvis.end", 0.8))
        elif squats or rises:
            yield Expectation.of(name, Bound("pelvis.lowest", high=0.78))
        elif not crouches and not said.says(_KNEEL) and not said.says(_LIE_DOWN):
            is_last = _SIT.search(said.clauses[-1])
            yield Expectation.of(name, Bound("pelvis.end" if is_last else "pelvis.lowest", high=0.8))
        if rises and down.start() < rises.start() and not count:
            yield Expectation.of("stands up again", Bound("pelvis.end", STANDING))
        if len(said.clauses) == 1:
            if squats and said.says(_ONE_SQUAT):
                yield Expectation.of("comes up again", Bound("pelvis.end", STANDING))
            elif sits and not rises:
                yield Expectation.of("stands at first", Bound("pelvis.start", 0.8))
    elif crouches and not said.says(JUMP) and not said.says(_SLIGHT):
        yield Expectation.of("crouches", Bound("pelvis.lowest", high=STANDING))
    if rises and _STAND_UP.search(said.clauses[0]):
        if not down and not crouches:
            yield from _standing_up(said)
        elif not said.says(_STOOPS) and not (down and down.start() < rises.start()):
            yield Expectation.of("is low at first", Bound("pelvis.start", high=0.85))


def _standing_up(said: Sentence) -> Iterator[Expectation]:
    lies = said.says(_LYING)
    if said.says(_KNEEL) or said.says(_CRAWL) or said.says(_LIE_DOWN) or (said.says(_STOOPS) and not lies):
        return
    start = Bound("pelvis.start", high=0.5 if lies else 0.85)
    yield Expectation.of("stands up", start, Bound("pelvis.rise", 0.08), Bound("pelvis.end", 0.75))


def _on_the_floor(said: Sentence) -> Iterator[Expectation]:
    if said.says(_KNEEL):
        yield Expectation.either("kneels", Bound("left_leg.on_knee", 0.3), Bound("right_leg.on_knee", 0.3))
    if said.says(_STAND_UP):
        return
    if said.says(_LIE_DOWN):
        yield Expectation.of("lies down", Bound("pelvis.end", high=0.5))
    if said.says(_CRAWL):
        yield Expectation.of("crawls", Bound("pelvis.lowest", high=0.7))


def _leaning(said: Sentence) -> Iterator[Expectation]:
    if said.says(_BOW):
        yield Expectation.of("bows", Bound("trunk.pitch", 20.0))
    elif said.says(_BEND) and not said.is_in_guard and not said.says(_NO_BEND):
        yield Expectation.either("bends down", Bound("trunk.pitch", 25.0), Bound("pelvis.lowest", high=0.8))
    if (lean := _LEAN.search(said.text)) and said.side and not said.says(_NO_LEAN):
        yield Expectation.of(f"leans to the {lean[1]}", Bound(f"trunk.roll_{lean[1]}", 12.0))


def _head(said: Sentence) -> Iterator[Expectation]:
    if said.says(_LOOKS_AROUND):
        yield Expectation.of("looks around", Bound("head.sweep", 40.0))
    elif said.says(_TURNS_HEAD):
        yield Expectation.of("turns the head", Bound("head.sweep", 15.0))
