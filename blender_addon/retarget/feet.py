# SPDX-License-Identifier: GPL-3.0-or-later
"""Legs of other proportions: the feet go where the source's feet go, scaled, and never through the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

Array = NDArray[np.floating]
J = skeleton.JOINT

LEGS = (
    (J["left_hip"], J["left_knee"], J["left_ankle"], J["left_foot"]),
    (J["right_hip"], J["right_knee"], J["right_ankle"], J["right_foot"]),
)
BENT = 0.985
"""Part of its length to which a leg is stretched at most while the source's leg is bent more than that."""
SUNK = 0.1
"""Metres: a source whose feet go deeper than this does not stand on the floor (stairs), and is left so."""
TOES = 0.55
"""Length of the toes over that of the foot before them, from the ankle on: 27 % of a foot's length over 49 %."""
FORWARD = np.cos(np.radians(40))
"""A foot's bone whose tail is further aside than this does not point along the foot."""
SETTLE_SECONDS = 0.15
"""Half the time over which the pelvis sinks and rises where a leg would be too short."""


@dataclass(frozen=True)
class Ground:
    """The floor under a rig.

    Attributes
    ----------
    up : (3,) unit vector.
    level : height of the soles of the rest pose along ``up``.
    ankles, toes : (2,) heights of left and right ankle and toe over the floor at rest; a foot without toes touches it
        with its tip, at 0.
    flat : (3, 3) from horizontal metres of the source, in the rig's axes, to the rig's space.
    """

    up: Array
    level: float
    ankles: Array
    toes: Array
    flat: Array


def source_ground() -> Ground:
    """The engine's floor, y = 0."""
    heights = skeleton.REST_JOINTS[:, 1] + skeleton.REST_PELVIS_HEIGHT
    return Ground(
        np.array([0.0, 1.0, 0.0]), 0.0, heights[[J["left_ankle"], J["right_ankle"]]],
        heights[[J["left_foot"], J["right_foot"]]], np.eye(3),
    )  # fmt: skip


def target_ground(heads: Array, up: Array, scale: float, stretch: Array) -> Ground:
    """The floor under the rest pose: the armature's origin when the feet stand near it, else below the toes.

    ``scale`` is the length of the legs over the source's. Where the object stretches the armature unevenly
    (``stretch``, (3, 3)), steps are as long as its legs are in the world.
    """
    heights = heads @ up
    ankles = heights[[J["left_ankle"], J["right_ankle"]]]
    toes = heights[[J["left_foot"], J["right_foot"]]]
    source = source_ground()
    stiff = ~np.isfinite(toes)
    toes = np.where(stiff, ankles + scale * (source.toes - source.ankles), toes)
    lowest = float(min(ankles.min(), toes.min()))
    stands_on_origin = -0.02 * scale <= lowest <= 0.15 * scale
    level = 0.0 if stands_on_origin else lowest - scale * skeleton.TOE_CLEARANCE
    tall = 1.0 / np.linalg.norm(
        np.linalg.solve(stretch.T, up)
    )  # how far apart horizontal planes are in the world
    flat = scale * tall * np.linalg.inv(stretch)
    flat -= np.outer(up, up @ flat)
    return Ground(up, level, ankles - level, np.where(stiff, 0.0, toes - level), flat)


def foot_of(heads: Array, tail: Array, side: int, to_rig: Array, scale: float, ground: Ground) -> Array:
    """From the ankle to what of the foot touches the floor in front (3,), at rest.

    That is the joint of the toes. A foot without one is stiff to the tips of its toes, on the floor: as far in front as
    the foot's bone says, which ends at the ball or at the tips, and as the source's are, scaled, where it points
    elsewhere.

    Parameters
    ----------
    heads : (22, 3) rest positions, NaN where unmapped.
    tail : (3,) where the foot's bone ends, NaN where it is not known.
    """
    _, _, ankle, toe = LEGS[side]
    foot = heads[toe] - heads[ankle]
    if np.isfinite(foot).all():
        return foot
    usual = quat.rotate(to_rig, skeleton.REST_OFFSETS[toe] * (1.0, 0.0, 1.0)) * scale
    own = tail - heads[ankle]
    own = own - ground.up * (own @ ground.up)
    length, size = float(np.linalg.norm(own)), float(np.linalg.norm(usual))
    if own @ usual > FORWARD * length * size and 0.5 * size < length < 2.0 * size:
        ball, ends_at_tip = own, length > (1.0 + 0.5 * TOES) * size
    else:
        ball, ends_at_tip = usual, False
    toes = np.zeros(3) if ends_at_tip else toes_of(ball, side, to_rig)
    return ball + toes - ground.ankles[side] * ground.up


def toes_of(ball: Array, side: int, to_rig: Array) -> Array:
    """From where the toes begin to their tips (3,), at rest, horizontal.

    The ankle is not over the middle of the foot: the line from it to the ball points outwards, by 3 degrees on
    MakeHuman's body, by 5 on the skeletons of the CMU recordings, by 12 on the engine's, and the toes do not go on
    along it but to the front. So a line that is no further outwards than the engine's is that of a foot that points
    to the front. What exceeds it turns the foot.

    Parameters
    ----------
    ball : (3,) horizontal, from the ankle to where the toes begin.
    """
    left, up, front = quat.rotate(to_rig, np.eye(3))
    usual = skeleton.REST_OFFSETS[LEGS[side][3]]
    aside, straight = float(np.arctan2(ball @ left, ball @ front)), float(np.arctan2(usual[0], usual[2]))
    turned = aside - float(np.clip(aside, min(0.0, straight), max(0.0, straight)))
    return TOES * float(np.linalg.norm(ball)) * quat.rotate(quat.from_axis_angle(turned * up), front)


