# SPDX-License-Identifier: GPL-3.0-or-later
"""Unity's humanoid bone names, as a rig made for Unity may have them."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "Unity Humanoid",
    body(
        pelvis="Hips", spine1="Spine", spine2="Chest", spine3="UpperChest", neck="Neck", head="Head",
        hip="{}UpperLeg", knee="{}LowerLeg", ankle="{}Foot", foot="{}Toes",
        collar="{}Shoulder", shoulder="{}UpperArm", elbow="{}LowerArm", wrist="{}Hand",
    ),
    rank=1,
)  # fmt: skip
