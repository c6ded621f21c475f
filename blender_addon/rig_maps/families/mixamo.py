# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixamo: ``mixamorig:Hips``, with a number (``mixamorig1:``), another separator or no prefix at all."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "Mixamo",
    body(
        pelvis="Hips", spine1="Spine", spine2="Spine1", spine3="Spine2", neck="Neck", head="Head",
        hip="{}UpLeg", knee="{}Leg", ankle="{}Foot", foot="{}ToeBase",
        collar="{}Shoulder", shoulder="{}Arm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    prefix=r"(?i:mixamorig\d*[:_ ]?)",
    excludes=("LowerBack", "LHipJoint"),
    rank=2,
)  # fmt: skip
