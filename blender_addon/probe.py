# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose a control rig once to read off what carries its controls, and put everything back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from motion_engine import quaternion as quat

from . import switches
from .retarget.carriers import Carriers, find_carriers, probe_rotations
from .retarget.ik_controls import Bodies, find_bodies

Array = np.ndarray

_PROPERTIES = (
    "rotation_mode", "location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale",
)  # fmt: skip
"""The mode comes first, since Blender converts rotations when it changes."""


@dataclass(frozen=True)
class Reading:
    """What was read off a rig.

    Attributes
    ----------
    carriers : how the controls' rotations are carried.
    bodies : with IK controls, how all of them move as bodies.
    poses : (p, n + m, 4, 4) matrices of all controls in the still pose and in those of the pulls.
    seen : (p, w, 3) heads of the watched bones in them.
    """

    carriers: Carriers
    bodies: Bodies | None
    poses: Array
    seen: Array


def read(
    target: bpy.types.Object,
    controls: Sequence[str],
    ik: Sequence[str],
    mover: str,
    values: dict[switches.Key, float],
    pushes: Array,
    pulls: Sequence[Array] = (),
    watched: Sequence[str] = (),
) -> Reading:
    """What carries each of the controls of an armature.

    Parameters
    ----------
    controls : names of the pose bones whose rotation will be keyed.
    ik : names of IK controls, of which rotation and location will be.
    mover : name of the bone that takes the path of the pelvis.
    values : what will be keyed once beside them.
    pushes : (m, 3) how far to move the IK controls, in armature space; a hand or foot must stay within reach, since
        limits of the limb's length count too.
    pulls : the same for more poses, in which the FK controls stay; in the last of them the IK controls turn, too.
    watched : names of bones to be looked at in all poses.
    """
    bones = [target.pose.bones[name] for name in (*controls, *ik)]
    n, total = len(controls), len(bones)
    rest = np.array([bone.bone.matrix_local for bone in bones], dtype=float)
    rotations = probe_rotations(total)
    locations = np.zeros((total, 3))
    with _as_it_was(target, [*bones, target.pose.bones[mover]], values):
        # An Action writes over channels only when the frame changes, or when it is new. Taking it away instead would
        # have Blender build its graph anew, twice, which takes longer than all the rest.
        bpy.context.view_layer.update()
        for key, value in values.items():
            switches.put(target, key, value)
        target.pose.bones[mover].location = (0, 0, 0)
        for bone in bones:
            bone.rotation_mode = "QUATERNION"
            bone.location, bone.scale = (0, 0, 0), (1, 1, 1)
        keys = _Poser(target, bones, watched)
        none = np.tile(quat.IDENTITY, (total, 1))
        poses = [keys.pose(none, locations)]
        still = poses[0][0]
        axes = np.array([_location_axes(bone, still[n + i]) for i, bone in enumerate(bones[n:])])
        if ik:
            locations[n:] = np.einsum("mij,mj->mi", np.linalg.inv(axes), pushes)
            locations[[i for i, bone in enumerate(bones[:n]) if bone.name == mover]] = (
                np.abs(pushes).max() * 0.3
            )
        for number, pull in enumerate(pulls):
            pulled, turned = np.zeros((total, 3)), none.copy()
            pulled[n:] = np.einsum("mij,mj->mi", np.linalg.inv(axes), pull)
            if number == len(pulls) - 1:
                turned[n:] = rotations[n:]
            poses.append(keys.pose(turned, pulled))
        moved, _ = keys.pose(rotations, locations)
    depth = np.array([_depth(bone) for bone in bones])
    carriers = find_carriers(
        *_turns(still[:n], rest[:n], np.tile(quat.IDENTITY, (n, 1))),
        *_turns(moved[:n], rest[:n], rotations[:n]),
        depth[:n],
    )
    bodies = find_bodies(still, moved, rotations, locations, axes, depth) if ik else None
    return Reading(
        carriers, bodies, np.array([pose for pose, _ in poses]), np.array([seen for _, seen in poses])
    )


