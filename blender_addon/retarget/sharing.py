# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones between mapped ones take their share, so that a spine of five bends five times and a forearm does not wring.

In the trunk, a bone between two mapped ones turns part of the way from the one to the other: as far as it lies along
the chain. In a limb it takes part of the twist about the limb alone, since a bend there would break the limb; so do
twist bones that hang on a forearm or a shin. Toes beside the mapped one turn as it does. Mapped bones keep their
orientation in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

from .rest import FEET, LIMBS, RestRig

Array = NDArray[np.floating]
J = skeleton.JOINT

TRUNK = frozenset(J[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"))

TWISTED = frozenset(J[name] for name in ("left_elbow", "right_elbow", "left_knee", "right_knee"))
"""Joints whose twist bones may hang beside the chain: what they twist towards, a hand or a foot, never swings far."""

STRAIGHT = 0.03
"""Part of a limb's length by which a bone may lie off its line: turned about it, what hangs below would move."""

BESIDE = 0.5
"""Part of the foot's length within which the head of a toe lies from that of the mapped one."""


@dataclass(frozen=True)
class Share:
    """What an unmapped bone takes of the difference between two joints.

    Attributes
    ----------
    start, end : SMPL-22 joints.
    part : from 0 (turns as ``start``) to 1 (as ``end``).
    axis : (3,) direction of the limb at rest, when only the twist about it is shared.
    """

    start: int
    end: int
    part: float
    axis: Array | None

    def turn(self, turns: Array) -> Array:
        """Rotation (T, 4) of the bone from those (T, 22, 4) of the joints, relative to the rest pose."""
        start, end = turns[:, self.start], turns[:, self.end]
        if self.axis is None:
            return quat.slerp(start, end, self.part)
        between = quat.multiply(quat.conjugate(start), end)
        # the twist of a swing-twist decomposition
        angle = 2.0 * np.arctan2(between[:, 1:] @ self.axis, between[:, 0])
        angle = np.unwrap((angle + np.pi) % (2 * np.pi) - np.pi)
        return quat.multiply(start, quat.from_axis_angle(self.axis * (self.part * angle)[:, None]))


def plan(rig: RestRig) -> dict[int, Share]:
    """Unmapped bones of a rig, by index, that take a share."""
    below: dict[int, list[int]] = {}
    for bone in np.flatnonzero(rig.joints >= 0):
        above = int(rig.parents[bone])
        while above >= 0 and rig.joints[above] < 0:
            below.setdefault(above, []).append(int(bone))
            above = int(rig.parents[above])
    bone_of = {int(joint): bone for bone, joint in enumerate(rig.joints) if joint >= 0}
    shares = {}
    for bone in np.flatnonzero((rig.joints < 0) & rig.free & rig.inherit):
        chain = [int(bone)]
        while rig.joints[chain[0]] < 0:
            chain.insert(0, int(rig.parents[chain[0]]))
        start = int(rig.joints[chain[0]])
        ends = below.get(int(bone), [])
        if not ends and start in FEET:
            if _is_beside(rig, int(bone), chain[0], bone_of.get(FEET[start])):
                shares[int(bone)] = Share(start, FEET[start], 1.0, None)
            continue
        if len(ends) == 1:
            end = ends[0]
            rest = [end]
            while rig.parents[rest[0]] != bone:
                rest.insert(0, int(rig.parents[rest[0]]))
        elif not ends and start in TWISTED and LIMBS[start] in bone_of:
            end = bone_of[LIMBS[start]]
            rest = [end]
        else:
            continue
        share = _share(rig, chain, rest, start, int(rig.joints[end]))
        if share is not None:
            shares[int(bone)] = share
    return shares


def _is_beside(rig: RestRig, bone: int, foot: int, toe: int | None) -> bool:
    """Whether a bone below a foot begins where the mapped toe does."""
    if toe is None:
        return False
    heads = rig.rest[:, :3, 3]
    length = float(np.linalg.norm(heads[toe] - heads[foot]))
    return float(np.linalg.norm(heads[bone] - heads[toe])) < BESIDE * length


def _share(rig: RestRig, chain: list[int], rest: list[int], start: int, end: int) -> Share | None:
    """The share of the last bone of ``chain``, which begins at the start; ``rest`` goes on to the end."""
    heads = rig.rest[[*chain, *rest], :3, 3]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(heads, axis=0), axis=-1))])
    if along[-1] < 1e-9:
        return None
    part = float(along[len(chain) - 1] / along[-1])
    if start in TRUNK and end in TRUNK:
        return Share(start, end, part, None)
    if LIMBS.get(start) != end:
        return None
    limb = heads[-1] - heads[0]
    length = float(np.linalg.norm(limb))
    axis = limb / max(length, 1e-9)
    off = np.linalg.norm((heads - heads[0]) - ((heads - heads[0]) @ axis)[:, None] * axis, axis=-1)
    if off.max() > STRAIGHT * length or along[-1] > (1 + STRAIGHT) * length:
        return None
    return Share(start, end, part, axis)
