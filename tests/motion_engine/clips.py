# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions made by formula: a body that swings every joint, and one that walks in place on the spot."""

from __future__ import annotations

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion


def swinging(n_frames: int = 90, fps: float = 20.0, seed: int = 0) -> Motion:
    """Every joint swings about its own axis at its own pace while the body turns and travels."""
    random = np.random.default_rng(seed)
    time = np.arange(n_frames)[:, None] / fps
    swing = np.stack(
        [0.4 * np.sin(time * random.uniform(0.5, 3.0, 22) + random.uniform(0, 6, 22)) for _ in range(3)],
        axis=-1,
    )
    rotations = quat.from_axis_angle(swing)
    rotations[:, 0] = quat.multiply(quat.about_axis(1, 0.6 * time[:, 0]), rotations[:, 0])
    root = np.concatenate([0.5 * time, 1.0 + 0.05 * np.sin(time), 0.3 * time], axis=1)
    return Motion.from_rotations(rotations, root, fps).canonical()


def standing(n_frames: int = 40, fps: float = 20.0) -> Motion:
    """The T-pose on the floor."""
    rotations = np.tile(quat.IDENTITY, (n_frames, skeleton.N_JOINTS, 1))
    root = np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (n_frames, 1))
    return Motion.from_rotations(rotations, root, fps)
