# SPDX-License-Identifier: GPL-3.0-or-later
"""New training clips from measured ones: "A, then B" one behind the other, and arms of one clip on legs of another.

Mocap libraries hold most actions by themselves; prompts combine them. Both kinds carry captions put together from
those of their parts, so that a model sees what "then" and "while" do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import features, skeleton
from motion_engine import quaternion as quat
from motion_engine.motion import Motion
from motion_engine.seam import join
from training.data.captions import mirror_caption
from training.data.motion_set import Item, MotionSet, Window
from training.data.sentences import gerund, split_subject

Array = NDArray[np.floating]

JOINED, LAYERED = "joined", "layered"
"""Names of the two kinds as sources of items: what `[data.shares]` of a configuration calls them."""

CANDIDATES = 24
"""Second clips that are looked at for each first one; the one whose start is closest to its end is taken."""

SEAM_SEARCH = 0.25
"""Share of a clip at its end, or start, in which the seam may lie where its action is cyclic."""

RAMP = 0.35
"""Seconds in which an arm goes over from one clip to the other."""

_CYCLIC = re.compile(
    r"\b(walk|run|jog|stride|march|danc|jump rope|skip|stand|wave|waving|clap|sway|balanc)\w*"
)
_LEGS = re.compile(
    r"\b(leg|legs|knee|knees|foot|feet|squat|lunge|sit|sits|sitting|kneel|crouch|kick|step|steps|walk|run|jump|"
    r"lie|lies|floor|ground|crawl|turn|bend|bends|bow|bows|lean|leans|twist|hop|swim|climb|danc|march|jog|chair)\w*"
)
_ARMS = re.compile(r"\b(arm|arms|hand|hands|elbow|elbows|wave|waves|clap|claps|punch|throw|point|raise)\w*")
_LOCOMOTION = re.compile(
    r"^(?:\w+ly )?(walks|runs|jogs|strides|strolls|marches|sprints|paces|steps|goes|moves)\b"
)
_GESTURE = re.compile(
    r"^(?:\w+ly )?(waves|raises|lifts|claps|punches|throws|points|stretches|swings|salutes|applauds|reaches|holds|"
    r"scratches|drinks|greets|puts|brings|boxes|pitches|shakes|rubs|beckons|signals|conducts|plays|mimes)\b"
)
_ARM_JOINTS = {"left": (13, 16, 18, 20), "right": (14, 17, 19, 21)}


@dataclass(frozen=True)
class _Part:
    """A clip that can be combined: motion, predicates of its captions, whether it may be cut anywhere."""

    motion: Motion
    captions: tuple[tuple[str, str], ...]
    cyclic: bool


def composed_items(
    motion_set: MotionSet, joined: int, layered: int, max_frames: int, seed: int = 0
) -> list[Item]:
    """``joined`` "A, then B" clips and ``layered`` "A while B" clips from the training split, and their mirror images.

    Returns
    -------
    Items whose source is `JOINED` or `LAYERED`; the same ones for the same seed.
    """
    random = np.random.default_rng(seed)
    parts = _parts(motion_set)
    made = [(m, c, JOINED) for m, c in _joined(parts, joined, max_frames, random)]
    made += [(m, c, LAYERED) for m, c in _layered(parts, layered, max_frames, random)]
    items = []
    for number, (motion, captions, kind) in enumerate(made):
        rows = features.encode(motion).astype(np.float32)
        mirrored = tuple(map(mirror_caption, captions))
        items.append(Item(rows, captions, kind, f"{kind}/{number}"))
        items.append(Item(features.mirror(rows), mirrored, kind, f"{kind}/{number}/mirrored"))
    return items


def _parts(motion_set: MotionSet) -> dict[str, list[_Part]]:
    """Combinable training windows by source."""
    found: dict[str, list[_Part]] = {}
    for window in motion_set.windows:
        if window.split != "train":
            continue
        captions = tuple(filter(None, map(split_subject, window.captions)))
        if not captions:
            continue
        motion = motion_set.motions[window.clip]
        end = min(window.end, motion.duration)
        if end - window.start < 1.0:
            continue
        found.setdefault(window.source, []).append(
            _Part(motion.trim(window.start, end), captions, _is_cyclic(window))
        )
    return found


def _is_cyclic(window: Window) -> bool:
    return bool(_CYCLIC.search(window.captions[0])) and "then" not in window.captions[0]


def _choose(parts: dict[str, list[_Part]], random: np.random.Generator) -> _Part:
    """A part of a random source, drawn by the square root of its size: neither repetition nor rarity takes over."""
    names = sorted(parts)
    weights = np.sqrt([len(parts[name]) for name in names])
    group = parts[names[random.choice(len(names), p=weights / weights.sum())]]
    return group[random.integers(len(group))]


def _caption(part: _Part, random: np.random.Generator, shortest: bool = False) -> tuple[str, str]:
    if shortest:
        return min(part.captions, key=lambda caption: len(caption[1]))
    return part.captions[random.integers(len(part.captions))]


# --- A, then B ------------------------------------------------------------------------------------------


def _joined(
    parts: dict[str, list[_Part]], count: int, max_frames: int, random: np.random.Generator
) -> list[tuple[Motion, tuple[str, ...]]]:
    made: list[tuple[Motion, tuple[str, ...]]] = []
    while parts and len(made) < count:
        first = _choose(parts, random)
        others = [_choose(parts, random) for _ in range(CANDIDATES)]
        first_motion = _shortened(first, max_frames * 0.55, random)
        room = max_frames - first_motion.n_frames
        fitting = [(o, _shortened(o, room, random)) for o in others]
        fitting = [(o, m) for o, m in fitting if m.n_frames <= room and m.n_frames >= 16]
        if first_motion.n_frames > max_frames * 0.6 or not fitting:
            continue
        first_motion, second, second_motion = _best_seam(first, first_motion, fitting)
        motion = join(first_motion, second_motion)
        a, b = _caption(first, random, shortest=True), _caption(second, random, shortest=True)
        c, d = _caption(first, random), _caption(second, random)
        made.append(
            (
                motion,
                (
                    f"{a[0]} {a[1]}, then {b[1]}",
                    f"{a[0]} {a[1]} and then {b[1]}",
                    f"{c[0]} {c[1]}, then {d[1]}",
                    f"{c[0]} first {a[1]}, then {b[1]}",
                ),
            )
        )
    return made


def _shortened(part: _Part, most: float, random: np.random.Generator) -> Motion:
    """The motion, or a part of it of at most ``most`` frames where its action is cyclic."""
    motion = part.motion
    if motion.n_frames <= most or not part.cyclic or most < 24:
        return motion
    length = int(random.integers(24, int(most) + 1))
    start = int(random.integers(0, motion.n_frames - length + 1))
    return motion.trim(start / motion.fps, (start + length) / motion.fps)


def poses_in_own_frame(motion: Motion) -> Array:
    """(T, 66) joints relative to the pelvis' place on the floor, turned to face +Z: what a seam should not change."""
    joints = motion.joints.astype(float)
    front = skeleton.facing(joints)
    turn = quat.about_axis(1, -np.arctan2(front[:, 0], front[:, 2]))
    local = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    return quat.rotate(turn[:, None], local).reshape(motion.n_frames, -1)


