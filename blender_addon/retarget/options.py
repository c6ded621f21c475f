# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chose about how a motion is put on a rig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Controls = Literal["FK", "IK"]


@dataclass(frozen=True)
class RetargetOptions:
    """Choices for one placing of a motion.

    Attributes
    ----------
    controls : of a control rig with both, the limbs' controls that get the keys.
    """

    controls: Controls = "FK"
