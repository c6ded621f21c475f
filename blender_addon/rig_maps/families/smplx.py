# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL-X joint names (``pelvis``, ``left_hip``); the default character has them too."""

from __future__ import annotations

from motion_engine import skeleton

from ..family import RigFamily

FAMILY = RigFamily("SMPL-X", {name: (name,) for name in skeleton.JOINT_NAMES}, rank=3)
