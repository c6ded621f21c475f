# SPDX-License-Identifier: GPL-3.0-or-later
"""From words to measures: which acts a sentence names that `motion_engine.kinematics` can tell.

The rules would rather say nothing than something wrong: what is denied, what is said of two sides at once, and whatever
a sentence takes back later ("walks forward, then backward") is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from motion_engine.expectations import Bound, Expectation

_CLAUSE = re.compile(r"[,;.:]|\b(?:and|then|while|before|after|as|but)\b")
_DENIED = re.compile(r"\b(?:not|never|no|without|nor|cannot|almost|tries|trying|pretends?|about to)\b|n't\b")

_NUMBERS = {
    "one": 1, "single": 1, "once": 1, "two": 2, "twice": 2, "three": 3, "thrice": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_NUMBER = "(" + "|".join(_NUMBERS) + r"|\d+)"
_TIMES = re.compile(rf"\b(?:{_NUMBER} times|(once|twice|thrice))\b")
_HAND = r"(?:hand|arm|fist)"
_FOOT = r"(?:leg|foot)"

_WALK = re.compile(r"\b(?:walk|stroll|wander|ambl|strid|saunter|pac(?:es|ing)\b)")
_RUN = re.compile(r"\b(?:run(?:s|ning)?|sprint\w*|dash(?:es|ing)?|rac(?:es|ing))\b")
_JOG = re.compile(r"\b(?:jog|trot)")
_GO = re.compile(
    r"\b(?:(?:walk|stroll|wander|ambl|strid|saunter|pac|step|run|sprint|dash|rac|jog|trot|hurr)\w*"
    r"|mov(?:es|ing)(?! (?:the|his|her|one|both))|go(?:es|ing))\b"
)
_STEP_ONLY = re.compile(r"\b(?:steps?|stepping|moves|moving)\b")
_RETREAT = re.compile(r"\b(?:retreats?|backs (?:away|off|up))\b")
_BACKWARD = re.compile(r"\b(?:backwards?|in reverse)\b")
_BACK = re.compile(r"\bback\b")
_FORWARD = re.compile(
    r"\b(?:forwards?|ahead|straight (?:on|ahead))\b|\b(?:walks|runs|jogs) (?:\w+ )?straight\b"
)
_ELSEWHERE = re.compile(
    r"\b(?:climb\w*|ladder|stairs?|rungs?|platform|high up|underneath|under|treadmill|swings? (?:on|from)|descend\w*"
    r"|steps up|up (?:\w+ )?steps|up to|cartwheel\w*|somersault\w*|flips?|rolls?|handstand)\b"
)
_GUARD = re.compile(r"\b(?:guard|stance|fight\w*|box(?:es|ing|er)|spar\w*)\b")
_SIDEWAYS = re.compile(r"\b(?:side-? ?steps?|sideways|sidles?|side to side)\b")
_SLOW = re.compile(r"\b(?:slow(?:ly)?|leisurely|without haste|careful(?:ly)?)\b")
_QUICK = re.compile(r"\b(?:quick(?:ly)?|fast|brisk(?:ly)?|rapid(?:ly)?|hurr(?:y|ies)|swift(?:ly)?)\b")
_HERE = re.compile(r"\b(?:in place|on the spot)\b")
_NO_TRAVEL = re.compile(r"\b(?:in place|on the spot|circles?|circling|belly|stomach|forearms)\b")

_TURN = re.compile(r"\b(?:turn|rotat|pivot|spin|swings round|veer|curv|bear|corner|bends? off|heads? off)\w*")
_TURN_OF = re.compile(
    r"\b(?:head|neck|torso|trunk|waist|wrist|forearm|elbow|shoulders?|hands?|arms?|hips|legs?|foot|feet|upper body"
    r"|knob|wheel|page|ball|dances?|dancing)\b"
)
_AROUND = re.compile(
    r"\bturns? a?round\b|\bu-?turn|\bthe other way\b|\b(?:half turn|180)\b|\babout-turn|\bfaces about\b"
)
_UNTURNED = re.compile(r"\b(?:back|returns?|switch\w*|diagonal\w*|more than|again|body)\b")
_FULL_TURN = re.compile(r"\b(?:full turn|full circle|360|all the way a?round|spins? a?round)\b")
_QUARTER = re.compile(r"\b(?:90|ninety|quarter turn)\b")
_EIGHTH = re.compile(r"\b(?:45|forty-five)\b")
_SLIGHT = re.compile(r"\b(?:slight(?:ly)?|a little|a bit|bears?|veers?)\b")

_LIFT = re.compile(
    r"\b(?:rais|lift|puts? up|holds? up|reach(?:es|ing)? up|stretch\w* up|throws? up|sticks? up|brings? up)"
)
_HELD_UP = re.compile(
    rf"{_HAND}s? (?:\w+ )?(?:up|raised|overhead|in the air|held (?:up|high|overhead)|above)\b"
)
_NOT_UP = re.compile(
    r"\b(?:back(?:ward|wards)?|rear|behind|under|shoulder-high|chest|waist|hips?|face|mouth|chin|ears?|eyes?|stomach|leg|legs|knees?|foot|feet"
    r"|guard|box|object|something|phone|cup|ball|down|low|slightly|heavy|lower(?:s|ed)?)\b"
)
_HIGH = re.compile(
    r"\b(?:over (?:the|his|her|their) head|above (?:the|his|her|their) head|overhead|high|in the air)\b"
)
_BOTH_NOT_UP = re.compile(r"\b(?:fists?|swing\w*|sides?)\b")
_NOT_UPRIGHT = re.compile(r"\b(?:lying|lies|cartwheel|handstand|crawl|push-? ?up|climb|ladder|dribbl)")
_WAVE = re.compile(r"\b(?:wav(?:es|ing|e)|says hello|greets?|goodbye)\b")
_CLAP = re.compile(r"\b(?:clap|applau)")
_BLOW = re.compile(r"\b(?:punch(?:es|ing)?|jabs?|hooks?|uppercuts?|strik\w+ with the \w+ fist)\b")
_STRAIGHT_BLOW = re.compile(r"\b(?:punch(?:es|ing)?|jabs?)\b")
_THROW = re.compile(
    r"\b(?:throw|toss|hurl|pitch|fling)\w* (?:\w+ ){0,3}(?:ball|stone|object|something|baseball)\b"
)

_KICK = re.compile(r"\bkick\w*|\bshoots? (?:\w+ ){0,3}(?:ball|goal)\b")
_RAISED_KNEE = re.compile(r"\b(?:rais|lift|brings?)\w* (?:\w+ ){0,3}knee")
_RAISED_LEG = re.compile(rf"\b(?:rais|lift)\w* (?:\w+ ){{0,4}}{_FOOT}\b|\b{_FOOT} (?:raise|lift)s?\b")

_AHEAD = re.compile(r"\b(?:forwards?|ahead)\b")
_JUMP = re.compile(r"\b(?:jump|leap|hop)(?:s|ing|ped|ed)?\b")
_JACK = re.compile(r"(?<!half a )\b(?:jumping jacks?|star jumps?)\b")
_SIT = re.compile(r"\b(?:sits? down|takes? a seat|sits\b(?! (?:up|on|in|at|there|still|with|cross)))")
_STAND_UP = re.compile(r"\b(?:stands? up|gets? up|(?<!hand )rises?|stands? again|comes? up to stand)\b")
_HIGH_SEAT = re.compile(r"\b(?:stool|tall|bar|high|top|dangling)\b")
_SQUAT = re.compile(r"\b(?:squats?|knee bends?)\b")
_ONE_SQUAT = re.compile(r"\b(?:does|performs|makes) (?:an?|one) (?:\w+ )?(?:squat|knee bend)\b")
_CROUCH = re.compile(r"\b(?:crouch(?:es)?|ducks?|hunkers?)\b")
_KNEEL = re.compile(r"\bkneels?\b")
_LIE_DOWN = re.compile(r"\b(?:lies?|lays?) down\b")
_LYING = re.compile(r"\b(?:lying|lies|lays)\b")
_CRAWL = re.compile(r"\bcrawls?\b|\bon all fours\b")
_BOW = re.compile(r"\bbows\b|\btakes? a bow\b|\bbow(?:s|ing)? (?:deeply|politely|forward|down)\b")
_BEND = re.compile(r"\b(?:bends?|folds?) (?:far )?(?:forward|over|down)\b|touch\w* (?:\w+ )?toes")
_LEAN = re.compile(
    r"\b(?:leans?|bends sideways|tilts?) (?:\w+ ){0,4}(?:to|toward|towards) (?:the|his|her|their) (left|right)\b"
)
_NO_LEAN = re.compile(r"\b(?:down|over|lung\w*|knees|path|run\w*|walk\w*|turn\w*|forward|backward)\b")
_STOOPS = re.compile(r"\b(?:bend|lean|fold|hang|plac|pick|reach|releas|stoop|slump|floor|ground|half)\w*")
_STILL = re.compile(
    r"\b(?:stands? still|stands? motionless|does not move|waits? motionless|stands? quietly)\b"
)
_STEPS = re.compile(rf"\b(?:takes|makes|walks) {_NUMBER} (?:steps|strides)\b(?! (?:down|up|back))")

MOST = 1e6

MOST_CLAUSES = 3
"""In a longer story a turn is soon undone by another one that no word tells of."""


@lru_cache(maxsize=4096)
def expectations(sentence: str) -> tuple[Expectation, ...]:
    """What a sentence lets one expect; nothing where it names nothing that can be measured."""
    text = " ".join(sentence.lower().split())
    if _DENIED.search(text):
        return ()
    clauses = [clause.strip() for clause in _CLAUSE.split(text) if clause.strip()]
    found: dict[str, Expectation] = {}
    rules = (
        (_arms, _legs, _air) if _ELSEWHERE.search(text) else (_travel, _turning, _arms, _legs, _air, _body)
    )
    for rule in rules:
        for expectation in rule(text, clauses):
            found.setdefault(expectation.name, expectation)
    return tuple(found.values())


def _expect(name: str, *bounds: Bound) -> Expectation:
    return Expectation(name, (bounds,))


def _either(name: str, *ways: tuple[Bound, ...]) -> Expectation:
    return Expectation(name, ways)


def _side(clause: str) -> str | None:
    """The side that a clause names, None for neither or both."""
    sides = set(re.findall(r"\b(left|right)(?:ward|wards)?\b", clause))
    return sides.pop() if len(sides) == 1 else None


def _other(side: str) -> str:
    return "right" if side == "left" else "left"


def _number(word: str) -> int:
    return _NUMBERS[word] if word in _NUMBERS else int(word)


def _times(text: str) -> int | None:
    """The number of times that a sentence names, None for none or several."""
    found = {_number(a or b) for a, b in _TIMES.findall(text)}
    return found.pop() if len(found) == 1 else None


def _count(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _travel(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Direction and pace."""
    if _NO_TRAVEL.search(text) or _CRAWL.search(text) or _GUARD.search(text):
        return
    yield from _direction(text, clauses)
    running, jogging, walking = (bool(pattern.search(text)) for pattern in (_RUN, _JOG, _WALK))
    quick = bool(_QUICK.search(text)) or "sprint" in text
    if running and not _SLOW.search(text):
        yield _expect("runs", Bound("travel.top_speed", 2.6 if quick else 1.7))
    elif jogging or running:
        yield _expect("jogs", Bound("travel.top_speed", 1.3))
    elif walking and not _JUMP.search(text):
        yield _expect("walks", Bound("travel.path", 0.3), Bound("travel.top_speed", high=2.4))
        paces = [clause for clause in clauses if _WALK.search(clause)]
        if any(_SLOW.search(clause) for clause in paces):
            yield _expect("walks slowly", Bound("travel.moving_speed", high=1.05))
        elif any(_QUICK.search(clause) for clause in paces) and not _BACKWARD.search(text):
            yield _expect("walks quickly", Bound("travel.moving_speed", 1.2))
    if len(found := _STEPS.findall(text)) == 1 and 1 < (count := _number(found[0])) <= 10:
        yield _expect(f"takes {count} steps", Bound("steps", count - 1, count + 1))


