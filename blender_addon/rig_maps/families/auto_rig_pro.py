# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-Rig Pro: the control rig (``c_root_master.x``, ``c_arm_fk.l``) and what it exports (``arm_stretch.l``).

By default arms and head do not hang from the shoulders and the neck, so that they keep their rotation.
"""

from __future__ import annotations

from ..family import Hints, RigFamily, body, settings, sided, switches

_SIDES = ("l", "r")

CONTROLS = RigFamily(
    "Auto-Rig Pro",
    body(
        _SIDES, pelvis=("c_root_master.x", "c_root.x"), spine1="c_spine_01.x", spine2="c_spine_02.x",
        spine3=("c_spine_03.x", "c_spine_04.x"), neck="c_neck.x", head="c_head.x",
        hip="c_thigh_fk.{}", knee="c_leg_fk.{}", ankle="c_foot_fk.{}", foot="c_toes_fk.{}",
        collar="c_shoulder.{}", shoulder="c_arm_fk.{}", elbow="c_forearm_fk.{}", wrist="c_hand_fk.{}",
    ),
    kind="control",
    needs=("c_root_master.x", "c_root.x"),
    helpers=r"_ik|stretch|twist|nostr|_ref\.|^(?!c_)",
    rank=6,
    hints=Hints(
        switches(
            _SIDES, arm="c_hand_ik.{}", leg="c_foot_ik.{}", arm_prop="ik_fk_switch", leg_prop="ik_fk_switch", fk=1.0,
            ik=0.0,
        ),
        sided(
            {"wrist": "c_hand_ik.{}", "ankle": "c_foot_ik.{}", "foot": "c_toes_ik.{}", "elbow": "c_arms_pole.{}",
                 "knee": "c_leg_pole.{}"},
            _SIDES,
        ),
        settings(_SIDES, "c_hand_ik.{}", auto_stretch=0) + settings(_SIDES, "c_foot_ik.{}", auto_stretch=0),
        root=("c_traj", "c_pos"),
        note="c_root.x below c_root_master.x turns the hips alone",
    ),
)  # fmt: skip

EXPORTED = RigFamily(
    "Auto-Rig Pro (exported)",
    body(
        _SIDES, pelvis="root.x", spine1="spine_01.x", spine2="spine_02.x", spine3=("spine_03.x", "spine_04.x"),
        neck="neck.x", head="head.x",
        hip="thigh_stretch.{}", knee="leg_stretch.{}", ankle="foot.{}", foot="toes_01.{}",
        collar="shoulder.{}", shoulder="arm_stretch.{}", elbow="forearm_stretch.{}", wrist="hand.{}",
    ),
    excludes=("c_root_master.x", "c_root.x"),
    rank=5,
)  # fmt: skip
