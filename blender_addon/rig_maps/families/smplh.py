# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL-H: SMPL-X's names with fingers, but no jaw and no eyes."""

from __future__ import annotations

from motion_engine import skeleton

from ..family import RigFamily

FAMILY = RigFamily(
    "SMPL-H",
    {name: (name,) for name in skeleton.JOINT_NAMES},
    needs=("left_index1", "right_index1"),
    excludes=("jaw", "left_eye_smplhf", "left_eye"),
    rank=4,
)