def _direction(text: str, clauses: list[str]) -> Iterator[Expectation]:
    going = [clause for clause in clauses if _GO.search(clause) or _RETREAT.search(clause)]
    patterns = (
        ("backward", _BACKWARD), ("backward", _RETREAT), ("forward", _FORWARD), ("sideways", _SIDEWAYS),
    )  # fmt: skip
    ways = {way for clause in going for way, pattern in patterns if pattern.search(clause)}
    back = _BACKWARD.search(text) or _RETREAT.search(text) or _BACK.search(text)
    if ways == {"backward"} and not _TURN.search(text) and not _FORWARD.search(text):
        yield _expect(
            "goes backward", Bound("travel.forward", high=-0.4), Bound("travel.backward_share", 0.6)
        )
    elif ways == {"forward"} and not back:
        steps = all(_STEP_ONLY.search(clause) for clause in going)
        share = (
            ()
            if steps or _TURN.search(text) or _SIDEWAYS.search(text)
            else (Bound("travel.forward_share", 0.7),)
        )
        yield _expect("goes forward", Bound("travel.forward", 0.2 if steps else 0.5), *share)
    elif ways == {"sideways"} and not _TURN.search(text) and (side := _side(text)):
        left = Bound("travel.left", 0.25) if side == "left" else Bound("travel.left", high=-0.25)
        yield _expect(f"steps to the {side}", left, Bound(f"travel.{side}_share", 0.5))


