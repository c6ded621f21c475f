# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixamo: ``mixamorig:Hips``, with a number (``mixamorig1:``), another separator or no prefix at all."""

from __future__ import annotations

import re

from .matching import RigFamily

_PREFIX = re.compile(r"^mixamorig\d*[:_ ]?")


def key(name: str) -> str:
    """``mixamorig1:LeftUpLeg`` to ``leftupleg``."""
    return _PREFIX.sub("", name.lower())


_BONES: dict[str, tuple[str, ...]] = {
    "pelvis": ("hips",), "spine1": ("spine",), "spine2": ("spine1",), "spine3": ("spine2",),
    "neck": ("neck",), "head": ("head",),
}  # fmt: skip
for _side in ("left", "right"):
    _BONES |= {
        f"{_side}_hip": (f"{_side}upleg",), f"{_side}_knee": (f"{_side}leg",),
        f"{_side}_ankle": (f"{_side}foot",), f"{_side}_foot": (f"{_side}toebase",),
        f"{_side}_collar": (f"{_side}shoulder",), f"{_side}_shoulder": (f"{_side}arm",),
        f"{_side}_elbow": (f"{_side}forearm",), f"{_side}_wrist": (f"{_side}hand",),
    }  # fmt: skip

FAMILY = RigFamily("Mixamo", _BONES, key)
