# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pole has to be for a limb to bend as it should, on a rig whose solver is known by what it does alone.

A pole says how a limb is turned about the line from its root to its end; that the middle joint then lies on the side of
the pole holds for well made rigs only. Their makers turn the chain by a pole angle that is right at rest, where it is,
and a knee that is a hinge across the plane of the limb keeps it so. Where it is not right, the middle joint lies beside
the pole by an angle that depends on nothing but how far the limb is stretched. So it is measured, in a few poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

Array = NDArray[np.floating]

STRAIGHT = 0.004
"""Part of a limb's length; a joint that lies nearer to the line through the limb does not say where the pole is."""

MEASURABLE = 0.02
"""The same for a joint that says by which angle it lies beside the pole: a millimetre there is a few degrees."""

KEEPS_LENGTH = 0.005
"""Part of a limb's length by which the halves of a limb may differ from those at rest, as the solver leaves them."""

MISS = 0.005
"""Part of a limb's length by which a middle joint may miss its place in a pose that was not measured."""


@dataclass(frozen=True)
class Swivel:
    """How far the middle joint of a limb lies beside the pole.

    Attributes
    ----------
    reach : (k,) distances from root to end, growing, over the length of the limb.
    angle : (k,) radians about the line from root to end, from the pole to the middle joint.
    """

    reach: Array
    angle: Array

    def at(self, reach: Array) -> Array:
        """Angles (T,) for a limb stretched to ``reach`` (T,)."""
        return np.interp(reach, self.reach, self.angle)


BESIDE_NOTHING = Swivel(np.array([1.0]), np.array([0.0]))
"""A limb that bends towards its pole."""


def find_swivel(
    root: Array, end: Array, pole: Array, seen: Array, upper: float, lower: float
) -> Swivel | None:
    """Measure a limb.

    Parameters
    ----------
    root, end, pole : (p, 3) in p poses; the last one is not measured, but has to be as the others tell.
    seen : (p, c, 3) places of bones that were at the middle joint at rest; those that were not carried by the chain
        that is solved are found out by their distances from root and end.
    upper, lower : lengths of the limb's halves.

    Returns
    -------
    Swivel, or None when no bone shows a limb of these lengths, or the poses do not agree.
    """
    length = upper + lower
    off = np.abs(np.linalg.norm(seen - root[:, None], axis=-1) - upper)
    off = np.maximum(off, np.abs(np.linalg.norm(seen - end[:, None], axis=-1) - lower)).max(axis=0)
    if not len(off) or off.min() > KEEPS_LENGTH * length:
        return None
    middle = seen[:, int(off.argmin())]
    along = quat.normalize(end - root)
    bend, aim = across(middle - root, along), across(pole - root, along)
    radius = np.linalg.norm(bend, axis=-1)
    angle = np.arctan2(np.sum(np.cross(aim, bend) * along, axis=-1), np.sum(aim * bend, axis=-1))
    reach = np.linalg.norm(end - root, axis=-1) / length
    said = np.flatnonzero(radius[:-1] > MEASURABLE * length)
    if not len(said):
        return None
    said = said[np.argsort(reach[said])]
    found = Swivel(reach[said], np.unwrap(angle[said]))
    left = (angle[-1] - found.at(reach[-1]) + np.pi) % (2 * np.pi) - np.pi
    if abs(left) * radius[-1] > MISS * length:
        return None
    return found


def pole_path(root: Array, middle: Array, end: Array, aside: Array, swivel: Swivel = BESIDE_NOTHING) -> Array:
    """Where a pole (T, 3) makes a limb bend as it does.

    Parameters
    ----------
    root, middle, end : (T, 3) the limb's joints.
    aside : (T, 3) from the middle joint to the pole as at rest, turned with the upper half of the limb: its length is
        kept, and its direction counts where the limb is straight.
    swivel : how far the middle joint lies beside the pole.
    """
    chord = end - root
    along = quat.normalize(chord)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    angle = swivel.at(np.linalg.norm(chord, axis=-1) / length)
    turn = quat.from_axis_angle(along * angle[:, None])
    bend = across(middle - root, along)
    away = bend + quat.rotate(turn, quat.normalize(across(aside, along))) * (STRAIGHT * length)[:, None]
    distance = np.linalg.norm(bend, axis=-1, keepdims=True) + np.linalg.norm(aside, axis=-1, keepdims=True)
    return middle - bend + quat.rotate(quat.conjugate(turn), quat.normalize(away)) * distance


def across(vectors: Array, along: Array) -> Array:
    """The part of vectors (T, 3) that is across unit vectors (T, 3)."""
    return vectors - along * np.sum(vectors * along, axis=-1, keepdims=True)
