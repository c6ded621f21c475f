# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of a rig is which joint: one file a rig family, the best-scoring family wins."""

from __future__ import annotations

from . import mixamo, smpl, smpl_numbers, smplx
from .matching import Mapping, RigError, RigFamily, best_match

FAMILIES: tuple[RigFamily, ...] = (smplx.FAMILY, smpl.FAMILY, smpl_numbers.FAMILY, mixamo.FAMILY)

__all__ = ["FAMILIES", "Mapping", "RigError", "RigFamily", "map_bones"]


def map_bones(parents: dict[str, str | None]) -> Mapping:
    """Map the bones of an armature, given as name -> parent's name.

    Raises
    ------
    RigError
        If no family fits; the message names what is missing.
    """
    return best_match(FAMILIES, parents)
