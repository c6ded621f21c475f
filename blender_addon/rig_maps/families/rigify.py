# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify: the generated rig's controls, its deform bones alone (as exported), and the metarig.

In a generated rig the torso carries everything; `spine_fk.001` and `spine_fk` hang from it upside down, towards the
hips, so the spine above the torso begins with `spine_fk.002`. MPFB's Rigify rigs are the same.
"""

from __future__ import annotations

from ..family import Hints, RigFamily, body, settings, sided, switches

_SIDES = ("L", "R")

CONTROLS = RigFamily(
    "Rigify",
    body(
        _SIDES, pelvis="torso", spine2="spine_fk.002", spine3="spine_fk.003", neck="neck", head="head",
        hip="thigh_fk.{}", knee="shin_fk.{}", ankle="foot_fk.{}", foot=("toe_fk.{}", "toe.{}"),
        collar="shoulder.{}", shoulder="upper_arm_fk.{}", elbow="forearm_fk.{}", wrist="hand_fk.{}",
    ),
    kind="control",
    needs=("torso",),
    helpers=r"^(DEF|ORG|MCH|VIS)-|tweak|_ik|^(f_|thumb|palm)|pole",
    rank=6,
    hints=Hints(
        switches(
            _SIDES, arm="upper_arm_parent.{}", leg="thigh_parent.{}", arm_prop="IK_FK", leg_prop="IK_FK", fk=1.0, ik=0.0
        ),
        sided(
            {"wrist": "hand_ik.{}", "ankle": "foot_ik.{}", "foot": "toe_ik.{}", "elbow": "upper_arm_ik_target.{}",
                 "knee": "thigh_ik_target.{}"},
            _SIDES,
        ),
        # parent 1 is the root; without a pole the limb bends about an axis that the hand or foot turns; bones that may
        # stretch grow shorter as the limb bends, whatever IK_Stretch says
        tuple(
            setting
            for bone in ("upper_arm_ik.{}", "MCH-forearm_ik.{}", "thigh_ik.{}", "MCH-shin_ik.{}")
            for setting in settings(_SIDES, bone, **{".ik_stretch": 0})
        )
        + settings(_SIDES, "upper_arm_parent.{}", IK_Stretch=0, pole_vector=1, IK_parent=1, pole_parent=1)
        + settings(_SIDES, "thigh_parent.{}", IK_Stretch=0, pole_vector=1, IK_parent=1, pole_parent=1),
        root=("root",),
        ignore=("DEF-", "ORG-", "MCH-", "VIS_"),
        note="hips: torso moves and turns all; poles count only where pole_vector of the same bone is on; "
        "torso['neck_follow'] and ['head_follow'] say whether neck and head take the torso's turn",
    ),
)  # fmt: skip

DEFORM = RigFamily(
    "Rigify (deform bones)",
    body(
        _SIDES, pelvis="DEF-spine", spine1="DEF-spine.001", spine2="DEF-spine.002", spine3="DEF-spine.003",
        neck="DEF-spine.004", head="DEF-spine.006",
        hip="DEF-thigh.{}", knee="DEF-shin.{}", ankle="DEF-foot.{}", foot="DEF-toe.{}",
        collar="DEF-shoulder.{}", shoulder="DEF-upper_arm.{}", elbow="DEF-forearm.{}", wrist="DEF-hand.{}",
    ),
    excludes=("torso",),
    rank=5,
)  # fmt: skip

METARIG = RigFamily(
    "Rigify metarig",
    body(
        _SIDES, pelvis="spine", spine1="spine.001", spine2="spine.002", spine3="spine.003",
        neck="spine.004", head=("spine.006", "spine.005"),
        hip="thigh.{}", knee="shin.{}", ankle="foot.{}", foot="toe.{}",
        collar="shoulder.{}", shoulder="upper_arm.{}", elbow="forearm.{}", wrist="hand.{}",
    ),
    excludes=("torso", "DEF-spine"),
    rank=4,
)  # fmt: skip
