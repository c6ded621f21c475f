# SPDX-License-Identifier: GPL-3.0-or-later
"""Single punches, cut from measured clips.

Somebody who boxes punches ten times in a window, and a handful of clips show one jab, hook or uppercut each. A network
that sees them as often as everything else learns an arm that comes up slowly. Here every quick stroke of a fist is
found where the hand is fastest, cut out with more or less of what surrounds it, and kept where the measures say that
one arm strikes and the other does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from motion_engine import features
from motion_engine.kinematics import Arm, Kinematics, facing_angle, in_body_frame, kinematics
from motion_engine.kinematics_signals import velocity
from motion_engine.motion import Motion
from training.data.captions import mirror_caption
from training.data.loader import change_tempo
from training.data.motion_set import Item, MotionSet, window_motion

STRIKES = "strikes"
"""Name of these clips as a source of items."""

FAST = 2.0
"""m/s of a hand against the body: slower ones do not strike."""

ALONE = 0.75
"""The other hand is slower than this share of the one that strikes."""

APART = 0.35
"""s between two strokes of one hand."""

LEAD, TAIL = (0.5, 1.5), (0.5, 1.3)
"""s before and after the stroke, drawn from these ranges."""

TEMPO = (0.92, 1.15)
SHORTEST = 0.9

_FIGHTS = re.compile(
    r"\b(jabs?|crosse?s?|hooks?|uppercuts?|backfists?|punch\w*|box(es|ing)|shadow ?box\w*)\b"
)
_NOT_FISTS = re.compile(r"\b(sword|box (on|over|up|down|from)|lift\w*|carr\w*|danc\w*|danc\w*|arms? drill)\b")
_NAMED = re.compile(r"\b(?:left|right) (?:body )?(jab|cross|hook|uppercut|backfist)\b|\b(jab)s\b")
_GUARD = re.compile(r"\b(fighting stance|guard)\b")
_SUBJECTS = ("a person", "someone", "a person", "the man", "a figure")
_STRAIGHT = (
    "punches with the {side} fist", "punches forward with the {side} hand", "throws a {side} punch",
    "throws a quick {side} punch", "throws a straight {side} punch", "strikes with the {side} fist",
    "hits out with the {side} hand", "throws one punch with the {side} hand",
)  # fmt: skip
_NAMES = (
    "throws a {side} {name}", "throws a quick {side} {name}", "strikes with a {side} {name}",
    "lands a {side} {name}", "throws one {name} with the {side} hand",
)  # fmt: skip
_IN_GUARD = ("in a fighting stance ", "in guard ", "")


@dataclass(frozen=True)
class _Stroke:
    """A stroke of the ``side`` hand at a frame of a clip; ``name`` is what the captions call it, else empty."""

    motion: Motion
    frame: int
    side: str
    name: str
    guard: bool


def strike_items(motion_set: MotionSet, count: int, max_frames: int, seed: int = 0) -> list[Item]:
    """``count`` clips of the training split with one punch each, and their mirror images.

    The kinds (jab, cross, hook, ..., and punches without a name) are drawn evenly. Items have the source `STRIKES`; the
    same ones for the same seed; fewer where the set has too little.
    """
    random = np.random.default_rng((seed, 5))
    kinds: dict[str, list[_Stroke]] = {}
    for stroke in _strokes(motion_set) if count else []:
        kinds.setdefault(stroke.name, []).append(stroke)
    names = sorted(kinds)
    items: list[Item] = []
    for _ in range(4 * count):  # a try fails where both arms strike, or none
        if not names or len(items) >= 2 * count:
            break
        strokes = kinds[names[random.integers(len(names))]]
        stroke = strokes[random.integers(len(strokes))]
        rows = _cut(stroke, random)
        if rows is None or len(rows) > max_frames:
            continue
        measured = kinematics(features.decode(rows, motion_set.fps))
        if not _strikes(measured, stroke):
            continue
        captions = _captions(stroke, random)
        name = f"{STRIKES}/{len(items) // 2}"
        items.append(Item(rows, captions, STRIKES, name))
        mirrored = tuple(map(mirror_caption, captions))
        items.append(Item(features.mirror(rows), mirrored, STRIKES, f"{name}/mirrored"))
    return items


def _strokes(motion_set: MotionSet) -> list[_Stroke]:
    found = []
    for window in motion_set.windows:
        text = " ; ".join(window.captions)
        if window.split != "train" or not _FIGHTS.search(text) or _NOT_FISTS.search(text):
            continue
        motion = window_motion(motion_set, window)
        named = _NAMED.search(text)
        name = next(filter(None, named.groups())) if named else ""
        for side, joint in (("left", 20), ("right", 21)):
            if name and not re.search(rf"\b{side}\b", window.captions[0]):
                continue
            for frame in _fastest(motion, joint):
                found.append(_Stroke(motion, frame, side, name, bool(_GUARD.search(text))))
    return found


def _fastest(motion: Motion, joint: int) -> list[int]:
    """Frames at which a joint is faster against the pelvis than around it, and fast enough to strike."""
    joints = motion.joints.astype(float)
    body = in_body_frame(joints, facing_angle(joints, motion.fps))
    speed = np.linalg.norm(velocity(body[:, joint], motion.fps), axis=-1)
    reach = max(round(APART * motion.fps), 1)
    padded = np.pad(speed, reach)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=-1)
    return [int(i) for i in np.flatnonzero((speed >= FAST) & (speed == highest))]


def _cut(stroke: _Stroke, random: np.random.Generator) -> np.ndarray | None:
    """Features (T, 263) of a part of the clip around the stroke, a little faster or slower."""
    fps = stroke.motion.fps
    lead, tail = (random.uniform(*span) for span in (LEAD, TAIL))
    first = max(stroke.frame - round(lead * fps), 0)
    last = min(stroke.frame + round(tail * fps), stroke.motion.n_frames)
    if last - first < SHORTEST * fps:
        return None
    part = stroke.motion.trim(first / fps, last / fps)
    return change_tempo(features.encode(part).astype(np.float32), random.uniform(*TEMPO))


def _strikes(measured: Kinematics, stroke: _Stroke) -> bool:
    arms: dict[str, Arm] = {"left": measured.left_arm, "right": measured.right_arm}
    used = arms.pop(stroke.side)
    (rest,) = arms.values()
    straight = used.punches == 1 if not stroke.name else used.punches <= 1
    return (
        straight and rest.punches == 0 and used.top_speed >= FAST and rest.top_speed < ALONE * used.top_speed
    )


def _captions(stroke: _Stroke, random: np.random.Generator) -> tuple[str, ...]:
    phrases = _NAMES if stroke.name else _STRAIGHT
    made = []
    for index in random.permutation(len(phrases))[:4]:
        subject = _SUBJECTS[int(random.integers(len(_SUBJECTS)))]
        guard = _IN_GUARD[int(random.integers(len(_IN_GUARD)))] if stroke.guard else ""
        made.append(f"{subject} {guard}{phrases[index].format(side=stroke.side, name=stroke.name)}")
    if stroke.name in ("jab", "cross"):
        phrase = _STRAIGHT[int(random.integers(len(_STRAIGHT)))]
        made.append(f"a person {phrase.format(side=stroke.side)}")
    return tuple(dict.fromkeys(made))
