# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a clip is by itself: foot skate, penetration of the floor, jerk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine.contacts import foot_speed
from motion_engine.motion import Motion

Array = NDArray[np.floating]


def quality(motion: Motion) -> dict[str, float]:
    """Scores of a clip; for each of them less is better.

    Returns
    -------
    dict
        ``foot_skate``: mean horizontal speed of touching ankles and toes, m/s.
        ``skating_ratio``: share of frames in which a foot slides: toe under 5 cm in both frames, faster than 0.5 m/s
        in the frame and in the mean of five (the measure of OmniControl and MotionLCM).
        ``penetration``: how deep toes are under the floor y = 0, mean over frames, m.
        ``jerk``: mean third derivative of all joints, m/s³.
    """
    joints = motion.joints.astype(float)
    horizontal = joints * np.array([1.0, 0.0, 1.0])
    speed = foot_speed(horizontal, motion.fps)
    touching = motion.contacts
    skate = float(speed[touching].mean()) if touching.any() else 0.0

    toes = joints[:, [10, 11]]
    jerk = np.diff(joints, n=3, axis=0) * motion.fps**3
    return {
        "foot_skate": round(skate, 4),
        "skating_ratio": round(skating_ratio(joints, motion.fps), 4),
        "penetration": round(float(np.maximum(-toes[..., 1].min(axis=-1), 0.0).mean()), 4),
        "jerk": round(float(np.linalg.norm(jerk, axis=-1).mean()) if len(jerk) else 0.0, 2),
    }


def skating_ratio(joints: Array, fps: float) -> float:
    """Share of the frames of joints (T, 22, 3) in which a foot slides: see `quality`."""
    joints = np.asarray(joints, dtype=float)
    low = joints[:, [10, 11], 1] < 0.05
    speed = foot_speed(joints * np.array([1.0, 0.0, 1.0]), fps)[:-1, [1, 3]]
    if len(speed) == 0:
        return 0.0
    mean = np.full(5, 0.2)
    running = np.stack([np.convolve(np.pad(column, 2), mean, mode="valid") for column in speed.T], axis=-1)
    sliding = low[:-1] & low[1:] & (speed > 0.5) & (running > 0.5)
    return float(sliding.any(axis=-1).mean())
