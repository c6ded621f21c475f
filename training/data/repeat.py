# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips in which an act is done a certain number of times, from measured ones in which it is done once.

People rarely film "jumps three times" beside "jumps twice". A clip in which `motion_engine.kinematics` counts one jump
can be played on behind itself; the result is counted again, and kept only where the count is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from motion_engine import features
from motion_engine.kinematics import Arm, Kinematics, Leg, kinematics
from motion_engine.motion import Motion
from motion_engine.seam import join
from training.data.captions import mirror_caption
from training.data.compose import poses_in_own_frame
from training.data.motion_set import Item, MotionSet, window_motion
from training.data.sentences import split_subject

REPEATED = "repeated"
"""Name of these clips as a source of items."""

MOST_TIMES = 5
SEAM_SECONDS = 0.35
LOOPS = 0.22
"""m: a clip may follow itself where its last and first poses differ by less, mean over joints."""

RAISED = 0.1
"""m over the shoulder: what comes up less far is not called a raised hand."""

STIR = 0.12
"""m/s: where the joints move less on average, before and after the act, the clip is cut off..."""

REST = 4
"""... but for so many frames."""

TIMES = {1: ("once", "one time"), 2: ("twice", "two times")}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
_UNCOUNTED = re.compile(
    r"\b(once|twice|times?|again|repeat\w*|then|several|keeps?|many|one|two|three|four|five|series|combinations?"
    r"|double|after|before|while|and|starts?|begins?|stops?|both sides|alternat\w*|punches|clap\w*|wav\w*|wip\w*)\b"
)
"""Captions with these words are not simply continued with "twice"."""


@dataclass(frozen=True)
class _Act:
    """Something that is counted.

    ``words`` must be in a caption; ``count`` of the measures is how often it is done, None where something else is
    going on too; ``phrases`` say it, ``{times}`` and ``{number}`` filled in, ``{s}`` a plural.
    """

    words: str
    count: Callable[[Kinematics], int | None]
    phrases: tuple[str, ...]


def _standing(m: Kinematics) -> bool:
    return min(m.pelvis.start, m.pelvis.end) > 0.88 and m.travel.path < 0.8 and m.trunk.flat == 0


def _jumps(m: Kinematics) -> int | None:
    return m.air.jumps if _standing(m) and abs(m.air.forward) < 0.25 else None


def _dips(m: Kinematics) -> int | None:
    return m.pelvis.dips if _standing(m) and m.air.jumps == 0 else None


def _bows(m: Kinematics) -> int | None:
    return m.trunk.bows if _standing(m) and m.pelvis.lowest > 0.86 else None


def _at_rest(m: Kinematics) -> bool:
    return _standing(m) and m.pelvis.lowest > 0.85 and m.air.jumps == 0


def _lifts(arm: Callable[[Kinematics], Arm], rest: Callable[[Kinematics], Arm]) -> Callable[..., int | None]:
    def count(m: Kinematics) -> int | None:
        used, other = arm(m), rest(m)
        alone = other.highest < -0.1 and max(used.start, used.end) < -0.2 and used.waves <= used.raises
        return used.raises if _at_rest(m) and alone and used.highest > RAISED else None

    return count


def _both_lifts(m: Kinematics) -> int | None:
    ends = max(m.left_arm.start, m.left_arm.end, m.right_arm.start, m.right_arm.end)
    same = m.left_arm.raises == m.right_arm.raises and m.hands.claps == 0
    raised = min(m.left_arm.highest, m.right_arm.highest) > RAISED
    return m.left_arm.raises if _at_rest(m) and same and raised and ends < -0.2 else None


def _punches(
    arm: Callable[[Kinematics], Arm], rest: Callable[[Kinematics], Arm]
) -> Callable[..., int | None]:
    return lambda m: arm(m).punches if _at_rest(m) and rest(m).punches == 0 else None


def _swings(
    leg: Callable[[Kinematics], Leg], rest: Callable[[Kinematics], Leg], what: Callable[[Leg], int]
) -> Callable[..., int | None]:
    return lambda m: what(leg(m)) if _standing(m) and rest(m).foot < 0.15 and not m.air.jumps else None


def _sided(side: str) -> tuple[_Act, ...]:
    other = {"left": "right", "right": "left"}[side]

    def arm(m: Kinematics) -> Arm:
        return getattr(m, f"{side}_arm")

    def other_arm(m: Kinematics) -> Arm:
        return getattr(m, f"{other}_arm")

    def leg(m: Kinematics) -> Leg:
        return getattr(m, f"{side}_leg")

    def other_leg(m: Kinematics) -> Leg:
        return getattr(m, f"{other}_leg")

    return (
        _Act(r"\b(rais|lift|abduct|elevat|swing|reach|flex)\w*", _lifts(arm, other_arm), (
            f"raises the {side} arm {{times}}", f"lifts the {side} hand {{times}}", f"raises the {side} hand {{times}}",
            f"lifts the {side} arm up and lowers it {{times}}",
        )),
        _Act(r"punch|jab|hook|uppercut|cross\b|strik", _punches(arm, other_arm), (
            f"punches {{times}} with the {side} fist", f"punches with the {side} hand {{times}}",
            f"throws {{number}} {side} punch{{es}}", f"strikes {{times}} with the {side} fist",
        )),
        _Act(r"kick", _swings(leg, other_leg, lambda found: found.kicks), (
            f"kicks {{times}} with the {side} leg", f"kicks with the {side} foot {{times}}",
            f"does {{number}} kick{{s}} with the {side} leg",
        )),
        _Act(r"leg|hip", _swings(leg, other_leg, lambda found: found.raises), (
            f"raises the {side} leg {{times}}", f"lifts the straight {side} leg {{times}}",
            f"does {{number}} leg lift{{s}} with the {side} leg",
        )),
        _Act(r"knee", _swings(leg, other_leg, lambda found: found.knee_raises), (
            f"lifts the {side} knee {{times}}", f"raises the {side} knee {{times}}",
        )),
    )  # fmt: skip