def _best_seam(
    first: _Part, first_motion: Motion, others: Sequence[tuple[_Part, Motion]]
) -> tuple[Motion, _Part, Motion]:
    """Cut of the first clip, second part and its cut with the smallest difference of the poses at the seam."""
    poses = poses_in_own_frame(first_motion)
    earliest = int(len(poses) * (1 - SEAM_SEARCH)) if first.cyclic else len(poses) - 3
    best: tuple[float, int, int, int] = (np.inf, 0, 0, 0)
    for index, (part, motion) in enumerate(others):
        starts = poses_in_own_frame(motion)[
            : max(int(motion.n_frames * SEAM_SEARCH), 1) if part.cyclic else 3
        ]
        distance = np.linalg.norm(poses[max(earliest, 8) :, None] - starts[None], axis=-1)
        end, start = divmod(int(distance.argmin()), distance.shape[1])
        if distance[end, start] < best[0]:
            best = (float(distance[end, start]), index, end + max(earliest, 8), start)
    _, index, end, start = best
    part, motion = others[index]
    fps = motion.fps
    return first_motion.trim(0, (end + 1) / fps), part, motion.trim(start / fps, motion.n_frames / fps)


# --- A while B ------------------------------------------------------------------------------------------


def _layered(
    parts: dict[str, list[_Part]], count: int, max_frames: int, random: np.random.Generator
) -> list[tuple[Motion, tuple[str, ...]]]:
    lower = {name: [w for w in map(_walks, group) if w] for name, group in parts.items()}
    upper = {name: [p for p in group if _is_gesture(p)] for name, group in parts.items()}
    lower, upper = ({n: g for n, g in kind.items() if g} for kind in (lower, upper))
    made: list[tuple[Motion, tuple[str, ...]]] = []
    while lower and upper and len(made) < count:
        walk, gesture = _choose(lower, random), _choose(upper, random)
        length = min(walk.motion.n_frames, gesture.motion.n_frames + 20, max_frames)
        if length < 24 or gesture.motion.n_frames > length + 20:
            continue
        start = int(random.integers(0, walk.motion.n_frames - length + 1))
        motion = walk.motion.trim(start / walk.motion.fps, (start + length) / walk.motion.fps)
        motion = arms_onto(
            motion, gesture.motion, int(random.integers(0, max(length - gesture.motion.n_frames, 0) + 1))
        )
        a, b = _caption(walk, random, shortest=True), _caption(gesture, random, shortest=True)
        c, d = _caption(walk, random), _caption(gesture, random)
        made.append(
            (
                motion,
                (
                    f"{a[0]} {a[1]} while {gerund(b[1])}",
                    f"{b[0]} {b[1]} while {gerund(a[1])}",
                    f"{c[0]} {a[1]} and {b[1]}",
                    f"{c[0]} {c[1]} while {gerund(d[1])}",
                ),
            )
        )
    return made


