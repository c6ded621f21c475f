# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands that meet still meet on a body of other proportions: wrists go where the source's go, seen from the chest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

from . import feet

Array = NDArray[np.floating]
J = skeleton.JOINT

ARMS = tuple(
    (J[f"{side}_collar"], J[f"{side}_shoulder"], J[f"{side}_elbow"], J[f"{side}_wrist"])
    for side in ("left", "right")
)
HINGES = (np.array([0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
"""Axes, in the T-pose, about which an elbow bends forwards."""

STRAIGHT = 0.15
"""Sine of the bend of an elbow below which that axis counts more than the plane in which the arm is bent."""

TOGETHER = 0.4
"""Part of the way from the middle to a shoulder within which hands are together, whatever the shoulders' width."""

_LENGTH = float(np.linalg.norm(skeleton.REST_OFFSETS[[18, 19, 20, 21]], axis=-1).sum())


def reach(joints: Array, turns: Array, heads: Array, align: Array, to_rig: Array) -> None:
    """Turn upper arms and forearms so that the wrists get where they should; hands keep their orientation.

    Seen from between the shoulders, everything is scaled by the length of the arms. Hands that are as far out as the
    shoulders move out with shoulders that are wider than that, hands near the middle do not: so arms that hang down
    hang beside a wide chest too, and hands that meet before it meet there.

    Parameters
    ----------
    joints : (T, 22, 3) of the source.
    turns : (T, 22, 4) rotations relative to the rest pose, in armature space; changed in place.
    heads : (22, 3) rest positions of the rig's joints, NaN where unmapped.
    align : (22, 4) rotations from the rest pose to the T-pose.
    to_rig : (4,) rotation from the engine's axes to the rig's.
    """
    uppers = [heads[elbow] - heads[shoulder] for _, shoulder, elbow, _ in ARMS]
    fores = [heads[wrist] - heads[elbow] for *_, elbow, wrist in ARMS]
    if not np.isfinite([*uppers, *fores]).all():
        return
    lengths = [np.linalg.norm(a) + np.linalg.norm(b) for a, b in zip(uppers, fores, strict=True)]
    scale = float(sum(lengths)) / _LENGTH
    mine = _shoulders(turns, heads)
    theirs = [joints[:, shoulder] for _, shoulder, *_ in ARMS]
    left, half = _across(mine)
    source_left, source_half = _across(theirs)
    goals = []
    for _, _, _, wrist in ARMS:
        away = joints[:, wrist] - 0.5 * (theirs[0] + theirs[1])
        side = np.sum(away * source_left, axis=-1)
        out = np.abs(side) / np.maximum(source_half, 1e-9)
        out = np.clip((out - TOGETHER) / (1.0 - TOGETHER), 0.0, 1.0)
        outwards = out**2 * (3.0 - 2.0 * out)
        sideways = scale * side + np.sign(side) * outwards * (half - scale * source_half)
        rest = scale * quat.rotate(to_rig, away - side[:, None] * source_left)
        goals.append(0.5 * (mine[0] + mine[1]) + sideways[:, None] * left + rest)
    for number, (_, shoulder, elbow, wrist) in enumerate(ARMS):
        upper, fore = (
            quat.rotate(turns[:, shoulder], uppers[number]),
            quat.rotate(turns[:, elbow], fores[number]),
        )
        aligned = quat.multiply(turns[:, shoulder], quat.conjugate(align[shoulder]))
        hinge = quat.rotate(aligned, quat.rotate(to_rig, HINGES[number]))
        size = np.linalg.norm(uppers[number]) * np.linalg.norm(fores[number])
        hinge = quat.normalize(quat.cross(upper, fore) / size + STRAIGHT * hinge)
        limit = feet.reach_limit(
            joints[:, elbow] - joints[:, shoulder],
            joints[:, wrist] - joints[:, elbow],
            float(lengths[number]),
        )
        turns[:, shoulder], turns[:, elbow] = feet.bend_leg(
            upper, fore, turns[:, shoulder], turns[:, elbow], hinge, goals[number] - mine[number], limit
        )


def _shoulders(turns: Array, heads: Array) -> list[Array]:
    """Left and right shoulder (T, 3) as posed, from the highest mapped joint of the spine."""
    top = next(
        J[name] for name in ("spine3", "spine2", "spine1", "pelvis") if np.isfinite(heads[J[name]]).all()
    )
    found = []
    for collar, shoulder, *_ in ARMS:
        if np.isfinite(heads[collar]).all():
            at = quat.rotate(turns[:, top], heads[collar] - heads[top])
            found.append(at + quat.rotate(turns[:, collar], heads[shoulder] - heads[collar]))
        else:
            found.append(quat.rotate(turns[:, top], heads[shoulder] - heads[top]))
    return found


def _across(shoulders: list[Array]) -> tuple[Array, Array]:
    """Unit direction (T, 3) from the right shoulder to the left one, and half their distance (T,)."""
    line = shoulders[0] - shoulders[1]
    return quat.normalize(line), 0.5 * np.linalg.norm(line, axis=-1)