_ACTS = (
    _Act(r"\bjump(?!ing jack)|\bhop|leap", _jumps, (
        "jumps {times}", "jumps up {times}", "jumps {times} on the spot", "does {number} jump{s}",
        "leaves the ground {times}", "jumps in place {times}",
    )),
    _Act(r"squat|knee bend", _dips, (
        "squats {times}", "does {number} squat{s}", "bends the knees deeply {times}", "squats down and gets up {times}",
    )),
    _Act(r"\bsit", _dips, (
        "sits down and stands up {times}", "goes from standing to sitting and back {times}",
        "sits and gets up {times}",
    )),
    _Act(r"\bbow|bend|lean", _bows, ("bows {times}", "bends forward {times}", "takes {number} bow{s}")),
    _Act(r"\b(rais|lift|overhead|above|stretch|swing)\w*", _both_lifts, (
        "raises both arms {times}", "lifts both hands {times}", "raises and lowers both arms {times}",
    )),
    *_sided("left"),
    *_sided("right"),
)  # fmt: skip


@dataclass(frozen=True)
class _Once:
    """A clip that holds its act once, and what people said about it."""

    motion: Motion
    captions: tuple[tuple[str, str], ...]


def repeated_items(motion_set: MotionSet, count: int, max_frames: int, seed: int = 0) -> list[Item]:
    """``count`` clips of the training split with one to five repetitions of an act, and their mirror images.

    Acts are drawn evenly, however many clips show them. Items have the source `REPEATED`; the same ones for the same
    seed; fewer where the set has too little.
    """
    random = np.random.default_rng((seed, 3))
    found = [(act, clips) for act, clips in _single_acts(motion_set) if clips] if count else []
    items: list[Item] = []
    for _ in range(4 * count):  # a try fails where the count of the result is not what it should be
        if not found or len(items) >= 2 * count:
            break
        act, clips = found[random.integers(len(found))]
        once = clips[random.integers(len(clips))]
        most = min(MOST_TIMES, max_frames // once.motion.n_frames)
        times = int(random.integers(1, most + 1))
        motion = once.motion
        for _ in range(times - 1):
            motion = join(motion, once.motion, SEAM_SECONDS)
        if act.count(kinematics(motion)) != times:
            continue
        captions = _captions(act, once, times, random)
        rows = features.encode(motion).astype(np.float32)
        name = f"{REPEATED}/{len(items) // 2}"
        items.append(Item(rows, captions, REPEATED, name))
        mirrored = tuple(map(mirror_caption, captions))
        items.append(Item(features.mirror(rows), mirrored, REPEATED, f"{name}/mirrored"))
    return items


def _single_acts(motion_set: MotionSet) -> list[tuple[_Act, list[_Once]]]:
    found: list[tuple[_Act, list[_Once]]] = [(act, []) for act in _ACTS]
    for window in motion_set.windows:
        text = " ; ".join(window.captions)
        acts = [(act, clips) for act, clips in found if re.search(act.words, text)]
        if window.split != "train" or not acts:
            continue
        motion = _stirring(window_motion(motion_set, window))
        if motion is None:
            continue
        measured = kinematics(motion)
        captions = tuple(filter(None, map(split_subject, window.captions)))
        for act, clips in acts:
            if act.count(measured) == 1:
                clips.append(_Once(motion, captions))
    return found


def _stirring(motion: Motion) -> Motion | None:
    """The clip from shortly before it moves to shortly after; None where it does not end as it began."""
    speed = np.linalg.norm(np.diff(motion.joints.astype(float), axis=0), axis=-1).mean(axis=-1) * motion.fps
    stirring = np.flatnonzero(speed > STIR)
    if len(stirring) < REST:
        return None
    first, last = max(stirring[0] - REST, 0), min(stirring[-1] + 1 + REST, motion.n_frames)
    motion = motion.trim(first / motion.fps, last / motion.fps)
    poses = poses_in_own_frame(motion)
    apart = np.linalg.norm((poses[0] - poses[-1]).reshape(-1, 3), axis=-1).mean()
    return motion if apart < LOOPS else None


def _captions(act: _Act, once: _Once, times: int, random: np.random.Generator) -> tuple[str, ...]:
    def pick(options: Sequence[str]) -> str:
        return options[int(random.integers(len(options)))]

    def filled(phrase: str) -> str:
        words = {
            "times": pick(TIMES.get(times, (f"{NUMBERS[times]} times",))),
            "number": NUMBERS[times],
            "s": "s" if times > 1 else "",
            "es": "es" if times > 1 else "",
        }
        return phrase.format(**words)

    chosen = [act.phrases[i] for i in random.permutation(len(act.phrases))[:3]]
    made = [f"{pick(('a person', 'someone', 'a person', 'a figure'))} {filled(phrase)}" for phrase in chosen]
    plain = [(s, p) for s, p in once.captions if re.search(act.words, p) and not _UNCOUNTED.search(p)]
    plain = [(s, p) for s, p in plain if len(p) < 60]
    for index in random.permutation(len(plain))[:2]:
        subject, predicate = plain[index]
        made.append(f"{subject} {predicate} " + filled("{times}"))
    return tuple(dict.fromkeys(made))
