# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of a rig is which joint.

A bone's name is brought into one form (`names`), held against the known families (`families`, `matching`) and, when
names say nothing, the body is read off the skeleton's shape (`shape`). A map as data: `document`; per rig: `store`.
Nothing here needs Blender.
"""

from __future__ import annotations

from .families import FAMILIES
from .family import REQUIRED, Hints, RigFamily, Switch
from .matching import Parents
from .posture import Rest
from .recognition import Mapping, Recognition, RigError
from .recognition import recognize as _recognize

__all__ = [
    "FAMILIES", "REQUIRED", "Hints", "Mapping", "Parents", "Recognition", "Rest", "RigError", "RigFamily", "Switch",
    "map_bones", "recognize",
]  # fmt: skip


def recognize(parents: Parents, rest: Rest | None = None) -> Recognition:
    """What rig this is thought to be, how sure that is, and what speaks against it.

    Parameters
    ----------
    parents : bone -> its parent's name, or None.
    rest : bone -> (2, 3) head and tail at rest, +Z up, any unit; without it the shape is not looked at.
    """
    return _recognize(FAMILIES, parents, rest)


def map_bones(parents: Parents, rest: Rest | None = None) -> Mapping:
    """Map the bones of an armature; the same as `recognize` when that is sure.

    Raises
    ------
    RigError
        If it is not; the message names what is missing or wrong, and the error carries the guess.
    """
    found = recognize(parents, rest)
    if found.mapping is None or not found.sure:
        raise RigError(found.sentence, found)
    return found.mapping
