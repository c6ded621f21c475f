# SPDX-License-Identifier: GPL-3.0-or-later
"""Xsens MVN: the segments of its body model (``L5``, ``T8``), and its BVH export, the classic mocap naming."""

from __future__ import annotations

from ..family import RigFamily, body

MVN = RigFamily(
    "Xsens MVN",
    body(
        pelvis=("Pelvis", "Hips"), spine1="L5", spine2="T12", spine3="T8", neck="Neck", head="Head",
        hip="{}UpperLeg", knee="{}LowerLeg", ankle="{}Foot", foot="{}Toe",
        collar="{}Shoulder", shoulder="{}UpperArm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    rank=3,
)  # fmt: skip

BVH = RigFamily(
    "Xsens BVH",
    body(
        pelvis="Hips", spine1="Chest", spine2=("Chest3", "Chest2"), spine3="Chest4", neck="Neck", head="Head",
        hip="{}Hip", knee="{}Knee", ankle="{}Ankle", foot="{}Toe",
        collar="{}Collar", shoulder="{}Shoulder", elbow="{}Elbow", wrist="{}Wrist",
    ),
    rank=3,
)  # fmt: skip
