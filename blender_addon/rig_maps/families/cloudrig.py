# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudRig, of Blender Studio's characters: ``FK-UpperArm.L``; names differ a little from version to version."""

from __future__ import annotations

from ..family import Hints, RigFamily, body, sided, switches

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
            {"wrist": ("IK-Wrist.{}", "IK-Hand.{}"), "ankle": ("IK-Foot.{}", "IK-MSTR-Foot.{}", "MSTR-Foot.{}"),
                 "elbow": ("POLE-UpperArm.{}", "IK-POLE-UpperArm.{}"), "knee": ("POLE-Thigh.{}", "IK-Pole-Shin.{}")},
            _SIDES,
        ),
        root=("root", "MSTR-Root"),
        ignore=("DEF-", "ORG-", "MCH-", "STR-", "TAN-", "N-", "BB-", "P-"),
        note="ik_spine must be 0 too for the FK spine to count",
    ),
)  # fmt: skip
