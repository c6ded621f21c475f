# SPDX-License-Identifier: GPL-3.0-or-later
"""OptiTrack Motive: ``Hip``, ``Ab``, ``LUArm``, with or without the skeleton's name before them."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "OptiTrack Motive",
    body(
        ("L", "R"), pelvis="Hip", spine1="Ab", spine3="Chest", neck="Neck", head="Head",
        hip="{}Thigh", knee="{}Shin", ankle="{}Foot", foot="{}Toe",
        collar="{}Shoulder", shoulder="{}UArm", elbow="{}FArm", wrist="{}Hand",
    ),
    prefix=r"(?i:skeleton[ _]?\d*[_ ]|actor[ _]?\d*[_ ])",
    rank=4,
)  # fmt: skip
