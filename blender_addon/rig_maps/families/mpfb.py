# SPDX-License-Identifier: GPL-3.0-or-later
"""MPFB and MakeHuman: the default rig, and the game engine rig, which is Unreal's but for its ``Root``.

The default rig has five toes of two or three bones each; the second is the axis of the foot, and the others turn with
it. The default rig without toes has the same names but for them.
"""

from __future__ import annotations

from ..family import RigFamily, body
from .unreal import UE4

DEFAULT = RigFamily(
    "MakeHuman (default)",
    body(
        ("L", "R"), pelvis="root", spine1="spine05", spine2="spine03", spine3="spine01",
        neck="neck01", head="head",
        hip="upperleg01.{}", knee="lowerleg01.{}", ankle="foot.{}", foot="toe2-1.{}",
        collar="clavicle.{}", shoulder="upperarm01.{}", elbow="lowerarm01.{}", wrist="wrist.{}",
    ),
    rank=3,
)  # fmt: skip

GAME_ENGINE = RigFamily(
    "MakeHuman (game engine)",
    UE4.bones,
    needs=("Root",),
    excludes=("ik_foot_root", "ik_hand_root", "spine_04", "spine_05"),
    rank=4,
)
