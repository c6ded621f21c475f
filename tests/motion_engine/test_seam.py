# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clips become one without a jump in place, pose or speed."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import quaternion as quat
from motion_engine.motion import Motion
from motion_engine.seam import heading, join


def walk(frames: int, speed: float, arm: float, turn: float = 0.0) -> Motion:
    """A body that glides at ``speed`` m/s, turning ``turn`` radians in all, left arm at ``arm`` radians."""
    yaw = np.linspace(0, turn, frames)
    rotations = np.zeros((frames, 22, 4))
    rotations[..., 0] = 1
    rotations[:, 0] = quat.about_axis(1, yaw)
    rotations[:, 16] = quat.about_axis(2, np.full(frames, arm))
    step = np.stack([np.sin(yaw), np.zeros(frames), np.cos(yaw)], axis=-1) * speed / 20
    root = np.cumsum(step, axis=0) - step[0] + [0, 0.95, 0]
    return Motion.from_rotations(rotations, root, 20.0)


def test_second_clip_goes_on_in_place_heading_and_pose() -> None:
    first, second = walk(40, 1.2, -1.0, turn=1.5), walk(40, 0.3, 1.0)
    both = join(first, second)
    assert both.n_frames == 80
    np.testing.assert_allclose(both.joints[:40], first.joints, atol=1e-5)
    steps = np.linalg.norm(np.diff(both.joints, axis=0), axis=-1)
    # an arm that goes through 115 degrees in half a second moves its hand 16 cm a frame at most
    assert steps.max() < 0.2, "no joint jumps at the seam"
    assert heading(both, -1) == pytest.approx(1.5, abs=0.1)
    # half a second later the second clip plays as it is
    np.testing.assert_allclose(both.rotations[55:, 16], second.rotations[15:, 16], atol=1e-5)


def test_speed_changes_gradually() -> None:
    both = join(walk(30, 2.0, 0.0), walk(30, 0.0, 0.0))
    speed = np.linalg.norm(np.diff(both.root, axis=0), axis=-1) * 20
    assert np.abs(np.diff(speed)).max() < 0.75
    assert speed[-1] == pytest.approx(0.0, abs=1e-4)


def test_different_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="frame rate"):
        join(walk(10, 1.0, 0.0), walk(20, 1.0, 0.0).resample(30.0))
