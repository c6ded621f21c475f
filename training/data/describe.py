# SPDX-License-Identifier: GPL-3.0-or-later
"""More captions for a captioned window, from what is measured in it.

A person who captions a clip rarely counts steps, names the side of a raised hand or says two things at once. The
measures of `motion_engine.kinematics` do. Every rule has a margin, so that a caption is left out rather than wrong;
words that name an intention (waving, punching, sitting down) are used only where a caption of the window names the
same, and then gain side, count and direction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motion_engine.kinematics import Arm, Kinematics, Leg, kinematics
from motion_engine.motion import Motion
from training.data.describe_phrases import FEMALE, MALE, NEUTRAL, PHRASES, WHILE

MOST = 4
"""Captions added to one window at most."""

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
TIMES = {1: "once", 2: "twice"}

_NO_WALK = re.compile(
    r"\b(climb|ladder|stair|skip|hop|leap|jump|danc|salsa|ballet|crawl|cartwheel|flip|somersault|roll|swim|ski|rid(e|i)"
    r"|playground|balanc|march|tiptoe|lung|kick|punch|box(es|ing)?\b|throw|pitch|sword|fight|crouch|squat|kneel|spin|pirouette"
    r"|stumbl|slip|fall|trip|gallop|animal|bird|monkey|chicken|sneak|creep|mime|imitat|shuffl|slid"
    r"|swing(s|ing)? (on|from)|push|pull|drag|vault|hurdle|limp|hobbl|stagger|drunk|platform|uphill|downhill|down from)"
)
_RUN = re.compile(r"\b(run|runs|running|jog|jogs|jogging|sprint\w*|dash\w*|rac(es|ing))\b")
_WALK = re.compile(r"\b(walk|stroll|wander)")
_PUNCH = re.compile(r"\bpunch|\bbox(es|ing)\b|\bjabs?\b|\bhooks?\b|\buppercut")
_COUNTED = re.compile(
    r"\b(one|two|three|four|five|six|seven|eight|nine|ten|\w+ dozen) (\w+,? ){0,3}(steps|strides)"
)
_SERIES = re.compile(
    r"alternat|left and|right and|both|series|combination|punches (the|quick|forward)|\b(\w+ )?punches$"
    r"|throws (\w+ )*punches|box(es|ing)|\bair\b|kata|karate|danc"
)
_DOWN = re.compile(
    r"\b(down|off) (from|of)\b|jumps (down|off)|climb|stair|sits? high|hangs?|swings? (on|from)"
)
_ODD = re.compile(
    r"danc|salsa|ballet|cartwheel|flip|somersault|roll|climb|ladder|swim|crawl|lie|lying|handstand"
    r"|push-?up|stretch|playground|monkey bar|swing(s|ing) on|animal|acts like|imitat|moves like|breakdanc|yoga"
)


@dataclass(frozen=True)
class Fact:
    """Something measured: the ``name`` of its phrases and the words that fill them in."""

    name: str
    words: tuple[tuple[str, str], ...] = ()

    def predicate(self, random: np.random.Generator) -> str:
        """One of its phrases, as ``walks backward``."""
        return _pick(PHRASES[self.name], random).format(**dict(self.words))

    def meanwhile(self, random: np.random.Generator) -> str:
        """One of its phrases after another one, as ``while raising the left hand``."""
        return _pick(WHILE[self.name], random).format(**dict(self.words))


def describe(motion: Motion, base_captions: Sequence[str], random: np.random.Generator) -> list[str]:
    """Up to `MOST` new captions of a window, lower case, true by measure; the same ones for the same generator state.

    Parameters
    ----------
    motion : the window.
    base_captions : what people said about it; the new ones agree with them and repeat none.
    random : chooses among facts and phrases.
    """
    return captions_from(kinematics(motion), base_captions, random)


def captions_from(
    measured: Kinematics, base_captions: Sequence[str], random: np.random.Generator
) -> list[str]:
    """As `describe`, from measures made before."""
    text = " ; ".join(base_captions).lower()
    going = _going(measured, text)
    turning = _turning(measured, text, going)
    acts = [*_arms(measured, text), *_legs(measured, text), *_body(measured, text)]
    predicates = []
    if going and turning:
        predicates.append(f"{going[0].predicate(random)} and {turning.predicate(random)}")
    together = [act for act in acts if act.name in WHILE and _throughout(measured, act)]
    main = going[:1] or [act for act in acts if act.name not in WHILE][:1]
    for act in together[:1]:
        if main and (going or main[0].name.startswith("jump")):
            predicates.append(f"{main[0].predicate(random)} {act.meanwhile(random)}")
    singles = [*going, *([turning] if turning else []), *acts]
    predicates += [singles[i].predicate(random) for i in random.permutation(len(singles))]
    known = {caption.lower() for caption in base_captions}
    subjects = _subjects(text)
    made: list[str] = []
    for predicate in predicates:
        caption = f"{_pick(subjects, random)} {predicate}"
        if caption not in known and caption not in made:
            made.append(caption)
    return made[:MOST]


def _pick(options: Sequence[str], random: np.random.Generator) -> str:
    return options[int(random.integers(len(options)))]


def _subjects(text: str) -> tuple[str, ...]:
    female = bool(re.search(r"\b(woman|female|lady|girl|she|her)\b", text))
    male = bool(re.search(r"\b(man|male|guy|boy|he|his)\b", text))
    if female == male:
        return NEUTRAL
    return NEUTRAL + (FEMALE if female else MALE)


def _upright(m: Kinematics) -> bool:
    return m.pelvis.lowest > 0.82 and m.trunk.flat == 0 and m.trunk.pitch < 40 and m.trunk.back < 30


def _going(m: Kinematics, text: str) -> list[Fact]:
    """Facts about travelling: the way of going first, then the number of steps."""
    t = m.travel
    if not _upright(m) or t.path < 0.6 or _NO_WALK.search(text) or m.air.jumps:
        return []
    said_run = bool(_RUN.search(text))
    running = t.moving_speed > (1.6 if said_run else 2.3) and not _WALK.search(text) and t.moving > 0.6
    walking = t.top_speed < 1.9 and m.steps >= 2 and not said_run
    if not (running or walking):
        return []
    direction = _direction(m, text)
    if direction is None:
        return []
    side = (("side", direction),)
    if running:
        if direction != "forward":
            return []
        pace = "run_fast" if t.top_speed > 4.3 else "jog" if t.top_speed < 2.7 else "run"
        return [Fact(pace)]
    if direction in ("left", "right"):
        return [Fact("side_step", side)]
    if direction == "backward":
        facts = [Fact("walk_backward")]
    else:
        slow, brisk = t.moving_speed < 0.72 and t.moving > 0.6, t.moving_speed > 1.35
        facts = [Fact("walk_slow" if slow else "walk_fast" if brisk else "walk")]
    # a stride that is no stride means that a step was missed or counted twice
    counted = m.left_leg.cut_steps + m.right_leg.cut_steps == 0 and not _COUNTED.search(text)
    if counted and 2 <= m.steps <= 8 and t.moving > 0.3 and 0.35 < t.path / m.steps < 0.9:
        words = [("count", NUMBERS[m.steps]), *side]
        facts.append(Fact("steps", tuple(words)))
    return facts


def _direction(m: Kinematics, text: str) -> str | None:
    """``forward``, ``backward``, ``left`` or ``right`` where nearly all of the path leads there."""
    t = m.travel
    if t.forward_share > 0.85 and "backward" not in text and "sideway" not in text:
        return "forward"
    if t.backward_share > 0.85 and t.path > 0.8:
        return "backward"
    if abs(t.turn) < 35 and t.turned < 90:
        if t.left_share > 0.75 and "to the right" not in text:
            return "left"
        if t.right_share > 0.75 and "to the left" not in text:
            return "right"
    return None


def _turning(m: Kinematics, text: str, going: list[Fact]) -> Fact | None:
    angle, side = abs(m.travel.turn), "left" if m.travel.turn > 0 else "right"
    other = "right" if side == "left" else "left"
    upright = _upright(m) and not _ODD.search(text) and m.air.jumps == 0
    # one clean turn, not a twist there and back
    if not upright or angle < 38 or m.travel.turned > 1.35 * angle + 15:
        return None
    if re.search(rf"(turn|spin|rotat|pivot|curv|circl|veer|bear)\w*( \w+){{0,4}} {other}", text):
        return None
    if not (going or m.travel.path < 1.2):
        return None
    if not going and _NO_WALK.search(text):
        return None
    words = [("side", side)]
    for low, high, name in (
        (38, 52, "turn_45"), (78, 102, "turn_90"), (160, 200, "turn_180"), (335, 385, "turn_360"),
    ):  # fmt: skip
        if low <= angle <= high:
            return Fact(name, tuple(words))
    return Fact("turn", tuple(words)) if angle < 300 else None


def _agrees(text: str, side: str, parts: str) -> bool:
    """Whether no caption gives the act to the other side alone."""
    other = "right" if side == "left" else "left"

    def named(which: str) -> bool:
        return bool(re.search(rf"{which}( \w+)? ({parts})|both ({parts})", text))

    return named(side) or not named(other)


def _arms(m: Kinematics, text: str) -> list[Fact]:
    if m.trunk.flat or m.trunk.pitch > 45 or re.search(r"cartwheel|handstand|flip|climb|ladder|bar\b", text):
        return []
    facts: list[Fact] = []
    left, right = m.left_arm, m.right_arm
    parts = "hand|hands|arm|arms|fist|fists|wrist|elbow"
    waving = re.search(r"\bwav|greet|hello|goodbye|\bbye", text)
    if waving and m.hands.both_above_shoulder > 0.8 and min(left.waves, right.waves) >= 2:
        facts.append(Fact("wave_both"))
    throwing = re.search(
        r"throws? (a ball|an object|something|it)\b|pitches|overhand", text
    ) and not _PUNCH.search(text)
    # a quick series outruns the frame rate: which hand and how many is sure for a single punch only
    punching = _PUNCH.search(text) and not _SERIES.search(text)
    for side, arm, rest in (("left", left, right), ("right", right, left)):
        if not _agrees(text, side, parts):
            continue
        words = (("side", side),)
        alone = rest.highest < -0.15
        if waving and alone and arm.waves >= 2 and arm.above_shoulder > 0.5:
            facts.append(Fact("wave", words))
        elif throwing:
            if arm.top_speed > 2.5 and rest.top_speed < 0.7 * arm.top_speed:
                facts.append(Fact("throw", words))
        elif alone and arm.above_head > 0.25 and _lifted(arm):
            facts.append(Fact("raise_high", words))
        elif alone and arm.above_shoulder > 0.3 and _lifted(arm):
            facts.append(Fact("raise", words))
        elif alone and arm.above_shoulder > 0.8 * m.duration:
            facts.append(Fact("held_up", words))
        if punching and arm.punches == 1 and not rest.punches:
            facts.append(Fact("punch", words))
    if _PUNCH.search(text) and left.punches >= 2 and right.punches >= 2:
        facts.append(Fact("punch_both"))
    if not waving and m.hands.both_above_head > 0.25 and _lifted(left) and _lifted(right):
        facts.append(Fact("raise_both_high"))
    elif not waving and m.hands.both_above_shoulder > 0.4 and _lifted(left) and _lifted(right):
        facts.append(Fact("raise_both"))
    if re.search(r"\bclap|applau", text) and m.hands.claps >= 2:
        facts.append(Fact("clap"))
    return facts


def _lifted(arm: Arm) -> bool:
    """Whether the hand is down at the start and comes up."""
    return arm.start < -0.25 and arm.highest > 0.1


def _times(count: int) -> str | None:
    if count in TIMES:
        return TIMES[count]
    return f"{NUMBERS[count]} times" if count in NUMBERS else None


def _legs(m: Kinematics, text: str) -> list[Fact]:
    facts: list[Fact] = []
    parts = "leg|foot|knee|kick|side kick|front kick|roundhouse"
    if _ODD.search(text) or m.trunk.flat:
        return facts
    for side, leg, rest in (("left", m.left_leg, m.right_leg), ("right", m.right_leg, m.left_leg)):
        if not _agrees(text, side, parts):
            continue
        words = (("side", side),)
        other_act = re.search("kick|squat|lung|sit|jump|hop|punch|run|walk", text)
        if re.search(r"\bkick", text) and leg.kicks and not rest.kicks and "raise" not in text:
            facts.append(Fact("kick_high" if leg.foot > 0.85 else "kick", words))
        elif m.travel.path < 0.5 and rest.foot < 0.12 and leg.foot > 0.3 and not other_act:
            straight = leg.raises + leg.kicks > 0
            if straight or _raised_knee(leg, rest):
                facts.append(Fact("leg" if straight else "knee", words))
    return facts


def _raised_knee(leg: Leg, rest: Leg) -> bool:
    return leg.knee_raises >= 1 and leg.knee > -0.12 and rest.knee < -0.28 and leg.foot > 0.2


def _body(m: Kinematics, text: str) -> list[Fact]:
    """Facts about jumps, sitting, squatting, bending and standing still."""
    facts: list[Fact] = []
    if m.trunk.flat or _ODD.search(text):
        return facts
    air, pelvis, trunk = m.air, m.pelvis, m.trunk
    if (
        air.jumps
        and re.search(r"jump|hop\b|hops|leap", text)
        and not (_RUN.search(text) or _DOWN.search(text) or "skip" in text)
    ):
        many = re.search(r"again|repeat|up and down|keeps|several|times|twice|jumps\b.*\bjumps and", text)
        count = _times(air.jumps) if air.jumps > 2 or not many else None
        if re.search("jack", text):
            facts.append(Fact("jacks"))
        elif abs(air.forward) < 0.15 and air.travel < 0.2 and count:
            facts.append(Fact("jump_in_place", (("times", count),)))
        elif air.forward > 0.35 and count:
            facts.append(Fact("jump_forward", (("times", count),)))
        elif count and air.jumps == 1:
            facts.append(Fact("jump", (("times", count),)))
        if air.height > 0.35 and air.rise > 0.3:
            facts.append(Fact("jump_high"))
    seated = re.search(r"\b(sit|sits|sitting|seat|stool|chair)\b", text)
    squats = re.search(r"\bsquat|\bcrouch|knee bend", text) and m.travel.path < 1.0 and "lung" not in text
    if pelvis.start > 0.9 and pelvis.end < 0.72 and air.jumps == 0:
        facts.append(Fact("sit_down" if seated else "crouch_down" if squats else "lower"))
    elif pelvis.start < 0.72 and pelvis.end > 0.9 and air.jumps == 0:
        facts.append(Fact("stand_up"))
    elif min(pelvis.start, pelvis.end) > 0.88 and air.jumps == 0 and (seated or squats):
        name, count = "sit_and_stand" if seated else "squat", _times(pelvis.dips)
        if count:
            facts.append(Fact(name, (("times", count),)) if pelvis.dips > 1 else Fact(f"{name}_once"))
    if trunk.bows and pelvis.lowest > 0.86 and trunk.pitch > 45 and m.travel.path < 1.0:
        facts.append(Fact("bow" if re.search(r"\bbow(s|ing)?\b", text) else "bend_forward"))
    leaning = re.search(r"\b(lean|bend|tilt|sway|stretch|side)", text) and "kick" not in text
    if leaning and pelvis.lowest > 0.85 and trunk.pitch < 35 and m.travel.path < 0.6:
        for side, bends, lean, rest in (
            ("left", trunk.left_bends, trunk.roll_left, trunk.roll_right),
            ("right", trunk.right_bends, trunk.roll_right, trunk.roll_left),
        ):
            if bends and lean > 22 and rest < 12:
                facts.append(Fact("bend_aside", (("side", side),)))
    low_hands = max(max(arm.highest + 0.2, arm.top_speed - 0.5) for arm in (m.left_arm, m.right_arm)) < 0
    if m.still > 0.9 and _upright(m) and low_hands and m.travel.path < 0.1 and trunk.pitch < 20:
        facts.append(Fact("still"))
    return facts


def _throughout(m: Kinematics, act: Fact) -> bool:
    """Whether a hand is up for so long that it surely overlaps with the travelling or the jump."""
    if act.name == "clap":
        return False
    arms = {"left": m.left_arm, "right": m.right_arm}
    side = dict(act.words).get("side")
    up = arms[side].above_shoulder if side else m.hands.both_above_shoulder
    busy = m.travel.moving if m.air.jumps == 0 else 0.0
    return up / m.duration + busy > 1.25
