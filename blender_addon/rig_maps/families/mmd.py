# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance: Japanese names, as mmd_tools turns them (``腕.L``), and its English ones (``arm_L``).

The centre carries upper and lower body alike, so it is the pelvis; the lower body turns below the waist only. The
waist cannot be it: the legs' ``腰キャンセル`` bones undo its rotation.
"""

from __future__ import annotations

from ..family import Hints, RigFamily, body

_JAPANESE = body(
    ("左", "右"), pelvis=("センター", "グルーブ", "腰"), spine1="上半身", spine2="上半身2", spine3="上半身3",
    neck="首", head="頭",
    hip="{}足", knee="{}ひざ", ankle="{}足首", foot=("{}つま先", "{}足先EX"),
    collar="{}肩", shoulder="{}腕", elbow="{}ひじ", wrist="{}手首",
)  # fmt: skip
_RENAMED = body(
    ("L", "R"), hip="足.{}", knee="ひざ.{}", ankle="足首.{}", foot=("つま先.{}", "足先EX.{}"),
    collar="肩.{}", shoulder="腕.{}", elbow="ひじ.{}", wrist="手首.{}",
)  # fmt: skip

_IK = "the IK constraints of the legs (足ＩＫ, つま先ＩＫ; leg IK, toe IK) must be off: pose.bones[...].mmd_ik_toggle"

JAPANESE = RigFamily(
    "MMD",
    {joint: names + _RENAMED.get(joint, ()) for joint, names in _JAPANESE.items()},
    helpers=r"捩|キャンセル|[ＩI][ＫK]|指|[左右]?(?:足|ひざ|足首)D|肩[PC]|_dummy_|_shadow_",
    rank=4,
    hints=Hints(
        ik={
            "left_ankle": ("左足ＩＫ", "足ＩＫ.L", "左足IK"),
            "right_ankle": ("右足ＩＫ", "足ＩＫ.R", "右足IK"),
        },
        root=("全ての親",),
        ignore=("_dummy_", "_shadow_"),
        note=_IK,
    ),
)

ENGLISH = RigFamily(
    "MMD (English)",
    body(
        ("L", "R"), pelvis=("center", "groove", "waist"), spine1="upper body", spine2="upper body 2",
        spine3="upper body 3", neck="neck", head="head",
        hip="leg_{}", knee="knee_{}", ankle="ankle_{}", foot=("toe_{}", "leg tip EX_{}"),
        collar="shoulder_{}", shoulder="arm_{}", elbow="elbow_{}", wrist="wrist_{}",
    ),
    rank=3,
    hints=Hints(
        ik={"left_ankle": ("leg IK_L",), "right_ankle": ("leg IK_R",)},
        root=("root", "mother", "master"),
        ignore=("_dummy_", "_shadow_"),
        note=_IK,
    ),
)  # fmt: skip

ROMAJI = RigFamily(
    "MMD (romanised)",
    body(
        ("Hidari", "Migi"), pelvis=("Center", "Sentaa", "Kosi", "Koshi"), spine1=("Jouhanshin", "JyouHanshin"),
        spine2=("Jouhanshin2", "JyouHanshin2"), neck="Kubi", head=("Atama", "Kao"),
        hip=("{}Ashi", "{}Asi", "{}Momo"), knee=("{}Hiza", "{}Sune"), ankle=("{}Ashikubi", "{}Asikubi"),
        foot=("{}Tsumasaki", "{}Tumasaki"),
        collar="{}Kata", shoulder="{}Ude", elbow="{}Hiji", wrist=("{}Tekubi", "{}Te"),
    ),
    rank=3,
)  # fmt: skip