def foot_clearance(ankle: Array, toe_drop: Array, ground: Ground, side: int) -> Array:
    """How far the lower of ankle and toe is above where it stands at rest (T,).

    ``ankle`` is the ankle's height over the floor, ``toe_drop`` the toe's height minus the ankle's.
    """
    return np.minimum(ankle - ground.ankles[side], ankle + toe_drop - ground.toes[side])


def ankle_height(clearance: Array, toe_drop: Array, ground: Ground, side: int) -> Array:
    """Height of the ankle over the floor that gives ``clearance``; inverse of `foot_clearance`."""
    return clearance + np.maximum(ground.ankles[side], ground.toes[side] - toe_drop)


def reach_limit(thigh: Array, shin: Array, length: float) -> Array:
    """How far (T,) a leg of ``length`` may stretch, given the source's thigh and shin (T, 3) as posed.

    A leg that the source holds bent stays bent, if only a little: near full stretch the knee would snap.
    """
    longest = np.linalg.norm(thigh, axis=-1) + np.linalg.norm(shin, axis=-1)
    straightness = np.linalg.norm(thigh + shin, axis=-1) / longest
    return length * np.maximum(straightness, BENT)


def bend_leg(
    thigh: Array,
    shin: Array,
    thigh_turn: Array,
    shin_turn: Array,
    hinge: Array,
    goal: Array,
    limit: Array,
) -> tuple[Array, Array]:
    """Two-bone inverse kinematics by the law of cosines, changing the pose as little as it can.

    Parameters
    ----------
    thigh, shin : (T, 3) from hip to knee and from knee to ankle as posed.
    thigh_turn, shin_turn : (T, 4) rotations that posed them.
    hinge : (T, 3) unit axis about which the knee bends; it never bends the other way.
    goal : (T, 3) from hip to where the ankle should be; out of reach, the leg is stretched towards it.
    limit : (T,) longest reach.

    Returns
    -------
    New ``thigh_turn`` and ``shin_turn``.
    """
    a, b = np.linalg.norm(thigh, axis=-1), np.linalg.norm(shin, axis=-1)
    reach = np.clip(np.linalg.norm(goal, axis=-1), np.abs(a - b) * 1.001 + 1e-9, limit)
    # what lies along the hinge keeps its length; the triangle is solved in the plane across it
    thigh_along, shin_along = np.sum(thigh * hinge, axis=-1), np.sum(shin * hinge, axis=-1)
    a_flat, b_flat = np.sqrt(a**2 - thigh_along**2), np.sqrt(b**2 - shin_along**2)
    bent = np.arctan2(
        np.sum(np.cross(thigh, shin) * hinge, axis=-1),
        np.sum(thigh * shin, axis=-1) - thigh_along * shin_along,
    )
    flat = reach**2 - (thigh_along + shin_along) ** 2
    cosine = (flat - a_flat**2 - b_flat**2) / np.maximum(2 * a_flat * b_flat, 1e-12)
    wanted = np.arccos(np.clip(cosine, -1.0, 1.0))
    fold = quat.from_axis_angle(hinge * (wanted - bent)[:, None])
    swing = quat.between(thigh + quat.rotate(fold, shin), goal)
    # proportions like the source's: the ankle is there already, and the pose stays as it is
    there = np.linalg.norm(goal - thigh - shin, axis=-1) < 1e-5 * (a + b)
    fold[there] = swing[there] = quat.IDENTITY
    return quat.multiply(swing, thigh_turn), quat.multiply(swing, quat.multiply(fold, shin_turn))


def flatten_toes(turn: Array, tip: Array, raised: Array, up: Array) -> Array:
    """Turn toes up until their tip is no deeper than it is at rest; toes that are higher stay as they are.

    Parameters
    ----------
    turn : (T, 4) rotations of the toes relative to the rest pose.
    tip : (3,) horizontal, from the toe joint to the tip at rest.
    raised : (T,) how far the toe joint is above where it stands at rest.
    up : (3,) unit vector.

    Returns
    -------
    New ``turn``.
    """
    posed = quat.rotate(turn, tip)
    rise = posed @ up
    length = float(np.linalg.norm(tip))
    wanted = np.clip(-np.maximum(raised, 0.0), -length, length)
    low = rise < wanted - 1e-6 * length
    if not low.any():
        return turn
    flat = posed - rise[:, None] * up
    across = np.linalg.norm(flat, axis=-1, keepdims=True)
    # toes that point straight down have no direction of their own: they are left
    low &= across[:, 0] > 0.05 * length
    aim = flat / np.maximum(across, 1e-9) * np.sqrt(length**2 - wanted**2)[:, None] + wanted[:, None] * up
    lifted = quat.multiply(quat.between(posed, np.where(low[:, None], aim, posed)), turn)
    return np.where(low[:, None], lifted, turn)


def settle(drop: Array, fps: float) -> Array:
    """The smoothest-looking curve (T,) that is never below ``drop``: widest maximum, then a moving average."""
    half = max(1, round(SETTLE_SECONDS * fps))
    padded = np.pad(drop, 2 * half, mode="edge")
    widest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(axis=-1)
    return np.convolve(widest, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")
