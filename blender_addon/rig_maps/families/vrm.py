# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM: VRoid Studio's bones (``J_Bip_L_UpperArm``), the VRM add-on's (``upper_arm.L``) and the humanoid's own."""

from __future__ import annotations

from ..family import RigFamily, body

VROID = RigFamily(
    "VRoid",
    body(
        ("L", "R"), pelvis="J_Bip_C_Hips", spine1="J_Bip_C_Spine", spine2="J_Bip_C_Chest",
        spine3="J_Bip_C_UpperChest", neck="J_Bip_C_Neck", head="J_Bip_C_Head",
        hip="J_Bip_{}_UpperLeg", knee="J_Bip_{}_LowerLeg", ankle="J_Bip_{}_Foot", foot="J_Bip_{}_ToeBase",
        collar="J_Bip_{}_Shoulder", shoulder="J_Bip_{}_UpperArm", elbow="J_Bip_{}_LowerArm",
        wrist="J_Bip_{}_Hand",
    ),
    rank=4,
)  # fmt: skip

ADDON = RigFamily(
    "VRM",
    body(
        ("L", "R"), pelvis="hips", spine1="spine", spine2="chest", spine3=("upper_chest", "upperChest"),
        neck="neck", head="head",
        hip="upper_leg.{}", knee="lower_leg.{}", ankle="foot.{}", foot="toes.{}",
        collar="shoulder.{}", shoulder="upper_arm.{}", elbow="lower_arm.{}", wrist="hand.{}",
    ),
    rank=3,
)  # fmt: skip

HUMANOID = RigFamily(
    "VRM (humanoid names)",
    body(
        ("left", "right"), pelvis="hips", spine1="spine", spine2="chest", spine3="upperChest",
        neck="neck", head="head",
        hip="{}UpperLeg", knee="{}LowerLeg", ankle="{}Foot", foot="{}Toes",
        collar="{}Shoulder", shoulder="{}UpperArm", elbow="{}LowerArm", wrist="{}Hand",
    ),
    rank=2,
)  # fmt: skip
