# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a plain armature from its F-curves, in numpy: nothing is evaluated by Blender, nothing can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

from .. import compat
from ..retarget.channels import CHANNEL_OF_MODE, local_rotation

Array = NDArray[np.floating]
Key = tuple[str, str, int]
"""Bone, property, index of a channel."""

REST = {
    "location": (0.0, 0.0, 0.0),
    "scale": (1.0, 1.0, 1.0),
    "rotation_quaternion": (1.0, 0.0, 0.0, 0.0),
    "rotation_axis_angle": (0.0, 0.0, 1.0, 0.0),
    "rotation_euler": (0.0, 0.0, 0.0),
}
PROPERTIES = tuple(REST)


@dataclass(frozen=True)
class PlainRig:
    """Bones of an armature that nothing but their own channels and their parents move, parents first.

    Attributes
    ----------
    names : of n bones.
    parents : (n,) index of the direct parent, -1 for none.
    offsets : (n, 4, 4) rest matrix relative to the parent's, or to the armature.
    modes : rotation modes.
    connected : bones whose location has no effect.
    values : what each channel holds where no curve says otherwise.
    """

    names: list[str]
    parents: list[int]
    offsets: Array
    modes: list[str]
    connected: list[bool]
    values: dict[tuple[str, str], tuple[float, ...]]


def read_plain(target: bpy.types.Object, wanted: Sequence[str]) -> PlainRig | None:
    """The wanted bones and all above them; None where constraints, drivers or inheritance settings are at work."""
    needed: dict[str, bpy.types.PoseBone] = {}
    for name in wanted:
        bone = target.pose.bones[name]
        while bone is not None and bone.name not in needed:
            needed[bone.name] = bone
            bone = bone.parent
    if _is_rigged(target, needed):
        return None
    bones = sorted(needed.values(), key=lambda bone: len(bone.parent_recursive))
    index = {bone.name: i for i, bone in enumerate(bones)}
    rest = np.array([bone.bone.matrix_local for bone in bones], dtype=float)
    parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    # a rest matrix turns and moves only, so that its inverse needs no solver, whose threads would have to be waited for
    above = np.array([np.eye(4) if p < 0 else rest[p] for p in parents])
    back = np.swapaxes(above[:, :3, :3], 1, 2)
    offsets = np.tile(np.eye(4), (len(rest), 1, 1))
    offsets[:, :3, :3] = back @ rest[:, :3, :3]
    offsets[:, :3, 3] = (back @ (rest[:, :3, 3:] - above[:, :3, 3:]))[..., 0]
    return PlainRig(
        [bone.name for bone in bones],
        parents,
        offsets,
        [bone.rotation_mode for bone in bones],
        [bone.parent is not None and bone.bone.use_connect for bone in bones],
        {(bone.name, prop): tuple(getattr(bone, prop)) for bone in bones for prop in PROPERTIES},
    )


def _is_rigged(target: bpy.types.Object, needed: dict[str, bpy.types.PoseBone]) -> bool:
    for bone in needed.values():
        rest = bone.bone
        if not (rest.use_inherit_rotation and rest.use_local_location) or rest.inherit_scale != "FULL":
            return True
        if rest.use_relative_parent or any(not constraint.mute for constraint in bone.constraints):
            return True
    for bone in target.pose.bones:  # inverse kinematics turns bones above the one that has it
        if any(c.type in {"IK", "SPLINE_IK"} and not c.mute for c in bone.constraints):
            return True
    data = target.animation_data
    starts = tuple(f'pose.bones["{bpy.utils.escape_identifier(name)}"]' for name in needed)
    return data is not None and any(driver.data_path.startswith(starts) for driver in data.drivers)


