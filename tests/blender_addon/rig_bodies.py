# SPDX-License-Identifier: GPL-3.0-or-later
"""Other rest poses and other proportions of the rig tables; numpy only.

A table (`addon_rig_tables`) has the reference body in the T-pose: the engine's own proportions, 1.68 m tall. Here arms
are lowered, elbows bent and legs set apart, as the families' makers do, and the body becomes a child or a giant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from addon_rig_tables import Rig, body_places
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

Array = NDArray[np.floating]
SIDES = (("left", 1.0), ("right", -1.0))
SOLE = ("heel", "ball", "tip")
"""Points under a foot; heel and ball move with the ankle's bone, the tip with the toes'."""

_PARENTS = {
    name: skeleton.JOINT_NAMES[parent] if parent >= 0 else None
    for name, parent in zip(skeleton.JOINT_NAMES, skeleton.PARENTS, strict=True)
}


@dataclass(frozen=True)
class RestPose:
    """Degrees by which a family's rest pose departs from the T-pose."""

    arms: float = 0.0
    elbows: float = 0.0
    legs: float = 0.0


@dataclass(frozen=True)
class Proportions:
    """How a body departs from the reference body.

    Attributes
    ----------
    height : metres from the soles to the crown.
    parts : part without its side -> length of what lies between it and the next joints, over the reference's, before
        the whole is brought to its height.
    """

    height: float | None = None
    parts: dict[str, float] = field(default_factory=dict)


SAME = Proportions()
CHILD = Proportions(0.9, {
    "head": 1.6, "neck": 0.8, "hip": 0.82, "knee": 0.76, "ankle": 0.9, "shoulder": 0.85, "elbow": 0.82, "wrist": 0.9,
    "collar": 0.9,
})  # fmt: skip
GIANT = Proportions(2.4, {
    "head": 0.75, "hip": 1.1, "knee": 1.15, "ankle": 1.05, "shoulder": 1.12, "elbow": 1.15, "wrist": 1.1,
    "collar": 1.35, "spine3": 1.1,
})  # fmt: skip


@dataclass(frozen=True)
class Body:
    """A rig with the soles of its feet; positions in a frame whose +Z is up, feet on z = 0, facing -Y.

    Attributes
    ----------
    rig : the table, with ``rest`` as it is here.
    soles : (2, 3, 3) left and right, `SOLE`, positions.
    balls : (2, 3) where the toes bend, whether the family has a bone there or not.
    """

    rig: Rig
    soles: Array
    balls: Array

    def heads(self) -> Array:
        """(22, 3) rest positions of the joints, NaN where the family has none."""
        found = np.full((skeleton.N_JOINTS, 3), np.nan)
        for joint, bone in self.rig.joints.items():
            found[skeleton.JOINT[joint]] = self.rig.rest[bone][0]
        return found


def reference(rig: Rig) -> Body:
    """The table as it is, with soles on the floor."""
    at = body_places()
    soles = np.array([
        [at[f"{side}_ankle"] + [0.0, 0.05, 0.0], at[f"{side}_foot"], at[f"{side}_foot"] + [0.0, -0.07, 0.0]]
        for side, _ in SIDES
    ])  # fmt: skip
    soles[..., 2] = 0.0
    return Body(rig, soles, np.array([at[f"{side}_foot"] for side, _ in SIDES]))


def part_of(joint: str) -> str:
    """``left_knee`` -> ``knee``."""
    return joint.split("_")[-1]


def joint_above(rig: Rig, bone: str) -> str | None:
    """The joint of the bone itself or of the next mapped bone above it."""
    joint_of = {b: joint for joint, b in rig.joints.items()}
    at: str | None = bone
    while at is not None and at not in joint_of:
        at = rig.parents[at]
    return joint_of[at] if at is not None else None


def _mapped_parent(rig: Rig, joint: str) -> str | None:
    above = _PARENTS[joint]
    while above is not None and above not in rig.joints:
        above = _PARENTS[above]
    return above