class _Poser:
    """Gives an armature's controls channels and says where its bones are then."""

    def __init__(
        self, target: bpy.types.Object, bones: Sequence[bpy.types.PoseBone], watched: Sequence[str]
    ) -> None:
        self.target, self.bones, self.watched = target, bones, watched

    def pose(self, rotations: Array, locations: Array) -> tuple[Array, Array]:
        """Matrices (n, 4, 4) of the controls in armature space with these channels, heads (w, 3) of watched bones."""
        for bone, rotation, location in zip(self.bones, rotations, locations, strict=True):
            bone.rotation_quaternion = Quaternion(rotation)
            bone.location = location
        self.target.update_tag(refresh={"DATA"})
        bpy.context.view_layer.update()
        evaluated = self.target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        found = np.array([evaluated[bone.name].matrix for bone in self.bones], dtype=float)
        found[:, :3, :3] /= np.linalg.norm(found[:, :3, :3], axis=1, keepdims=True)
        return found, np.array([evaluated[name].head for name in self.watched], dtype=float).reshape(-1, 3)


_DEEPEST = 10_000
"""Depth of what hangs from a constraint instead of a parent, and so from anything."""


def _depth(bone: bpy.types.PoseBone) -> int:
    """How many bones are above a bone in the rig."""
    above = bone.parent_recursive
    top = above[-1] if above else bone
    return (
        _DEEPEST + len(above)
        if any(one.type in {"ARMATURE", "CHILD_OF"} for one in top.constraints)
        else len(above)
    )


def _turns(posed: Array, rest: Array, rotations: Array) -> tuple[Array, Array]:
    """Rotation (n, 4) of each control relative to its rest pose, and the part that its own channels do not give."""
    posed, rest = quat.from_matrix(posed[:, :3, :3]), quat.from_matrix(rest[:, :3, :3])
    turns = quat.multiply(posed, quat.conjugate(rest))
    inherited = quat.multiply(posed, quat.conjugate(quat.multiply(rest, rotations)))
    return turns, inherited


def _location_axes(bone: bpy.types.PoseBone, matrix: Array) -> Array:
    """Columns (3, 3): where locations along X, Y and Z move a bone that stands still at ``matrix``."""
    parent = {}
    if bone.parent is not None:
        parent = {"parent_matrix": bone.parent.matrix, "parent_matrix_local": bone.parent.bone.matrix_local}
    unmoved, *moved = (
        bone.bone.convert_local_to_pose(Matrix.Translation(location), bone.bone.matrix_local, **parent)
        for location in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    columns = np.stack(
        [np.array(one.translation - unmoved.translation, dtype=float) for one in moved], axis=-1
    )
    # the bone's own constraints turn what its channels give
    turn = quat.from_matrix(np.array(unmoved.normalized().to_3x3(), dtype=float))
    constrained = quat.multiply(quat.from_matrix(matrix[:3, :3]), quat.conjugate(turn))
    return quat.to_matrix(constrained) @ columns


@contextmanager
def _as_it_was(
    target: bpy.types.Object, bones: Sequence[bpy.types.PoseBone], values: dict[switches.Key, float]
) -> Iterator[None]:
    """Put channels and switches back as they were, whatever happens."""
    kept = [{name: _value(getattr(bone, name)) for name in _PROPERTIES} for bone in bones]
    held = {key: switches.get(target, key) for key in values}
    try:
        yield
    finally:
        for bone, channels in zip(bones, kept, strict=True):
            for name, value in channels.items():
                setattr(bone, name, value)
        for key, value in held.items():
            switches.put(target, key, value)
        target.update_tag(refresh={"DATA"})
        bpy.context.view_layer.update()


def _value(found: object) -> object:
    return found if isinstance(found, str) else tuple(found)  # type: ignore[call-overload]
