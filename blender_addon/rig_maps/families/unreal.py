# SPDX-License-Identifier: GPL-3.0-or-later
"""Unreal Mannequin: UE4 has three spine bones, UE5 five and two neck bones."""

from __future__ import annotations

from ..family import RigFamily, body

_LIMBS = {
    "hip": "thigh_{}", "knee": "calf_{}", "ankle": "foot_{}", "foot": "ball_{}",
    "collar": "clavicle_{}", "shoulder": "upperarm_{}", "elbow": "lowerarm_{}", "wrist": "hand_{}",
}  # fmt: skip

UE4 = RigFamily(
    "Unreal Mannequin (UE4)",
    body(
        ("l", "r"), pelvis="pelvis", spine1="spine_01", spine2="spine_02", spine3="spine_03",
        neck="neck_01", head="head", **_LIMBS,
    ),
    excludes=("spine_04", "spine_05"),
    rank=2,
)  # fmt: skip

UE5 = RigFamily(
    "Unreal Mannequin (UE5)",
    body(
        ("l", "r"), pelvis="pelvis", spine1="spine_01", spine2="spine_03", spine3="spine_05",
        neck="neck_01", head="head", **_LIMBS,
    ),
    needs=("spine_05",),
    rank=3,
)  # fmt: skip