def proportioned(body: Body, shape: Proportions) -> Body:
    """The same rig on a body of other proportions, standing on the floor."""
    if shape.height is None:
        return body
    rig, old = body.rig, {joint: body.rig.rest[bone][0] for joint, bone in body.rig.joints.items()}
    new: dict[str, Array] = {}
    for joint in rig.joints:  # in the skeleton's order: parents first
        above = _mapped_parent(rig, joint)
        share = shape.parts.get(part_of(above), 1.0) if above is not None else 1.0
        new[joint] = new[above] + share * (old[joint] - old[above]) if above is not None else old[joint]

    def moved(point: Array, joint: str) -> Array:
        return new[joint] + shape.parts.get(part_of(joint), 1.0) * (point - old[joint])

    def with_foot(points: Array) -> Array:
        """What moves with the ankles: (2, ..., 3)."""
        return np.stack([moved(points[side], f"{name}_ankle") for side, (name, _) in enumerate(SIDES)])

    # both soles level: what lies below a hip moves up or down as a whole, a matter of a few millimetres
    soles, balls = with_foot(body.soles), with_foot(body.balls)
    floor = float(soles[..., 2].mean())
    for side, (name, _) in enumerate(SIDES):
        lift = floor - float(soles[side, :, 2].mean())
        for part in ("ankle", "foot"):
            if f"{name}_{part}" in new:
                new[f"{name}_{part}"] = new[f"{name}_{part}"] + [0.0, 0.0, lift]
        soles[side, :, 2] = floor
        balls[side, 2] += lift
    crown = moved(body_places()["crown"], "head")
    size = shape.height / float(crown[2] - floor)
    down = np.array([0.0, 0.0, floor])
    rest = {}
    for bone, ends in rig.rest.items():
        joint = joint_above(rig, bone)
        if joint is None and not np.any(ends[0]):
            rest[bone] = ends * size  # on the ground
            continue
        near = joint or min(old, key=lambda name: float(np.linalg.norm(old[name] - ends[0])))
        rest[bone] = np.array([(moved(point, near) - down) * size for point in ends])
    grown = Rig(rig.family, rig.parents, _tails_at_children(rig, rest), rig.joints)
    return Body(grown, (soles - down) * size, (balls - down) * size)


def _tails_at_children(rig: Rig, rest: dict[str, Array]) -> dict[str, Array]:
    """Tails that met a child's head before meet it again."""
    for bone in rest:
        old_tail = rig.rest[bone][1]
        for child, parent in rig.parents.items():
            if parent == bone and np.allclose(rig.rest[child][0], old_tail):
                rest[bone] = np.array([rest[bone][0], rest[child][0]])
                break
    return rest


def posed(body: Body, pose: RestPose) -> Body:
    """The same rig in another rest pose: what hangs from a joint turns about it; soles stay level."""
    rig = body.rig
    rest = {bone: ends.copy() for bone, ends in rig.rest.items()}
    soles, balls = body.soles.copy(), body.balls.copy()
    sunk = 0.0
    for side, (name, sign) in enumerate(SIDES):
        lowered = quat.from_axis_angle(np.array([0.0, np.radians(sign * pose.arms), 0.0]))
        bend = quat.rotate(lowered, np.array([0.0, 0.0, -sign]))  # forearms to the front
        _turn(rig, rest, f"{name}_shoulder", (0.0, sign * pose.arms, 0.0))
        _turn(rig, rest, f"{name}_elbow", bend * pose.elbows)
        hip, ankle = rest[rig.joints[f"{name}_hip"]][0], rest[rig.joints[f"{name}_ankle"]][0].copy()
        apart = sign * pose.legs if side == 0 else _level(ankle - hip, sunk)
        _turn(rig, rest, f"{name}_hip", (0.0, -apart, 0.0))
        _turn(rig, rest, f"{name}_ankle", (0.0, apart, 0.0))
        away = rest[rig.joints[f"{name}_ankle"]][0] - ankle
        sunk = float(away[2])
        soles[side] += away
        balls[side] += away
    floor = np.array([0.0, 0.0, float(soles[..., 2].mean())])
    for bone in rest:
        if np.any(rest[bone][0]):
            rest[bone] = rest[bone] - floor
    turned = Rig(rig.family, rig.parents, _tails_at_children(rig, rest), rig.joints)
    return Body(turned, soles - floor, balls - floor)


def _level(leg: Array, rise: float) -> float:
    """Degrees by which a right leg (3,) has to be set apart for its ankle to rise as the left one's did."""
    length, start = float(np.hypot(leg[0], leg[2])), float(np.arctan2(leg[0], -leg[2]))
    return float(np.degrees(-np.arccos(np.clip((-leg[2] - rise) / length, -1.0, 1.0)) - start))


def _turn(rig: Rig, rest: dict[str, Array], joint: str, degrees: Array | tuple[float, ...]) -> None:
    turn = quat.from_axis_angle(np.radians(np.asarray(degrees, dtype=float)))
    centre = rest[rig.joints[joint]][0].copy()
    for bone in _below(rig, rig.joints[joint]):
        rest[bone] = centre + quat.rotate(turn, rest[bone] - centre)


def _below(rig: Rig, bone: str) -> Iterator[str]:
    yield bone
    for child, parent in rig.parents.items():
        if parent == bone:
            yield from _below(rig, child)
