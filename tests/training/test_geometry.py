# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints from features in torch are those that the engine decodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_engine import features
from training.geometry import heading_angle, world_joints


def test_joints_in_the_world_agree_with_the_engine(make_gesture):
    rows = features.encode(make_gesture(3)).astype(np.float32)
    rows[:, 0] = 0.01  # a slow turn, so that path and heading matter
    found = world_joints(torch.from_numpy(rows)[None])[0].numpy()
    np.testing.assert_allclose(found, features.recover_joints(rows), atol=1e-4)
    turned = heading_angle(torch.from_numpy(rows)[None])[0, -1]
    assert float(turned) == pytest.approx(-0.02 * (len(rows) - 1), rel=1e-4)
