# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a control rig: which of them take keys, and whether they can be relied on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy
import numpy as np

from motion_engine import skeleton

from . import rig_maps
from .retarget.ik_controls import IK_LIMBS, LIMBS, Bodies, IkControls, Pole, unexplained
from .status import Fix, UserError

_NAMES = skeleton.JOINT_NAMES
LIMB_JOINTS = frozenset(_NAMES[joint] for joint in IK_LIMBS)
"""Joints whose FK controls get no keys when IK controls do."""

KEY_FK = Fix("Key FK Controls", "motion_prompt.key_fk", {}, "CON_ROTLIKE")


def has_both(mapping: rig_maps.Mapping) -> bool:
    """Whether a rig offers FK controls and, for all four limbs, IK controls with poles and switches."""
    return mapping.kind == "control" and mapping.hints is not None and not _lacking(mapping)


def ik_controls(target: bpy.types.Object, mapping: rig_maps.Mapping) -> dict[str, int]:
    """IK control -> joint that it moves, or whose bend it directs.

    Raises
    ------
    UserError
        If the rig has none for an arm or a leg.
    """
    lacking = _lacking(mapping)
    if lacking or mapping.hints is None:
        which = ", ".join(lacking) or "arms and legs"
        raise UserError(
            f"'{target.name}': no IK controls that give the same pose are known for: {which}. Key the FK "
            "controls instead. Nothing was changed.",
            [KEY_FK],
        )
    found = {}
    for joint, names in mapping.hints.ik.items():
        if joint in mapping.bones:
            found[names[0]] = skeleton.JOINT[joint]
    return found


PULL, PUSH = 0.35, 0.1
"""By which part of its limb a hand or foot is moved to the body to see what carries it, by which a pole or a toe."""


def pushes(target: bpy.types.Object, mapping: rig_maps.Mapping, ik: dict[str, int]) -> np.ndarray:
    """How far (m, 3) each IK control is moved, in armature space, to see what carries it."""
    limb_of = {joint: limb for limb in LIMBS for joint in limb}

    def head(joint: int) -> np.ndarray:
        return np.array(target.data.bones[mapping.bones[_NAMES[joint]]].head_local, dtype=float)

    directions = np.random.default_rng(6).normal(size=(len(ik), 3))
    found = []
    for joint, direction in zip(ik.values(), directions, strict=True):
        root, _, end = limb_of.get(joint, LIMBS[1])
        whole = head(root) - head(end)
        way = direction / np.linalg.norm(direction) * np.linalg.norm(whole)
        found.append(PULL * whole if joint == end else PUSH * way)
    return np.array(found).reshape(-1, 3)


def _lacking(mapping: rig_maps.Mapping) -> list[str]:
    """Limbs, in words, without an IK control, a pole or a switch."""
    hints = mapping.hints
    if hints is None:
        return []
    switched = {switch.limb for switch in hints.switches}
    lacking = []
    for _, middle, end in LIMBS:
        side, part = _NAMES[end].split("_")
        limb = f"{side} {'arm' if part == 'wrist' else 'leg'}"
        named = _NAMES[end] in hints.ik and _NAMES[middle] in hints.ik
        if not (hints.same_pose and named and limb.replace(" ", "_") in switched):
            lacking.append(limb)
    return lacking


def keyed_paths(
    target: bpy.types.Object, mapping: rig_maps.Mapping, mover: str, ik: Iterable[str] = ()
) -> list[str]:
    """Data paths of the channels that will be keyed."""
    fk = mapping.bones.values()
    if ik:
        fk = [bone for joint, bone in mapping.bones.items() if joint not in LIMB_JOINTS]
    paths = [_path(target.pose.bones[name], _rotation(target.pose.bones[name])) for name in (*fk, *ik)]
    return paths + [_path(target.pose.bones[name], "location") for name in (mover, *ik)]


def _path(bone: bpy.types.PoseBone, prop: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{prop}'


def _rotation(bone: bpy.types.PoseBone) -> str:
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(
        bone.rotation_mode, "rotation_euler"
    )


def checked(
    target: bpy.types.Object, joints: Sequence[str], names: Sequence[str], ik: dict[str, int], bodies: Bodies
) -> IkControls:
    """The IK controls with what carries them.

    Parameters
    ----------
    joints, names : of the FK controls.
    ik : IK control -> joint.

    Raises
    ------
    UserError
        If a control moves in a way that nothing explains.
    """
    bones = [target.pose.bones[name] for name in ik]
    poles = {middle: Pole(root, middle, end) for root, middle, end in LIMBS}
    found = IkControls(
        names=list(ik),
        modes=[bone.rotation_mode for bone in bones],
        joints=[-1 if joint in poles else joint for joint in ik.values()],
        poles=[poles.get(joint) for joint in ik.values()],
        rest=np.array([bone.bone.matrix_local for bone in bones], dtype=float),
        bodies=bodies,
    )
    in_limbs = {_NAMES[joint] for limb in LIMBS for joint in limb}
    odd = unexplained(found, np.array([i for i, joint in enumerate(joints) if joint in in_limbs]))
    if odd:
        every = [*names, *ik]
        named = ", ".join(f"'{every[i]}'" for i in odd[:4])
        raise UserError(
            f"'{target.name}': constraints or drivers move {named} in a way that IK keys cannot follow. Key the FK "
            "controls instead. Nothing was changed.",
            [KEY_FK],
        )
    return found


def hidden(target: bpy.types.Object, names: Iterable[str]) -> list[str]:
    """Those of the bones that the user does not see: hidden themselves or in hidden bone collections only."""
    return [name for name in names if _is_hidden(target.pose.bones[name])]


def _is_hidden(bone: bpy.types.PoseBone) -> bool:
    collections = bone.bone.collections
    seen = not len(collections) or any(collection.is_visible_effectively for collection in collections)
    return bone.bone.hide or getattr(bone, "hide", False) or not seen
