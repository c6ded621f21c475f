# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a control rig: which of them take keys, and whether they can be relied on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy
import numpy as np

from motion_engine import skeleton

from . import probe, rig_maps
from .retarget.ik_controls import IK_LIMBS, LIMBS, IkControls, Pole, find_swivels, unexplained
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


PULLS = (0.04, 0.15, 0.6)
"""By which part of their limb hands and feet are moved to the body to see how it bends beside its pole."""

AT_JOINT = 1e-3
"""Part of a limb's length within which a bone begins at a joint."""


def pulls(target: bpy.types.Object, mapping: rig_maps.Mapping, ik: dict[str, int]) -> list[np.ndarray]:
    """How far (m, 3) each IK control is moved in the poses that show how the limbs bend; in the last one poles, too."""
    if not ik:
        return []
    ends = np.array([joint in {limb[2] for limb in LIMBS} for joint in ik.values()])
    every = pushes(target, mapping, ik)
    return [*(np.where(ends[:, None], share / PULL * every, 0.0) for share in PULLS), every]


def at_middles(target: bpy.types.Object, mapping: rig_maps.Mapping, ik: dict[str, int]) -> list[list[str]]:
    """For each IK control that is a pole the bones, other than FK controls, that begin at its elbow or knee."""
    bones = target.data.bones
    heads = np.empty(3 * len(bones), dtype=np.float32)
    bones.foreach_get("head_local", heads)
    heads = heads.reshape(-1, 3)
    ends = {middle: (root, end) for root, middle, end in LIMBS}
    found: list[list[str]] = []
    for joint in ik.values():
        if joint not in ends:
            found.append([])
            continue
        root, middle, end = (
            np.array(bones[mapping.bones[_NAMES[one]]].head_local)
            for one in (ends[joint][0], joint, ends[joint][1])
        )
        length = np.linalg.norm(middle - root) + np.linalg.norm(end - middle)
        near = np.flatnonzero(np.linalg.norm(heads - middle, axis=-1) < AT_JOINT * length)
        found.append([bones[int(i)].name for i in near if bones[int(i)].name not in mapping.bones.values()])
    return found


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
        if not (named and limb.replace(" ", "_") in switched):
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
    target: bpy.types.Object,
    joints: Sequence[str],
    names: Sequence[str],
    ik: dict[str, int],
    found: probe.Reading,
    middles: Sequence[Sequence[str]],
) -> IkControls:
    """The IK controls with what carries them and how their limbs bend.

    Parameters
    ----------
    joints, names : of the FK controls.
    ik : IK control -> joint.
    found : what was read with the bones of ``middles`` watched, one control's after another's.
    middles : the bones at the middle joint of each pole's limb.

    Raises
    ------
    UserError
        If a control moves in a way that nothing explains, or a limb bends in such a way.
    """
    bones = [target.pose.bones[name] for name in ik]
    poles = {middle: Pole(root, middle, end) for root, middle, end in LIMBS}
    assert found.bodies is not None
    controls = IkControls(
        names=list(ik),
        modes=[bone.rotation_mode for bone in bones],
        joints=[-1 if joint in poles else joint for joint in ik.values()],
        poles=[poles.get(joint) for joint in ik.values()],
        swivels=[None] * len(ik),
        fixed=[name in names for name in ik],
        rest=np.array([bone.bone.matrix_local for bone in bones], dtype=float),
        bodies=found.bodies,
    )
    in_limbs = {_NAMES[joint] for limb in LIMBS for joint in limb}
    odd = unexplained(controls, np.array([i for i, joint in enumerate(joints) if joint in in_limbs]))
    if odd:
        every = [*names, *ik]
        named = ", ".join(f"'{every[i]}'" for i in odd[:4])
        raise UserError(
            f"'{target.name}': constraints or drivers move {named} in a way that IK keys cannot follow. Key the FK "
            "controls instead. Nothing was changed.",
            [KEY_FK],
        )
    ends = np.cumsum([len(bones) for bones in middles])[:-1]
    rest = np.array([target.data.bones[name].matrix_local for name in names], dtype=float)
    find_swivels(
        controls, np.array([skeleton.JOINT[joint] for joint in joints]), rest, found.poses,
        np.split(found.seen, ends, axis=1),
    )  # fmt: skip
    pairs = zip(controls.names, controls.poles, controls.swivels, strict=True)
    astray = [name for name, pole, swivel in pairs if pole is not None and swivel is None]
    if astray:
        named = ", ".join(f"'{name}'" for name in astray)
        raise UserError(
            f"'{target.name}': the limbs of {named} do not keep their length on IK, or do not bend by their poles "
            "alone. Key the FK controls instead. Nothing was changed.",
            [KEY_FK],
        )
    return controls


def hidden(target: bpy.types.Object, names: Iterable[str]) -> list[str]:
    """Those of the bones that the user does not see: hidden themselves or in hidden bone collections only."""
    return [name for name in names if _is_hidden(target.pose.bones[name])]


def _is_hidden(bone: bpy.types.PoseBone) -> bool:
    collections = bone.bone.collections
    seen = not len(collections) or any(collection.is_visible_effectively for collection in collections)
    return bone.bone.hide or getattr(bone, "hide", False) or not seen
