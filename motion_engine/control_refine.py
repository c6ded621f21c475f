# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact projection of a motion onto its targets: after the network, with feet that stay planted.

In the order in which nothing undoes what came before: the path is bent so that the body is where it has to be, feet
are locked on the new path, whole-body inverse kinematics closes what is left in the controlled frames, and these
corrections spread over the neighbouring frames as in motion warping (Witkin & Popović 1995).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.cleanup import lock_feet
from motion_engine.control import Targets
from motion_engine.control_ik import reach
from motion_engine.filters import gaussian_filter
from motion_engine.motion import Motion

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

FADE_SECONDS = 0.6
"""A correction of a single frame reaches this far to both sides."""

ARM_SLACK, OTHER_SLACK = 0.3, 0.04
"""m: how much of its missing way is left to an elbow or a wrist, and to any other joint, before the body moves."""

FOOT_WISH = 0.3
"""Weight of a planted foot against a target."""

CALM_SIGMA = 3.0
"""Frames: width of the filter on the first round's corrections, so that the trunk does not tremble for a hand."""

STIFF_TRUNK = 0.02
"""Share of their mobility that root and spine keep in the second round."""

_SLACK = np.full(skeleton.N_JOINTS, OTHER_SLACK)
_SLACK[[skeleton.JOINT[name] for name in ("left_elbow", "right_elbow", "left_wrist", "right_wrist")]] = (
    ARM_SLACK
)


def bend_path(motion: Motion, targets: Targets) -> Motion:
    """Shift the root's path smoothly so that the body is where its targets need it.

    Targets of the pelvis are met exactly. Where only other joints have targets, the body is carried along by what the
    limbs cannot reach. The ground track starts at the origin; behind the last target the shift is held.
    """
    missing = np.where(targets.mask, targets.positions - motion.joints, 0.0)
    shift = np.zeros((motion.n_frames, 3))
    for axis in range(3):
        pelvis = targets.mask[:, 0, axis]
        others = targets.mask[:, 1:, axis]
        way = missing[:, 1:, axis]
        way = np.sign(way) * np.maximum(np.abs(way) - _SLACK[1:], 0.0) * (axis != 1)
        way = way.sum(axis=1) / np.maximum(others.sum(axis=1), 1)
        wanted = np.where(pelvis, missing[:, 0, axis], way)
        known = np.flatnonzero(pelvis | (others.any(axis=1) & (axis != 1)))
        if len(known) == 0:
            continue
        values = wanted[known]
        if axis != 1 and known[0] > 0:
            known, values = np.append(0, known), np.append(0.0, values)
        shift[:, axis] = monotone_cubic(np.arange(motion.n_frames), known, values[:, None])[:, 0]
    return Motion(
        motion.joints + shift[:, None], motion.rotations, motion.root + shift, motion.contacts, motion.fps,
        motion.provenance,
    )  # fmt: skip


def refine(motion: Motion, targets: Targets, foot_lock: bool = True) -> Motion:
    """The motion with its controlled joints on their targets, within millimetres where a body can reach them.

    Parameters
    ----------
    foot_lock : hold planted feet, as far as they have no targets of their own.
    """
    motion = bend_path(motion, targets)
    for trunk, calm in ((1.0, CALM_SIGMA), (STIFF_TRUNK, 0.0), (1.0, 0.0)):
        if foot_lock and trunk == 1.0:
            motion = lock_feet(motion)
        motion = _warp(motion, targets, foot_lock, trunk, calm)
    return motion


def approach(motion: Motion, targets: Targets) -> Motion:
    """The motion with its controlled joints near their targets, in a third of the time of `refine`; feet are free."""
    return _warp(bend_path(motion, targets), targets, hold_feet=False, trunk=1.0, calm=0.0)


def _warp(motion: Motion, targets: Targets, hold_feet: bool, trunk: float, calm: float) -> Motion:
    frames = np.flatnonzero(targets.mask.any(axis=(1, 2)))
    if len(frames) == 0:
        return motion
    rotations, root = motion.rotations.astype(float), motion.root.astype(float)
    wanted = np.where(targets.mask, targets.positions, motion.joints)[frames]
    weights = targets.mask[frames].astype(float)
    if hold_feet:
        feet = skeleton.FOOT_JOINTS
        planted = motion.contacts[frames][..., None] & ~targets.mask[frames][:, feet].any(
            axis=-1, keepdims=True
        )
        weights[:, feet] = np.where(planted, FOOT_WISH, weights[:, feet])
    solved, solved_root = rotations[frames], root[frames]
    for i, frame in enumerate(frames):
        if int(frame) in targets.poses:
            pose = targets.poses[int(frame)]
            sign = np.where(np.sum(pose * solved[i], axis=-1, keepdims=True) < 0, -1.0, 1.0)
            solved[i], solved_root[i] = pose * sign, targets.positions[frame, 0]
    solved, solved_root = reach(solved, solved_root, wanted, weights, trunk)
    turns = quat.to_axis_angle(quat.multiply(solved, quat.conjugate(rotations[frames])))
    changes = np.concatenate([turns.reshape(len(frames), -1), solved_root - root[frames]], axis=-1)
    spread = _spread(changes, frames, motion.n_frames, max(round(FADE_SECONDS * motion.fps), 1))
    if calm:
        spread = gaussian_filter(spread, calm)
    turned = quat.from_axis_angle(spread[:, :-3].reshape(motion.n_frames, skeleton.N_JOINTS, 3))
    return Motion.from_rotations(
        quat.multiply(turned, rotations),
        root + spread[:, -3:],
        motion.fps,
        motion.provenance,
        motion.contacts,
    )


def _spread(values: Array, frames: NDArray[np.integer], n_frames: int, fade: int) -> Array:
    """(T, k) from values (n, k) at ``frames``: faded out to both sides, straight on between close frames."""
    knots, heights = [int(frames[0]) - fade], [np.zeros(values.shape[1])]
    for frame, value in zip(frames, values, strict=True):
        if frame - knots[-1] > 2 * fade:
            knots += [knots[-1] + fade, int(frame) - fade]
            heights += [np.zeros_like(value), np.zeros_like(value)]
        knots.append(int(frame))
        heights.append(value)
    knots.append(knots[-1] + fade)
    heights.append(np.zeros(values.shape[1]))
    return monotone_cubic(np.arange(n_frames), np.array(knots), np.array(heights))


def monotone_cubic(at: NDArray[Any], knots: NDArray[Any], values: Array) -> Array:
    """Cubic curve (len(at), k) through values (n, k) that never overshoots them; held outside of the knots.

    Slopes are harmonic means of the neighbouring secants, 0 at extrema and ends (Fritsch & Butland 1984).
    """
    at, knots = np.asarray(at, dtype=float), np.asarray(knots, dtype=float)
    if len(knots) == 1:
        return np.repeat(values, len(at), axis=0)
    width = np.diff(knots)[:, None]
    secant = np.diff(values, axis=0) / width
    slope = np.zeros_like(values, dtype=float)
    before, behind = secant[:-1], secant[1:]
    w1, w2 = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    same = before * behind > 0
    bottom = np.where(same, w1 * behind + w2 * before, 1.0)
    slope[1:-1] = np.where(same, (w1 + w2) * before * behind / bottom, 0.0)
    at = np.clip(at, knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    h = width[i]
    t = (at - knots[i])[:, None] / h
    return (
        (2 * t**3 - 3 * t**2 + 1) * values[i]
        + (t**3 - 2 * t**2 + t) * h * slope[i]
        + (3 * t**2 - 2 * t**3) * values[i + 1]
        + (t**3 - t**2) * h * slope[i + 1]
    )
