# SPDX-License-Identifier: GPL-3.0-or-later
"""3ds Max Biped (``Bip001 L UpperArm``, any separator) and Valve's ``ValveBiped.Bip01_L_UpperArm``."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "3ds Max Biped",
    body(
        ("L", "R"), pelvis="Bip001 Pelvis", spine1="Bip001 Spine", spine2="Bip001 Spine1",
        spine3=("Bip001 Spine3", "Bip001 Spine2"), neck="Bip001 Neck", head="Bip001 Head",
        hip="Bip001 {} Thigh", knee="Bip001 {} Calf", ankle="Bip001 {} Foot", foot="Bip001 {} Toe0",
        collar="Bip001 {} Clavicle", shoulder="Bip001 {} UpperArm", elbow="Bip001 {} Forearm",
        wrist="Bip001 {} Hand",
    ),
    prefix=r"Bip\d*[ _]",
    rank=3,
)  # fmt: skip

VALVE = RigFamily(
    "ValveBiped",
    body(
        ("L", "R"), pelvis="ValveBiped.Bip01_Pelvis", spine1="ValveBiped.Bip01_Spine1",
        spine2="ValveBiped.Bip01_Spine2", spine3="ValveBiped.Bip01_Spine4",
        neck="ValveBiped.Bip01_Neck1", head="ValveBiped.Bip01_Head1",
        hip="ValveBiped.Bip01_{}_Thigh", knee="ValveBiped.Bip01_{}_Calf", ankle="ValveBiped.Bip01_{}_Foot",
        foot="ValveBiped.Bip01_{}_Toe0", collar="ValveBiped.Bip01_{}_Clavicle",
        shoulder="ValveBiped.Bip01_{}_UpperArm", elbow="ValveBiped.Bip01_{}_Forearm",
        wrist="ValveBiped.Bip01_{}_Hand",
    ),
    prefix=r"ValveBiped[._]",
    rank=4,
)  # fmt: skip
