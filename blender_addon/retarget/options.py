# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chooses about how a motion is put on a rig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Controls = Literal["FK", "IK"]


@dataclass(frozen=True)
class RetargetOptions:
    """How a motion is put on a rig.

    Attributes
    ----------
    root : what carries the travel over ground: the hips, the rig's root bone, or the object.
    in_place : whether travel is taken out.
    loop : seconds of the window at the end that is blended into the first frame; 0 leaves the clip open.
    reach_hands : whether hands that meet still meet on a body of other proportions.
    controls : of a control rig with both, the limbs' controls that get the keys.
    """

    root: Literal["HIPS", "ROOT_BONE", "OBJECT"] = "HIPS"
    in_place: bool = False
    loop: float = 0.0
    reach_hands: bool = False
    controls: Controls = "FK"


DEFAULTS = RetargetOptions()
