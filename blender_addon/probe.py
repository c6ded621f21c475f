# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose a control rig once to read off what carries its controls, and put everything back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Quaternion

from motion_engine import quaternion as quat

from .retarget.carriers import Carriers, find_carriers, probe_rotations

_PROPERTIES = (
    "location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale", "rotation_mode",
)  # fmt: skip


def carriers(
    target: bpy.types.Object, controls: Sequence[str], switches: dict[tuple[str, str], float]
) -> Carriers:
    """What carries each of the controls of an armature.

    Parameters
    ----------
    controls : names of the pose bones that will be keyed.
    switches : (bone, custom property) -> value that they will have.
    """
    bones = [target.pose.bones[name] for name in controls]
    with _as_it_was(target, bones, switches):
        for (holder, name), value in switches.items():
            target.pose.bones[holder][name] = type(target.pose.bones[holder][name])(value)
        for bone in bones:
            bone.rotation_mode = "QUATERNION"
            bone.location, bone.scale = (0, 0, 0), (1, 1, 1)
        still = np.tile(quat.IDENTITY, (len(bones), 1))
        rest_turns, rest_inherited = _pose(target, bones, still)
        turns, inherited = _pose(target, bones, probe_rotations(len(bones)))
    depth = np.array([len(bone.parent_recursive) for bone in bones])
    return find_carriers(rest_turns, rest_inherited, turns, inherited, depth)


def _pose(
    target: bpy.types.Object, bones: Sequence[bpy.types.PoseBone], rotations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of each bone relative to its rest pose, and the part of it that its own channels do not give."""
    for bone, rotation in zip(bones, rotations, strict=True):
        bone.rotation_quaternion = Quaternion(rotation)
    target.update_tag(refresh={"DATA"})
    bpy.context.view_layer.update()
    evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
    posed = np.array([evaluated.pose.bones[bone.name].matrix.to_quaternion() for bone in bones], dtype=float)
    rest = np.array([bone.bone.matrix_local.to_quaternion() for bone in bones], dtype=float)
    turns = quat.multiply(posed, quat.conjugate(rest))
    inherited = quat.multiply(posed, quat.conjugate(quat.multiply(rest, rotations)))
    return turns, inherited


@contextmanager
def _as_it_was(
    target: bpy.types.Object,
    bones: Sequence[bpy.types.PoseBone],
    switches: dict[tuple[str, str], float],
) -> Iterator[None]:
    """Put channels, switches and the armature's animation back as they were, whatever happens."""
    kept = [{name: _value(getattr(bone, name)) for name in _PROPERTIES} for bone in bones]
    held = {(holder, name): target.pose.bones[holder][name] for holder, name in switches}
    try:
        yield
    finally:
        for bone, values in zip(bones, kept, strict=True):
            for name, value in values.items():
                setattr(bone, name, value)
        for (holder, name), value in held.items():
            target.pose.bones[holder][name] = value
        target.update_tag(refresh={"DATA"})
        bpy.context.view_layer.update()


def _value(found: object) -> object:
    return found if isinstance(found, str) else tuple(found)  # type: ignore[call-overload]
