# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA SOMA, the skeleton of Kimodo: ``LeftLeg`` is the thigh, and the spine is Spine1, Spine2, Chest."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "SOMA",
    body(
        pelvis="Hips", spine1="Spine1", spine2="Spine2", spine3="Chest", neck="Neck1", head="Head",
        hip="{}Leg", knee="{}Shin", ankle="{}Foot", foot="{}ToeBase",
        collar="{}Shoulder", shoulder="{}Arm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    excludes=("LeftThigh", "LeftUpLeg"),
    rank=4,
)  # fmt: skip