def _turning(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Sign and size of a turn about the vertical."""
    turns = [clause for clause in clauses if _TURN.search(clause) and not _TURN_OF.search(clause)]
    if _GUARD.search(text) or len(clauses) > MOST_CLAUSES:
        return
    if _FULL_TURN.search(text):
        yield _expect("turns all the way", Bound("travel.turned", 220.0))
        return
    if _AROUND.search(text):
        if len(turns) < 2 and not _BACK.search(text.replace("walks back", "").replace("comes back", "")):
            yield _either(
                "turns around", (Bound("travel.turn", 115.0),), (Bound("travel.turn", high=-115.0),)
            )
        return
    sides = {_side(clause) for clause in turns}
    if len(turns) != 1 or len(sides) != 1 or _side(text) is None:
        return
    side = sides.pop()
    clause = turns[0]
    if side is None or _SIDEWAYS.search(text) or _UNTURNED.search(text):
        return
    low, high = 25.0, MOST
    if _QUARTER.search(clause):
        low, high = 55.0, 125.0
    elif _EIGHTH.search(clause):
        low, high = 20.0, 75.0
    elif _SLIGHT.search(clause):
        low, high = 10.0, 80.0
    bound = Bound("travel.turn", low, high) if side == "left" else Bound("travel.turn", -high, -low)
    here = (Bound("travel.distance", high=0.9),) if _HERE.search(text) and not _WALK.search(text) else ()
    yield _expect(f"turns {side}", bound, *here)


def _arms(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Hands up, waves, claps, blows and throws."""
    if _NOT_UPRIGHT.search(text):
        return
    lone = _side(text) if not re.search(rf"\bboth\b|\b{_HAND}s\b", text) else None
    for clause in clauses:
        side = _side(clause)
        one = side if re.search(rf"\b{side} (?:\w+ )?{_HAND}\b", clause) else None
        both = bool(re.search(rf"\b(?:both|two|the|his|her|their) (?:\w+ )?{_HAND}s\b", clause))
        # where one hand is spoken of, the other one stays down
        rest = (Bound(f"{_other(one)}_arm.highest", high=0.1),) if one and lone == one else ()
        if not _NOT_UP.search(clause):
            yield from _raised(clause, one, both and not _BOTH_NOT_UP.search(clause), rest)
        if _WAVE.search(clause):
            if one:
                waves = Bound(f"{one}_arm.waves", 2), Bound(f"{one}_arm.above_shoulder", 0.3)
                yield _expect(f"waves the {one} hand", *waves, *rest)
            elif both:
                yield _expect("waves both hands", Bound("left_arm.waves", 2), Bound("right_arm.waves", 2))
            elif not side and re.search(r"\bwav", clause):
                yield _either("waves", (Bound("left_arm.waves", 1),), (Bound("right_arm.waves", 1),))
        if _BLOW.search(clause) and side and not _KICK.search(clause):
            reach = (Bound(f"{side}_arm.reach", 0.38),) if _STRAIGHT_BLOW.search(clause) else ()
            yield _expect(f"strikes with the {side} hand", Bound(f"{side}_arm.top_speed", 1.9), *reach)
        if _THROW.search(clause):
            arms = [one] if one else ["left", "right"]
            yield _either("throws", *((Bound(f"{arm}_arm.top_speed", 2.0),) for arm in arms))
    if _CLAP.search(text):
        # at 20 frames a second some of many quick claps are lost
        count = _times(text)
        if count is None:
            yield _expect("claps", Bound("hands.claps", 2))
        else:
            yield _expect(
                f"claps {_count(count)}", Bound("hands.claps", min(max(count - 1, 1), 3), count + 1)
            )


def _raised(clause: str, one: str | None, both: bool, rest: tuple[Bound, ...]) -> Iterator[Expectation]:
    lifts, is_up = _LIFT.search(clause), _HELD_UP.search(clause)
    if not (lifts or is_up):
        return
    height = 0.15 if _HIGH.search(clause) else -0.05
    if one:
        yield _expect(f"raises the {one} hand", Bound(f"{one}_arm.highest", height), *rest)
    elif both:
        held = () if lifts else (Bound("hands.both_above_shoulder", 0.4),)
        highest = Bound("left_arm.highest", height), Bound("right_arm.highest", height)
        yield _expect("raises both hands", *highest, *held)


def _legs(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Kicks, raised knees and legs."""
    lone = _side(text)
    for clause in clauses:
        side = _side(clause)
        if _KICK.search(clause):
            high = 0.6 if re.search(r"\bhigh\b", clause) else 0.3
            if side:
                still = (Bound(f"{_other(side)}_leg.kicks", high=0),) if lone == side else ()
                yield _expect(f"kicks with the {side} leg", Bound(f"{side}_leg.foot", high), *still)
            else:
                yield _either("kicks", (Bound("left_leg.foot", high),), (Bound("right_leg.foot", high),))
        elif _RAISED_KNEE.search(clause):
            knees = [side] if side else ["left", "right"]
            yield _either(
                f"raises the {side} knee" if side else "raises a knee",
                *((Bound(f"{k}_leg.knee", -0.2),) for k in knees),
            )
        elif _RAISED_LEG.search(clause) and side:
            still = (
                (Bound(f"{_other(side)}_leg.foot", high=0.2),)
                if lone == side and not _WALK.search(text)
                else ()
            )
            yield _expect(f"raises the {side} leg", Bound(f"{side}_leg.foot", 0.18), *still)


def _air(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Jumps, their number, height and direction."""
    if _JACK.search(text):
        # the legs of a jumping jack leave the floor too shortly to be counted
        yield _expect("does jumping jacks", Bound("left_arm.raises", 2), Bound("right_arm.raises", 2))
        return
    jumps = [clause for clause in clauses if _JUMP.search(clause)]
    if not jumps or re.search(r"\b(?:rope|platform|down from|off|hopscotch|one (?:leg|foot))\b", text):
        return
    count = _times(text)
    if count is not None and len(jumps) == 1 and not _RUN.search(text):
        yield _expect(f"jumps {_count(count)}", Bound("air.jumps", count, count))
    elif _RUN.search(text) or re.search(r"\bhop", text):
        yield _expect("jumps", Bound("air.flights", 1))
    else:
        yield _either("jumps", (Bound("air.jumps", 1),), (Bound("air.time", 0.2),))
    if any(_AHEAD.search(clause) for clause in jumps):
        yield _expect("jumps forward", Bound("travel.forward", 0.3))
    if any(re.search(r"\bhigh\b", clause) for clause in jumps):
        yield _expect("jumps high", Bound("air.rise", 0.1))


def _body(text: str, clauses: list[str]) -> Iterator[Expectation]:
    """Sitting, standing up, squats, bows, lying, standing still."""
    seat = not _HIGH_SEAT.search(text)
    sits, rises = (pattern.search(text) if seat else None for pattern in (_SIT, _STAND_UP))
    squats, crouches = _SQUAT.search(text), _CROUCH.search(text)
    low = bool(squats or crouches or _KNEEL.search(text) or _LIE_DOWN.search(text) or _CRAWL.search(text))
    count = _times(text)
    if found := re.search(rf"\b{_NUMBER} (?:deep )?(?:squats?|knee bends?)\b", text):
        count = _number(found[1])
    if (sits or squats) and not (_JUMP.search(text) or _KICK.search(text)):
        name = "squats" if squats else "sits down"
        if count and (squats or rises):
            yield _expect(
                f"{name} {_count(count)}", Bound("pelvis.dips", count, count), Bound("pelvis.end", 0.8)
            )
        elif sits and not squats and not rises and not low:
            last = _SIT.search(clauses[-1])
            yield _expect(name, Bound("pelvis.end" if last else "pelvis.lowest", high=0.8))
        elif squats or rises:
            yield _expect(name, Bound("pelvis.lowest", high=0.78))
        first = sits or squats
        if first and rises and first.start() < rises.start() and not count:
            yield _expect("stands up again", Bound("pelvis.end", 0.82))
        elif squats and _ONE_SQUAT.search(text) and len(clauses) == 1:
            yield _expect("comes up again", Bound("pelvis.end", 0.82))
        if sits and not rises and clauses and _SIT.search(clauses[0]) and len(clauses) == 1:
            yield _expect("stands at first", Bound("pelvis.start", 0.8))
    elif crouches and not _JUMP.search(text) and "slight" not in text:
        yield _expect("crouches", Bound("pelvis.lowest", high=0.82))
    lying = _LYING.search(text)
    if (
        rises
        and not sits
        and not low
        and (lying or not _STOOPS.search(text))
        and _STAND_UP.search(clauses[0])
    ):
        start = 0.5 if lying else 0.85
        yield _expect("stands up", Bound("pelvis.start", high=start), Bound("pelvis.rise", 0.08))
    if _KNEEL.search(text):
        yield _either("kneels", (Bound("left_leg.on_knee", 0.3),), (Bound("right_leg.on_knee", 0.3),))
    if _LIE_DOWN.search(text) and not rises:
        yield _expect("lies down", Bound("pelvis.end", high=0.5))
    if _CRAWL.search(text) and not rises:
        yield _expect("crawls", Bound("pelvis.lowest", high=0.7))
    if _BOW.search(text):
        yield _expect("bows", Bound("trunk.pitch", 20.0))
    elif _BEND.search(text) and not _GUARD.search(text) and not re.search(r"\bslight|knees", text):
        yield _either("bends down", (Bound("trunk.pitch", 25.0),), (Bound("pelvis.lowest", high=0.8),))
    if (lean := _LEAN.search(text)) and _side(text) and not _NO_LEAN.search(text):
        yield _expect(f"leans to the {lean[1]}", Bound(f"trunk.roll_{lean[1]}", 12.0))
    if _STILL.search(text) and len(clauses) == 1:
        yield _expect("stands still", Bound("travel.path", high=0.6), Bound("still", 0.4))
