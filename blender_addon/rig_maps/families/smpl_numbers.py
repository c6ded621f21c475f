# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL joints by number: ``J00`` (pelvis) to ``J21`` (right wrist)."""

from __future__ import annotations

import re

from motion_engine import skeleton

from .matching import RigFamily

_NUMBER = re.compile(r"^j(?:oint)?[_ ]?0*(\d+)$")


def key(name: str) -> str:
    """``J07``, ``J_7`` and ``joint7`` to ``7``; any other name is left alone."""
    found = _NUMBER.match(name.lower())
    return found.group(1) if found else name


FAMILY = RigFamily("SMPL (numbered)", {name: (str(i),) for i, name in enumerate(skeleton.JOINT_NAMES)}, key)