def _walks(part: _Part) -> _Part | None:
    """The part with those captions that speak of its way alone, if it travels upright with the arms down."""
    joints = part.motion.joints
    travelled = np.linalg.norm(np.diff(part.motion.root[:, [0, 2]], axis=0), axis=-1).sum()
    raised = joints[:, [20, 21], 1] > joints[:, [16, 17], 1] - 0.1
    captions = tuple(
        (subject, predicate)
        for subject, predicate in part.captions
        if _LOCOMOTION.match(predicate) and not _ARMS.search(predicate) and "then" not in predicate
    )
    if not captions or travelled < 1.0 or part.motion.root[:, 1].min() < 0.75 or raised.mean() > 0.05:
        return None
    return _Part(part.motion, captions, part.cyclic)


def _is_gesture(part: _Part) -> bool:
    predicates = [predicate for _, predicate in part.captions if _GESTURE.match(predicate)]
    root = part.motion.root
    return bool(
        predicates
        and not any(_LEGS.search(predicate) for _, predicate in part.captions)
        and np.ptp(root[:, [0, 2]], axis=0).max() < 0.25
        and root[:, 1].min() > 0.8
    )


def arms_onto(body: Motion, gesture: Motion, delay: int = 0) -> Motion:
    """``body`` with the arms that ``gesture`` uses, ``delay`` frames after its start.

    An arm counts as used when its wrist moves by more than a quarter of a metre relative to the pelvis. It goes over
    from one clip to the other in `RAMP` seconds on both sides.
    """
    n = body.n_frames
    time = np.arange(n) - delay
    source = np.clip(time, 0, gesture.n_frames - 1)
    ramp = RAMP * body.fps
    weight = np.clip(np.minimum(time / ramp, (gesture.n_frames - time) / ramp), 0.0, 1.0)
    weight = weight * weight * (3 - 2 * weight)
    rotations = body.rotations.astype(float)
    wrists = gesture.joints[:, [20, 21]] - gesture.joints[:, :1]
    reach = np.ptp(wrists, axis=0).max(axis=-1)
    for side, moved in zip(("left", "right"), reach, strict=True):
        if moved > 0.25:
            for joint in _ARM_JOINTS[side]:
                other = gesture.rotations[source, joint].astype(float)
                rotations[:, joint] = quat.slerp(rotations[:, joint], other, weight)
    return Motion.from_rotations(rotations, body.root, body.fps, {}, body.contacts)
