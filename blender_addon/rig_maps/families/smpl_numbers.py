# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL joints by number: ``J00`` (pelvis) to ``J21`` (right wrist)."""

from __future__ import annotations

from motion_engine import skeleton

from ..family import RigFamily

FAMILY = RigFamily(
    "SMPL (numbered)",
    {name: (f"J{i:02d}", f"J_{i}", f"Joint_{i}", f"joint{i}") for i, name in enumerate(skeleton.JOINT_NAMES)},
    rank=3,
)
