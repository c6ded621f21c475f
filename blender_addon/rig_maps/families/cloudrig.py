# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudRig, of Blender Studio's characters: ``FK-UpperArm.L``; names differ a little from version to version."""

from __future__ import annotations

from ..family import Hints, RigFamily, Setting, body, sided, switches

_SIDES = ("L", "R")
_WORDS = ("left", "right")


def _switches(bone: str, arm: str, leg: str) -> tuple:
    return switches(_WORDS, arm=bone, leg=bone, arm_prop=arm, leg_prop=leg, fk=0.0, ik=1.0)


FAMILY = RigFamily(
    "CloudRig",
    body(
        _SIDES, pelvis=("TORSO-Spine", "TORSO-Spine1", "MSTR-Torso", "MSTR-Pelvis"),
        spine1=("FK-Spine", "FK-Spine1"), spine2=("FK-Spine2", "FK-RibCage"), spine3=("FK-Chest", "FK-Spine3"),
        neck="FK-Neck", head="FK-Head",
        hip="FK-Thigh.{}", knee=("FK-Knee.{}", "FK-Shin.{}"), ankle=("FK-Foot.{}", "FK-W-Foot.{}"), foot="FK-Toes.{}",
        collar=("FK-Shoulder.{}", "FK-Clavicle.{}"), shoulder=("FK-UpperArm.{}", "FK-Upperarm.{}"),
        elbow="FK-Forearm.{}", wrist=("FK-Wrist.{}", "FK-Hand.{}"),
    ),
    kind="control",
    needs=("FK-UpperArm.L", "FK-Upperarm.L", "FK-Thigh.L"),
    helpers=r"^(DEF|ORG|MCH|STR|IK|POLE|TGT|P|N|TAN|BB)-",
    rank=6,
    hints=Hints(
        _switches("Properties", "ik_{}_upperarm", "ik_{}_thigh")
        + _switches("Properties_IKFK", "ik_arm_{}", "ik_leg_{}"),
        sided(
            # where there are masters, IK-Wrist and IK-Foot are what these carry; toes have FK controls only, which hang
            # from the foot of either kind
            {"wrist": ("IK-MSTR-Wrist.{}", "IK-MSTR-Hand.{}", "IK-Wrist.{}", "IK-Hand.{}"),
                 "ankle": ("IK-MSTR-Foot.{}", "MSTR-Foot.{}", "IK-Foot.{}"), "foot": "FK-Toes.{}",
                 "elbow": ("POLE-UpperArm.{}", "IK-POLE-UpperArm.{}"),
                 "knee": ("POLE-Thigh.{}", "IK-POLE-Thigh.{}", "IK-Pole-Shin.{}")},
            _SIDES,
        ),
        # the FK spine counts only without the IK spine; hands and feet keep to the root, limbs keep their length
        tuple(Setting(bone, "ik_spine", 0, "") for bone in ("Properties", "Properties_IKFK"))
        + tuple(
            Setting("Properties_IKFK", prop, 0)
            for prop in (
                "ik_stretch_arms", "ik_stretch_legs", "ik_pole_follow_hands", "ik_pole_follow_feet",
                "ik_parents_arm_left", "ik_parents_arm_right", "ik_parents_leg_left", "ik_parents_leg_right",
            )
        )
        + tuple(
            Setting("Properties", f"{prop}_{side}_{limb}", 0)
            for prop in ("ik_stretch", "ik_pole_follow", "ik_parents")
            for side in _WORDS
            for limb in ("upperarm", "thigh")
        ),
        root=("root", "MSTR-Root"),
        ignore=("DEF-", "ORG-", "MCH-", "STR-", "TAN-", "N-", "BB-", "P-"),
        note="ik_spine must be 0 too for the FK spine to count",
    ),
)  # fmt: skip
