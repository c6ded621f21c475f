# SPDX-License-Identifier: GPL-3.0-or-later
"""Daz: Genesis 3 and 8 bend bones, Genesis 9, and the older Poser names of Genesis 1 and 2.

The hip moves everything; the pelvis below it carries the legs alone, so it stays unmapped.
"""

from __future__ import annotations

from ..family import RigFamily, body

GENESIS_8 = RigFamily(
    "Daz Genesis 3/8",
    body(
        ("l", "r"), pelvis="hip", spine1="abdomenLower", spine2="abdomenUpper", spine3=("chestUpper", "chestLower"),
        neck="neckLower", head="head",
        hip="{}ThighBend", knee="{}Shin", ankle="{}Foot", foot="{}Toe",
        collar="{}Collar", shoulder="{}ShldrBend", elbow="{}ForearmBend", wrist="{}Hand",
    ),
    rank=3,
)  # fmt: skip

GENESIS_9 = RigFamily(
    "Daz Genesis 9",
    body(
        ("l", "r"), pelvis="hip", spine1="spine1", spine2="spine2", spine3=("spine4", "spine3"),
        neck="neck1", head="head",
        hip="{}_thigh", knee="{}_shin", ankle="{}_foot", foot="{}_toes",
        collar="{}_shoulder", shoulder="{}_upperarm", elbow="{}_forearm", wrist="{}_hand",
    ),
    rank=3,
)  # fmt: skip

POSER = RigFamily(
    "Daz Genesis 1/2, Poser",
    body(
        ("l", "r"), pelvis="hip", spine1="abdomen", spine2="abdomen2", spine3="chest", neck="neck", head="head",
        hip="{}Thigh", knee="{}Shin", ankle="{}Foot", foot="{}Toe",
        collar="{}Collar", shoulder="{}Shldr", elbow="{}ForeArm", wrist="{}Hand",
    ),
    rank=2,
)  # fmt: skip
