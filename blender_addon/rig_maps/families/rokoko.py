# SPDX-License-Identifier: GPL-3.0-or-later
"""Rokoko Studio: thighs and shins by name, four numbered spine bones."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "Rokoko",
    body(
        pelvis="Hips", spine1="Spine1", spine2=("Spine3", "Spine2"), spine3="Spine4", neck="Neck", head="Head",
        hip="{}Thigh", knee="{}Shin", ankle="{}Foot", foot=("{}Toe", "{}ToeBase"),
        collar="{}Shoulder", shoulder="{}Arm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    rank=3,
)  # fmt: skip
