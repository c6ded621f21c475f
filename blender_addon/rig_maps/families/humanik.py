# SPDX-License-Identifier: GPL-3.0-or-later
"""HumanIK and MotionBuilder: Mixamo's ancestor, with a reference node, roll bones and more spine bones."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "HumanIK",
    body(
        pelvis="Hips", spine1="Spine", spine2=("Spine2", "Spine1"), spine3=("Spine4", "Spine3", "Spine2"),
        neck="Neck", head="Head",
        hip="{}UpLeg", knee="{}Leg", ankle="{}Foot", foot="{}ToeBase",
        collar="{}Shoulder", shoulder="{}Arm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    needs=("Reference", "Spine3", "LeftUpLegRoll", "LeftLegRoll", "LeftArmRoll", "LeftForeArmRoll",
           "LeftShoulderExtra"),
    excludes=("LowerBack", "LHipJoint"),
    rank=3,
)  # fmt: skip
