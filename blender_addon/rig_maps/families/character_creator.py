# SPDX-License-Identifier: GPL-3.0-or-later
"""Reallusion Character Creator, iClone, ActorCore and AccuRIG: ``CC_Base_L_Thigh``.

``CC_Base_Hip`` moves everything; ``CC_Base_Pelvis`` below it carries the legs alone.
"""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "Character Creator",
    body(
        ("L", "R"), pelvis="CC_Base_Hip", spine1="CC_Base_Waist", spine2="CC_Base_Spine01",
        spine3="CC_Base_Spine02", neck="CC_Base_NeckTwist01", head="CC_Base_Head",
        hip="CC_Base_{}_Thigh", knee="CC_Base_{}_Calf", ankle="CC_Base_{}_Foot", foot="CC_Base_{}_ToeBase",
        collar="CC_Base_{}_Clavicle", shoulder="CC_Base_{}_Upperarm", elbow="CC_Base_{}_Forearm",
        wrist="CC_Base_{}_Hand",
    ),
    prefix="CC_Base_|RL_",
    rank=4,
)  # fmt: skip
