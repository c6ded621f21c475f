# SPDX-License-Identifier: GPL-3.0-or-later
"""Spellings of the same bone come to the same form."""

from __future__ import annotations

import pytest

pytest.importorskip("bpy")

from blender_addon.rig_maps import names


@pytest.mark.parametrize(
    "name",
    [
        "LeftUpperArm", "leftUpperArm", "leftupperarm", "left_upper_arm", "Left Upper Arm", "upper_arm.L",
        "upper_arm_l", "UpperArm-L", "l_upperarm", "L_UpperArm", "lUpperArm", "LUpperArm", "UpperArm(L)",
        "upperArm.left", "upper-arm-left", "mixamorig:LeftUpperArm", "ns1:ns2:L_UpperArm", "Armature|UpperArm.L",
        "UPPER_ARM_L", "upperarm_left", "ＬｅｆｔＵｐｐｅｒＡｒｍ", "左UpperArm",
        "l-upperArm", "hidari_upper_arm", "lt_upperarm",
    ],
)  # fmt: skip
def test_left_upper_arm(name):
    assert names.parse(name).key == ("left", "upperarm")


@pytest.mark.parametrize(
    ("name", "side", "stem"),
    [
        ("Spine_01", "", "spine1"), ("spine.001", "", "spine1"), ("Spine１", "", "spine1"), ("spine 10", "", "spine10"),
        ("L5", "", "l5"), ("Root", "", "root"), ("ROOT", "", "root"), ("LEG_L", "left", "leg"),
        ("R_LEG", "right", "leg"),
        ("LHipJoint", "left", "hipjoint"), ("RUArm", "right", "uarm"), ("Bip01 L Thigh", "left", "bip1thigh"),
        ("右腕", "right", "腕"), ("腕.R", "right", "腕"), ("右足ＩＫ", "right", "足ik"), ("頭", "", "頭"),
        ("thigh.R.001", "right", "thigh1"),
        ("MigiAshi", "right", "ashi"), ("upright", "", "upright"),
        ("RightHandIndex1", "right", "handindex1"), ("...", "", ""),
    ],
)  # fmt: skip
def test_parts(name, side, stem):
    assert names.parse(name).key == (side, stem)
