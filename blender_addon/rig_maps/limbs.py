# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints along one limb, from the positions of its bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .mirror import Plane
from .posture import Array

_SHOULDER = 0.33
"""Distance of a shoulder from the middle over the length of the arm, on a human."""

_DOUBT = 0.08
"""Difference of cost between two bones below which either could be the shoulder."""

_BALL = 0.65
"""Distance of the ball of the foot from the ankle over that of the toes' tips."""


class Skeleton(Protocol):
    """What a limb has to know of the whole armature."""

    heads: Array
    tails: Array
    children: list[list[int]]
    counts: Array
    plane: Plane | None


@dataclass(frozen=True)
class Limb:
    """A chain of bones from the trunk outwards; bones that start where the next one does are left out.

    Attributes
    ----------
    bones : list of int
    points : (k, 3) their heads.
    has_hand : 1 when three chains or more, as fingers are, hang from one bone in the outer half.
    """

    bones: list[int]
    points: Array
    has_hand: int

    @property
    def length(self) -> float:
        """Length of the chain."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=-1).sum())

    @classmethod
    def of(cls, tree: Skeleton, path: list[int]) -> Limb:
        """The limb along a path of bones."""
        heads = tree.heads[path]
        steps = np.linalg.norm(np.diff(heads, axis=0), axis=-1)
        kept = [i for i in range(len(path)) if i == len(path) - 1 or steps[i] > 0.015 * steps.sum()]
        limb = cls([path[i] for i in kept], heads[kept], 0)
        return cls(limb.bones, limb.points, int(_hand(limb, tree) is not None))


def _hand(limb: Limb, tree: Skeleton) -> int | None:
    """Index of the first bone in the outer half that fingers hang from."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(limb.points, axis=0), axis=-1))])
    for i, bone in enumerate(limb.bones):
        if along[i] < 0.5 * along[-1]:
            continue
        chains = [child for child in tree.children[bone] if tree.counts[child] >= 2]
        if len(chains) >= 3 or len(tree.children[bone]) >= 4:
            return i
    return None


def _length(points: Array, first: int, last: int) -> float:
    return float(np.linalg.norm(np.diff(points[first : last + 1], axis=0), axis=-1).sum())


def _angle(a: Array, b: Array) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.arccos(np.clip(a @ b / lengths, -1.0, 1.0))) if lengths > 0 else 0.0


def leg_joints(limb: Limb, tree: Skeleton) -> dict[str, int] | None:
    """Hip, knee, ankle and, where there are any, toes; of toes with bones of their own the one in the middle.

    Thigh and shin are of like length, and after the ankle the chain turns to the front.
    """
    assert tree.plane is not None
    points, total = limb.points, limb.length
    away = np.abs(tree.plane.distance(points))
    last = len(points) - 1
    best, joints = np.inf, None
    for hip in range(min(3, last - 1)):
        if away[hip] < 0.03 * total and hip + 2 < last:
            continue  # a hip bone that starts in the middle
        for knee in range(hip + 1, last):
            for ankle in range(knee + 1, last + 1):
                thigh, shin = _length(points, hip, knee), _length(points, knee, ankle)
                cost = 0.8 * abs(np.log(thigh / shin)) - 0.8 * (thigh + shin) / total + 0.3 * hip
                before = points[ankle] - points[ankle - 1]
                if ankle < last:
                    cost -= 0.5 * min(_angle(before, points[ankle + 1] - points[ankle]), np.pi / 2)
                else:
                    tail = tree.tails[limb.bones[ankle]] - points[ankle]
                    cost -= 0.15 * min(_angle(before, tail), np.pi / 2)
                if abs(np.log(thigh / shin)) < 0.9 and cost < best:
                    best, joints = cost, (hip, knee, ankle)
    if joints is None:
        return None
    found = dict(zip(("hip", "knee", "ankle"), (limb.bones[i] for i in joints), strict=True))
    ankle = joints[2]
    toes = [
        child
        for child in tree.children[limb.bones[ankle]]
        if np.linalg.norm(tree.heads[child] - points[ankle]) > 0.05 * total
    ]
    if ankle < last:
        found["foot"] = limb.bones[_ball(points, ankle)] if len(toes) < 4 else _middle(toes, tree)
    return found


def _ball(points: Array, ankle: int) -> int:
    """Index of the ball of the foot: two thirds of the way from the ankle to the tip of the toes."""
    last = len(points) - 1
    inner = range(ankle + 1, max(last, ankle + 2))  # the tip itself only when there is nothing else
    along = [_length(points, ankle, i) / _length(points, ankle, last) for i in inner]
    return inner[int(np.argmin(np.abs(np.array(along) - _BALL)))]


def _middle(toes: list[int], tree: Skeleton) -> int:
    """The toe that begins nearest to where they begin on average."""
    heads = np.array([tree.heads[toe] for toe in toes])
    return toes[int(np.linalg.norm(heads - heads.mean(axis=0), axis=-1).argmin())]


def arm_joints(limb: Limb, tree: Skeleton) -> tuple[dict[str, int], bool] | None:
    """Collar bone where there is one, shoulder, elbow and wrist: upper arm and forearm are of like length.

    Returns
    -------
    joints : part -> bone.
    doubt : whether another bone would do about as well as the shoulder.
    """
    assert tree.plane is not None
    points = limb.points
    away = np.abs(tree.plane.distance(points))
    hand = _hand(limb, tree)
    last = len(points) - 1
    wrists = [hand] if hand is not None else [i for i in range(last, last - 5, -1) if i >= 2]
    costs: dict[int, float] = {}
    best, joints = np.inf, None
    for wrist in wrists:
        beyond = _length(points, wrist, last)
        for shoulder in range(min(4, wrist - 1)):
            if wrist <= 3 and shoulder != wrist - 2:
                continue  # with or without a collar bone, and nothing between the joints
            for elbow in range(shoulder + 1, wrist):
                upper, lower = _length(points, shoulder, elbow), _length(points, elbow, wrist)
                cost = abs(np.log(upper / lower)) + 1.5 * abs(away[shoulder] / (upper + lower) - _SHOULDER)
                if hand is None:
                    cost += max(0.0, beyond / (upper + lower) - 0.4)
                    if wrist >= 3 and _length(points, wrist - 1, wrist) < 0.4 * upper:
                        cost += 0.5  # that is the hand, and the wrist is before it
                if abs(np.log(upper / lower)) >= 0.9:
                    continue
                costs[shoulder] = min(costs.get(shoulder, np.inf), cost)
                if cost < best:
                    best, joints = cost, (shoulder, elbow, wrist)
    if joints is None:
        return None
    found = dict(zip(("shoulder", "elbow", "wrist"), (limb.bones[i] for i in joints), strict=True))
    if joints[0] > 0:
        found["collar"] = limb.bones[0]
    others = [cost for shoulder, cost in costs.items() if shoulder != joints[0]]
    return found, bool(others) and min(others) - best < _DOUBT
