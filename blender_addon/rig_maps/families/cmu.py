# SPDX-License-Identifier: GPL-3.0-or-later
"""The CMU library as BVH (``LHipJoint``, ``LowerBack``), which is MakeHuman's ``cmu_mb`` rig too, and as ASF."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "CMU BVH",
    body(
        pelvis="Hips", spine1="LowerBack", spine2="Spine", spine3="Spine1", neck="Neck", head="Head",
        hip="{}UpLeg", knee="{}Leg", ankle="{}Foot", foot="{}ToeBase",
        collar="{}Shoulder", shoulder="{}Arm", elbow="{}ForeArm", wrist="{}Hand",
    ),
    needs=("LHipJoint", "LowerBack"),
    rank=4,
)  # fmt: skip

ASF = RigFamily(
    "CMU ASF",
    body(
        ("l", "r"),
        pelvis="root", spine1="lowerback", spine2="upperback", spine3="thorax", neck="lowerneck", head="head",
        hip="{}femur", knee="{}tibia", ankle="{}foot", foot="{}toes",
        collar="{}clavicle", shoulder="{}humerus", elbow="{}radius", wrist=("{}wrist", "{}hand"),
    ),
    rank=4,
)  # fmt: skip
