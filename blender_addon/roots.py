# SPDX-License-Identifier: GPL-3.0-or-later
"""What can carry the travel of a character in place of its hips: the rig's root bone, or the object."""

from __future__ import annotations

import re

import bpy
import numpy as np
from mathutils import Matrix

from . import compat, rig_maps
from .retarget.rest import Root

_TRANSFORM = re.compile(r'^pose\.bones\["((?:[^"\\]|\\.)*)"\]\.(location|rotation_\w+)$')
_MOVED = 1e-3
"""Difference of a channel from its curve by which it counts as moved by hand."""


def find(
    target: bpy.types.Object, pelvis: bpy.types.PoseBone, mapping: rig_maps.Mapping, wanted: str
) -> tuple[Root | None, tuple[str, ...]]:
    """What is to carry the travel: None for the hips, which also stand in where the wish cannot be met.

    Parameters
    ----------
    pelvis : bone or control of the pelvis.
    wanted : ``HIPS``, ``ROOT_BONE`` or ``OBJECT``.

    Returns
    -------
    root, and the sentences for the user.
    """
    if wanted == "OBJECT":
        return _object(target)
    if wanted == "ROOT_BONE":
        return _bone(target, pelvis, mapping)
    return None, ()


def fall_back(reason: str) -> str:
    """The sentence that the hips travel after all."""
    return f"The hips travel, because {reason}."


def as_carried(bone: bpy.types.PoseBone, root: Root | None) -> Matrix:
    """Pose matrix of a bone under the root bone, as it would be with the root bone's location and rotation at rest."""
    if root is None or not root.bone:
        return bone.matrix
    carrier = bone.id_data.pose.bones[root.bone]
    still = _still(carrier) @ Matrix.LocRotScale(None, None, carrier.scale)
    return still @ carrier.matrix.inverted_safe() @ bone.matrix


def _still(bone: bpy.types.PoseBone) -> Matrix:
    """Pose matrix of a bone with its own channels at rest, its parents as they are."""
    if bone.parent is None:
        return bone.bone.matrix_local
    return bone.parent.matrix @ bone.parent.bone.matrix_local.inverted() @ bone.bone.matrix_local


def _bone(
    target: bpy.types.Object, pelvis: bpy.types.PoseBone, mapping: rig_maps.Mapping
) -> tuple[Root | None, tuple[str, ...]]:
    named = mapping.hints.root if mapping.kind == "control" and mapping.hints is not None else ()
    above = pelvis.parent_recursive
    if named:
        bone = target.pose.bones[named[0]]
    elif above:
        bone = above[-1]
    else:
        return None, (fall_back(f"'{target.name}' has no root bone over '{pelvis.name}'"),)
    between = [pelvis, *above[: above.index(bone)]] if bone in above else [pelvis]
    for link in between:
        if not (link.bone.use_inherit_rotation and link.bone.use_local_location):
            return None, (fall_back(f"'{link.name}' does not follow the root bone '{bone.name}'"),)
    if any(not constraint.mute for constraint in bone.constraints):
        return None, (fall_back(f"constraints move the root bone '{bone.name}'"),)
    if any(bone.lock_location) or any(bone.lock_rotation):
        return None, (fall_back(f"channels of the root bone '{bone.name}' are locked"),)
    return Root(bone.name, np.array(_still(bone), dtype=float), bone.rotation_mode, np.eye(4), np.ones(3)), ()


def _object(target: bpy.types.Object) -> tuple[Root | None, tuple[str, ...]]:
    if any(target.lock_location) or any(target.lock_rotation):
        return None, (fall_back(f"the location or rotation of '{target.name}' is locked"),)
    if any(not constraint.mute for constraint in target.constraints):
        return None, (fall_back(f"constraints move the object '{target.name}'"),)
    delta = Matrix.LocRotScale(
        target.delta_location,
        target.delta_rotation_quaternion
        if target.rotation_mode == "QUATERNION"
        else target.delta_rotation_euler,
        None,
    )
    basis = np.array(target.matrix_basis, dtype=float)
    scale = np.array(target.scale) * np.array(target.delta_scale)
    if np.abs(scale).min() < 1e-9:
        return None, (fall_back(f"'{target.name}' has a scale of 0"),)
    return Root("", basis, target.rotation_mode, np.array(delta, dtype=float), scale), ()


def put_back(target: bpy.types.Object, scene: bpy.types.Scene) -> list[tuple[object, str, int, float]]:
    """Bring root bones and the object to where the generated Action that they play began.

    Otherwise an Action that does not move them would leave them wherever they are at this frame. What the user has
    moved since stays where it is.

    Returns
    -------
    What was changed, for `undo`: owner, property, index and value before.
    """
    action = target.animation_data.action if target.animation_data is not None else None
    if action is None or "motion_prompt" not in action:
        return []
    frame = scene.frame_current_final
    changed, moved = [], False
    curves = list(compat.action_curves(action))
    # hips always travel; a bone without a parent that does so alone is the hips
    travelling = {curve.data_path for curve in curves if curve.data_path.endswith("].location")}
    for curve in curves:
        if len(travelling) < 2 and curve.data_path.startswith("pose."):
            continue
        owner, prop = _root_property(target, curve.data_path)
        if owner is None or not len(curve.keyframe_points):
            continue
        value = getattr(owner, prop)[curve.array_index]
        moved |= abs(value - curve.evaluate(frame)) > _MOVED
        changed.append((owner, prop, curve.array_index, value, curve.keyframe_points[0].co.y))
    if moved:
        return []
    for owner, prop, index, _, first in changed:
        getattr(owner, prop)[index] = first
    if changed:
        bpy.context.view_layer.update()
    return [entry[:4] for entry in changed]


def undo(changed: list[tuple[object, str, int, float]]) -> None:
    """Take `put_back` back."""
    for owner, prop, index, value in changed:
        getattr(owner, prop)[index] = value


def _root_property(target: bpy.types.Object, path: str) -> tuple[object | None, str]:
    """Owner and name of the property if it is a transform of the object, or of a bone without a parent."""
    if path == "location" or path.startswith("rotation_"):
        return target, path
    match = _TRANSFORM.match(path)
    bone = target.pose.bones.get(bpy.utils.unescape_identifier(match[1])) if match is not None else None
    if match is None or bone is None or bone.parent is not None:
        return None, ""
    return bone, match[2]
