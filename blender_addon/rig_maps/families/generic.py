# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of one's own whose bones are named after the body, with any side token, case and separator."""

from __future__ import annotations

from ..family import RigFamily, body

FAMILY = RigFamily(
    "Named after the body",
    body(
        ("left", "right"), pelvis=("pelvis", "hips", "hip", "waist", "root"),
        spine1=("spine", "spine1", "spine lower", "lower spine", "abdomen", "stomach", "torso"),
        spine2=("spine2", "spine middle", "mid spine", "chest", "ribs"),
        spine3=("spine3", "upper chest", "spine upper", "upper spine", "chest2"),
        neck=("neck", "neck1"), head=("head",),
        hip=("{} thigh", "{} up leg", "{} upper leg", "{} leg upper", "{} femur", "{} leg1", "{} hip"),
        knee=("{} shin", "{} calf", "{} lower leg", "{} low leg", "{} leg lower", "{} tibia", "{} knee", "{} leg2",
              "{} leg"),
        ankle=("{} ankle", "{} foot", "{} foot1"),
        foot=("{} toe", "{} toes", "{} toe base", "{} ball", "{} toe0", "{} foot"),
        collar=("{} clavicle", "{} collar", "{} collarbone", "{} scapula", "{} shoulder"),
        shoulder=("{} upper arm", "{} up arm", "{} arm upper", "{} humerus", "{} arm1", "{} arm", "{} shoulder"),
        elbow=("{} forearm", "{} fore arm", "{} lower arm", "{} low arm", "{} arm lower", "{} elbow", "{} arm2"),
        wrist=("{} hand", "{} wrist"),
    ),
    rank=-10,
)  # fmt: skip
