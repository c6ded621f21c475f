# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet touch the floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine.skeleton import FOOT_JOINTS

Array = NDArray[np.floating]

CONTACT_SPEED = 0.4
"""m/s: a planted foot of a measured performer drifts less than this; a swinging one passes it within a frame."""

CONTACT_HEIGHT = np.array([0.16, 0.08, 0.16, 0.08])
"""m: highest ankle and toe joints over the floor that still count as touching."""


def foot_speed(joints: Array, fps: float) -> Array:
    """Speed (T, 4) in m/s of ankles and toes: left ankle, left toe, right ankle, right toe."""
    feet = joints[:, FOOT_JOINTS]
    if len(feet) < 2:
        return np.zeros(feet.shape[:2])
    speed = np.linalg.norm(np.diff(feet, axis=0), axis=-1) * fps
    return np.concatenate([speed, speed[-1:]])


def detect_contacts(joints: Array, fps: float, floor: float | None = None) -> NDArray[np.bool_]:
    """Foot contacts (T, 4) from joints (T, 22, 3): slow and near the floor.

    Parameters
    ----------
    floor : float, optional
        Height of the floor in metres; 2 cm under the lowest toe of the clip when not given.
    """
    joints = np.asarray(joints, dtype=float)
    feet = joints[:, FOOT_JOINTS]
    if floor is None:
        floor = float(feet[..., 1].min()) - 0.02
    return (foot_speed(joints, fps) < CONTACT_SPEED) & (feet[..., 1] - floor < CONTACT_HEIGHT)