def keyed_channels(target: bpy.types.Object, curves: Sequence[bpy.types.FCurve]) -> dict[Key, Any]:
    """The curves that key channels of pose bones and are not muted."""
    bones = target.pose.bones
    start = 'pose.bones["'
    found = {}
    for curve in curves:
        path = curve.data_path
        if not path.startswith(start):
            continue
        escaped, _, prop = path[len(start) :].rpartition('"].')
        name = bpy.utils.unescape_identifier(escaped)
        if prop in REST and name in bones and not curve.mute and not (curve.group and curve.group.mute):
            found[name, prop, curve.array_index] = curve
    return found


def needed(plain: PlainRig, keyed: dict[Key, Any]) -> dict[Key, Any]:
    """Those of the keyed channels that have an effect on the rig."""
    used = {
        (name, prop)
        for name, mode, connected in zip(plain.names, plain.modes, plain.connected, strict=True)
        for prop in (
            CHANNEL_OF_MODE.get(mode, "rotation_euler"),
            "scale",
            *(() if connected else ("location",)),
        )
    }
    return {key: curve for key, curve in keyed.items() if key[:2] in used}


def without(plain: PlainRig, keyed: Sequence[Key]) -> PlainRig:
    """The rig with channels at rest where another animation has left its values."""
    values = dict(plain.values)
    for bone, prop, at in keyed:
        if (bone, prop) in values:
            column = list(values[bone, prop])
            column[at] = REST[prop][at]
            values[bone, prop] = tuple(column)
    return PlainRig(plain.names, plain.parents, plain.offsets, plain.modes, plain.connected, values)


def pose_matrices(plain: PlainRig, values: dict[Key, Array], count: int) -> dict[str, Array]:
    """Matrices (T, 4, 4) of the bones in armature space; numpy alone, so that any thread may do it.

    Parameters
    ----------
    values : the keyed channels' values (T,).
    count : T.
    """
    posed: list[Array] = []
    for i, (name, mode) in enumerate(zip(plain.names, plain.modes, strict=True)):
        prop = CHANNEL_OF_MODE.get(mode, "rotation_euler")
        basis = np.zeros((count, 4, 4))
        basis[:, :3, :3] = quat.to_matrix(local_rotation(mode, _values(plain, values, name, prop, count)))
        scale = _values(plain, values, name, "scale", count)
        if (scale != 1.0).any():
            basis[:, :3, :3] *= scale[:, None, :]
        if not plain.connected[i]:
            basis[:, :3, 3] = _values(plain, values, name, "location", count)
        basis[:, 3, 3] = 1.0
        own = plain.offsets[i] @ basis
        posed.append(own if plain.parents[i] < 0 else posed[plain.parents[i]] @ own)
    return dict(zip(plain.names, posed, strict=True))


def _values(plain: PlainRig, keyed: dict[Key, Array], bone: str, prop: str, count: int) -> Array:
    """Values (T, k) of a channel."""
    left = plain.values[bone, prop]
    values = np.tile(left, (count, 1))
    for at in range(len(left)):
        if (bone, prop, at) in keyed:
            values[:, at] = keyed[bone, prop, at]
    return values


def evaluate(curve: bpy.types.FCurve, frames: Array) -> Array:
    """Values (T,) of an F-curve; baked and linear curves are read at once, others one frame at a time."""
    points = curve.keyframe_points
    count = len(points)
    if count and not len(curve.modifiers) and curve.extrapolation == "CONSTANT":
        pairs = np.empty(2 * count, dtype=np.float32)
        points.foreach_get("co", pairs)
        times, values = pairs[::2].astype(float), pairs[1::2].astype(float)
        after = np.searchsorted(times, frames - 1e-4)
        inside = (frames > times[0]) & (frames < times[-1])
        on_key = np.abs(times[np.minimum(after, count - 1)] - frames) < 1e-3
        if (on_key | ~inside).all():
            return values[np.clip(after, 0, count - 1)]
        kinds = np.empty(count, dtype=np.int32)
        points.foreach_get("interpolation", kinds)
        if (kinds == compat.LINEAR).all():
            return np.interp(frames, times, values)
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])
