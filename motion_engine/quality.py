# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a clip is by itself: foot skate, penetration of the floor, jerk."""

from __future__ import annotations

import numpy as np

from motion_engine.contacts import foot_speed
from motion_engine.motion import Motion


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
    low = toes[..., 1] < 0.05
    toe_speed = speed[:-1, [1, 3]]
    ratio = 0.0
    if len(toe_speed):
        mean = np.full(5, 0.2)
        running = np.stack(
            [np.convolve(np.pad(column, 2), mean, mode="valid") for column in toe_speed.T], axis=-1
        )
        sliding = low[:-1] & low[1:] & (toe_speed > 0.5) & (running > 0.5)
        ratio = float(sliding.any(axis=-1).mean())

    jerk = np.diff(joints, n=3, axis=0) * motion.fps**3
    return {
        "foot_skate": round(skate, 4),
        "skating_ratio": round(ratio, 4),
        "penetration": round(float(np.maximum(-toes[..., 1].min(axis=-1), 0.0).mean()), 4),
        "jerk": round(float(np.linalg.norm(jerk, axis=-1).mean()) if len(jerk) else 0.0, 2),
    }
