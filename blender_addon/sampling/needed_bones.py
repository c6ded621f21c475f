# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a rig the pose of some of its bones depends on: a sixth of those of a Rigify human."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import bpy

_BONE = re.compile(r'bones\["((?:[^"\\]|\\.)*)"\]')


def bones_in(path: str) -> list[str]:
    """Names of the bones in a data path."""
    return [bpy.utils.unescape_identifier(name) for name in _BONE.findall(path)]


def drivers_of(target: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The drivers of an armature object and of its data."""
    owners = [owner.animation_data for owner in (target, target.data)]
    return [driver for data in owners if data is not None for driver in data.drivers]


def needed_bones(target: bpy.types.Object, wanted: Iterable[str]) -> set[str] | None:
    """The wanted bones and all that have a say in where they are; None where that cannot be known.

    That is: parents, targets of constraints (muted ones too, which an Action may turn on), the ends of chains of
    inverse kinematics, what drivers read, and what bends bendy bones.
    """
    says = _influences(target)
    if says is None:
        return None
    found: set[str] = set()
    open_ends = list(wanted)
    while open_ends:
        name = open_ends.pop()
        if name in found or name not in target.pose.bones:
            continue
        found.add(name)
        open_ends += says[name]
    return found


def _influences(target: bpy.types.Object) -> dict[str, list[str]] | None:
    """For each bone those that it directly depends on."""
    says: dict[str, list[str]] = defaultdict(list)
    for bone in target.pose.bones:
        own = says[bone.name]
        if bone.parent is not None:
            own.append(bone.parent.name)
        own += _bending(bone)
        for constraint in bone.constraints:
            own += _aims(constraint)
            if constraint.type in {"IK", "SPLINE_IK"}:
                for link in _chain(bone, constraint.chain_count):
                    says[link].append(bone.name)
    for driver in drivers_of(target):
        if driver.driver.use_self:  # may read whatever it likes
            return None
        read = [
            name
            for variable in driver.driver.variables
            for aim in variable.targets
            for name in (aim.bone_target, *bones_in(aim.data_path))
        ]
        for name in bones_in(driver.data_path)[:1]:
            says[name] += read
    return says


def _aims(constraint: bpy.types.Constraint) -> Iterator[str]:
    for name in ("subtarget", "pole_subtarget"):
        yield getattr(constraint, name, "")
    for aim in getattr(constraint, "targets", ()):
        yield aim.subtarget


def _chain(tip: bpy.types.PoseBone, count: int) -> list[str]:
    """The bones that inverse kinematics at a bone turns; a count of 0 means all of them."""
    every = [tip.name, *(parent.name for parent in tip.parent_recursive)]
    return every[: count + 1] if count else every


def _bending(bone: bpy.types.PoseBone) -> list[str]:
    """Bones that bend a bendy bone."""
    rest = bone.bone
    handles = [
        handle.name for handle in (rest.bbone_custom_handle_start, rest.bbone_custom_handle_end) if handle
    ]
    return handles + ([child.name for child in bone.children] if rest.bbone_segments > 1 else [])
