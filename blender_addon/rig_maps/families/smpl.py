# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL's own bone names: ``m_avg_L_Hip`` of the published FBX files, or plain ``L_Hip``."""

from __future__ import annotations

import re

from motion_engine import skeleton

from .matching import RigFamily

_PREFIX = re.compile(r"^(?:[mfn]_avg_|smplh?_)")


def key(name: str) -> str:
    """``m_avg_L_Hip`` and ``L_Hip`` to ``l_hip``."""
    return _PREFIX.sub("", name.lower())


def _names(joint: str) -> tuple[str, ...]:
    return (joint.replace("left_", "l_").replace("right_", "r_"),)


FAMILY = RigFamily("SMPL", {joint: _names(joint) for joint in skeleton.JOINT_NAMES}, key)
