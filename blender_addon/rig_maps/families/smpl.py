# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL's own bone names: ``m_avg_L_Hip`` of the published FBX files, or plain ``L_Hip``."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "SMPL",
    body(
        ("L", "R"),
        pelvis="Pelvis", spine1="Spine1", spine2="Spine2", spine3="Spine3", neck="Neck", head="Head",
        hip="{}_Hip", knee="{}_Knee", ankle="{}_Ankle", foot="{}_Foot",
        collar="{}_Collar", shoulder="{}_Shoulder", elbow="{}_Elbow", wrist="{}_Wrist",
    ),
    prefix=r"[mfn]_avg_|(?i:smplh?_)",
    rank=3,
)  # fmt: skip
