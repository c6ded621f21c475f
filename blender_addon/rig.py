# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the armature a motion is for, check that it can be animated, read its rest pose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import bpy
import numpy as np
from mathutils import Matrix

from motion_engine import quaternion as quat
from motion_engine import skeleton

from . import control_rig, obstacles, probe, rig_map_table, rig_maps, roots, switches, unfit
from .retarget.options import DEFAULTS, RetargetOptions
from .retarget.rest import FEET, RestRig, Root
from .retarget.sharing import BESIDE
from .rig_maps.document import MapError
from .status import Fix, UserError

_TWIST = re.compile(r"(?i)twist|roll")


@dataclass(frozen=True)
class Handle:
    """Remembers an armature object across undo, renaming and deletion, without a reference to it."""

    name: str
    session_uid: int

    @classmethod
    def of(cls, target: bpy.types.Object) -> Handle:
        return cls(target.name, target.session_uid)

    def find(self) -> bpy.types.Object | None:
        """The object, or None when it is gone."""
        for candidate in bpy.data.objects:
            if candidate.session_uid == self.session_uid and candidate.type == "ARMATURE":
                return candidate
        return None


def selected_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature the user means: the active one, that of the active mesh, or the only selected one."""
    active = context.view_layer.objects.active
    candidates = sorted(context.view_layer.objects.selected, key=lambda other: other != active)
    if active is not None and active.mode != "OBJECT" and active not in candidates:
        candidates.insert(0, active)
    for candidate in candidates:
        if candidate.type == "ARMATURE":
            return candidate
        if candidate.type == "MESH":
            worn = candidate.find_armature()
            if worn is not None:
                return worn
    return None


def check(target: bpy.types.Object) -> rig_maps.Mapping:
    """Make sure that the armature can take keys, and map its bones. Changes nothing.

    Raises
    ------
    UserError
        With the sentence and the buttons for the user.
    """
    choose = Fix(
        "Use the Default Character", "motion_prompt.generate", {"new_character": True}, "ARMATURE_DATA"
    )
    if target.library is not None:
        raise UserError(
            f"'{target.name}' is linked from another file, so it cannot be animated here. "
            "Make a library override of it first.",
            [
                Fix("Make Library Override", "object.make_override_library", {}, "LIBRARY_DATA_OVERRIDE"),
                choose,
            ],
        )
    if target.override_library is not None and target.override_library.is_system_override:
        raise UserError(
            f"'{target.name}' is a library override that is not editable. Make it editable first.", [choose]
        )
    if target.mode == "EDIT":
        raise UserError(
            f"'{target.name}' is in Edit Mode. Leave it, then generate again.",
            [Fix("Leave Edit Mode", "object.mode_set", {"mode": "OBJECT"}, "OBJECT_DATAMODE")],
        )
    if target.animation_data is not None and target.animation_data.use_tweak_mode:
        raise UserError(
            f"'{target.name}' is being edited in the NLA. Leave the strip's tweak mode (Tab) first."
        )
    unfit.refuse_without_size(target)
    try:
        mapping = bone_map(target)
    except rig_maps.RigError as error:
        fixes = [Fix("Open Rig Map", "motion_prompt.open_rig_map", {}, "PRESET"), choose]
        guess = error.recognition.mapping if error.recognition is not None else None
        what = "In the rig map you can say which bone is which."
        if rig_map_table.is_usable(target.data, guess):
            fixes.insert(0, Fix("Use This Guess", "motion_prompt.map_use", {}, "CHECKMARK"))
            words = rig_map_table.in_words(guess.family)
            what = (
                f"The best guess: {words}, {len(guess.bones)} joints. Look at the rig map before you use it."
            )
        raise UserError(f"'{target.name}': {error} Nothing was changed. {what}", fixes) from None
    unfit.refuse_without_length(target, mapping)
    return mapping


def bone_map(target: bpy.types.Object) -> rig_maps.Mapping:
    """Which bone of an armature is which joint: what the user has corrected, else what is recognised.

    Raises
    ------
    RigError
        If no map fits for sure, or the user's names bones that are not there.
    """
    try:
        by_hand = rig_map_table.corrected(target.data)
    except MapError as error:
        raise rig_maps.RigError(str(error)) from None
    if by_hand is not None:
        return by_hand
    found = recognition(target)
    if found.mapping is None or not found.sure:
        raise rig_maps.RigError(found.sentence, found)
    return found.mapping


def recognition(target: bpy.types.Object) -> rig_maps.Recognition:
    """What an armature is thought to be; found once for the same names, parents and rest positions."""
    bones = target.data.bones
    # in the armature's own space, where an object that is turned or mirrored makes no difference
    ends = np.empty((2, 3 * len(bones)), dtype=np.float32)
    bones.foreach_get("head_local", ends[0])
    bones.foreach_get("tail_local", ends[1])
    names = tuple(bone.name for bone in bones)
    return _recognised(
        names, tuple(bone.parent.name if bone.parent else None for bone in bones), ends.tobytes()
    )


def offers_ik(target: bpy.types.Object) -> bool:
    """Whether the user can choose between FK and IK controls of an armature."""
    try:
        return control_rig.has_both(bone_map(target))
    except rig_maps.RigError:
        return False


@lru_cache(maxsize=16)
def _recognised(names: tuple[str, ...], parents: tuple[str | None, ...], ends: bytes) -> rig_maps.Recognition:
    rest = np.frombuffer(ends, dtype=np.float32).reshape(2, -1, 3).swapaxes(0, 1).astype(float)
    return rig_maps.recognize(dict(zip(names, parents, strict=True)), dict(zip(names, rest, strict=True)))


def check_keys(target: bpy.types.Object, mapping: rig_maps.Mapping, options: RetargetOptions) -> None:
    """Make sure that keys would have an effect on an armature. Changes nothing.

    Raises
    ------
    UserError
        Naming the bones that drivers hold, the switches or IK controls that are missing.
    """
    mover, ik = _mover(target.pose.bones[mapping.bones["pelvis"]]).name, {}
    if mapping.kind == "control":
        ik = control_rig.ik_controls(target, mapping) if options.controls == "IK" else {}
        switches.of_controls(target, mapping.hints, options.controls)
    else:
        switches.of_ik_constraints(target, list(mapping.bones.values()))
    try:
        switches.refuse_driven(target, control_rig.keyed_paths(target, mapping, mover, ik))
    except UserError as error:
        raise UserError(error.text, [*error.fixes, control_rig.KEY_FK] if ik else None) from None


def read_rest(
    target: bpy.types.Object, mapping: rig_maps.Mapping, options: RetargetOptions = DEFAULTS
) -> RestRig:
    """Rest pose of the mapped bones and of the bones between them; of a control rig also what carries each control.

    Raises
    ------
    UserError
        If nothing explains how a control moves, or keys would have no effect.
    """
    if mapping.kind == "control":
        return _read_controls(target, mapping, options)
    joint_of = {bone: skeleton.JOINT[joint] for joint, bone in mapping.bones.items()}
    root = target.pose.bones[mapping.bones["pelvis"]]
    carrier, note = roots.find(target, root, mapping, options.root)
    wanted = set()
    for name in joint_of:
        bone = target.pose.bones[name]
        while bone is not None and bone.name not in wanted:
            wanted.add(bone.name)
            bone = bone.parent if bone != root else None
    wanted |= {bone.name for bone in root.children_recursive if _is_twist(bone, joint_of)}
    wanted |= {toe.name for toe in _other_toes(target, joint_of)}
    bones = [bone for bone in (root, *root.children_recursive) if bone.name in wanted]
    mover = _mover(root)
    switches.refuse_driven(target, control_rig.keyed_paths(target, mapping, mover.name))
    index = {bone.name: i for i, bone in enumerate(bones)}
    muted, limited = obstacles.overriding(target, wanted)
    locked = [bone.name for bone in bones if bone.name in joint_of and any(bone.lock_rotation)]
    locked += [f"location of {mover.name}"] if any(mover.lock_location) else []
    note += obstacles.notes(muted, limited, locked)
    off = {switches.influence(bone, constraint): 0.0 for bone, constraint in muted}
    return RestRig(
        names=[bone.name for bone in bones],
        parents=np.array([-1, *(index[bone.parent.name] for bone in bones[1:])]),
        joints=np.array([joint_of.get(bone.name, -1) for bone in bones]),
        rest=np.array([bone.bone.matrix_local for bone in bones], dtype=float),
        pose=np.array([bone.matrix_basis.to_quaternion() for bone in bones], dtype=float),
        inherit=np.array([bone.bone.use_inherit_rotation for bone in bones]),
        free=np.array([_is_free(bone) for bone in bones]),
        modes=[bone.rotation_mode for bone in bones],
        locks=np.array([bone.lock_rotation for bone in bones], dtype=bool),
        root_parent=_carried(root, carrier),
        mover=mover.name,
        mover_locks=np.array(mover.lock_location, dtype=bool),
        mover_location=_location_map(root, carrier),
        root=carrier,
        stretch=_stretch(target),
        foot_tails=_foot_tails(target, mapping),
        switches=off | switches.of_ik_constraints(target, list(mapping.bones.values())),
        notes=note,
    )


def _read_controls(target: bpy.types.Object, mapping: rig_maps.Mapping, options: RetargetOptions) -> RestRig:
    joints = [joint for joint in skeleton.JOINT_NAMES if joint in mapping.bones]
    ik = control_rig.ik_controls(target, mapping) if options.controls == "IK" else {}
    names = [mapping.bones[joint] for joint in joints]
    bones = [target.pose.bones[name] for name in names]
    mover = _mover(bones[0]).name
    carrier, note = roots.find(target, bones[0], mapping, options.root)
    switched = switches.of_controls(target, mapping.hints, options.controls)
    switches.refuse_driven(target, control_rig.keyed_paths(target, mapping, mover, ik))
    middles = control_rig.at_middles(target, mapping, ik)
    found = probe.read(
        target, names, list(ik), mover, switched, control_rig.pushes(target, mapping, ik),
        control_rig.pulls(target, mapping, ik), [name for bones in middles for name in bones],
    )  # fmt: skip
    carriers = found.carriers
    if carrier is not None and carrier.bone:
        none = np.zeros((0, 3))
        rooted = probe.read(target, [*names, carrier.bone], [], mover, switched, none).carriers
        if rooted.first[0] == len(names) and rooted.share[0] == 0:
            carriers = rooted
        else:
            carrier, note = None, (roots.fall_back(f"'{carrier.bone}' does not carry '{names[0]}'"),)
    limbs = control_rig.LIMB_JOINTS if ik else set()
    unknown = [name for name, joint, odd in zip(names, joints, carriers.unknown[: len(names)], strict=True)
               if odd and joint not in limbs]  # fmt: skip
    if unknown:
        odd = ", ".join(unknown[:4])
        raise UserError(
            f"'{target.name}': constraints or drivers turn {odd} in a way that cannot be keyed against. Switch them "
            "off, or put the motion on the rig's deform bones. Nothing was changed."
        )
    count = len(bones)
    return RestRig(
        names=names,
        parents=np.full(count, -1),
        joints=np.array([skeleton.JOINT[joint] for joint in joints]),
        rest=np.array([bone.bone.matrix_local for bone in bones], dtype=float),
        pose=np.tile(quat.IDENTITY, (count, 1)),
        inherit=np.ones(count, dtype=bool),
        free=np.zeros(count, dtype=bool),
        modes=[bone.rotation_mode for bone in bones],
        locks=np.zeros((count, 3), dtype=bool),
        root_parent=quat.IDENTITY,
        mover=mover,
        mover_locks=np.zeros(3, dtype=bool),
        mover_location=_location_map(bones[0], carrier),
        carriers=carriers,
        root=carrier,
        stretch=_stretch(target),
        foot_tails=_foot_tails(target, mapping),
        ik=control_rig.checked(target, joints, names, ik, found, middles) if ik else None,
        switches=switched,
        notes=note,
    )


def _is_free(bone: bpy.types.PoseBone) -> bool:
    """Whether nothing but keys would turn the bone."""
    return not any(not constraint.mute for constraint in bone.constraints) and not any(bone.lock_rotation)


def _is_twist(bone: bpy.types.PoseBone, joint_of: dict[str, int]) -> bool:
    """Whether the bone is one that twists along a mapped one, and carries nothing itself."""
    return bool(
        bone.name not in joint_of
        and bone.parent.name in joint_of
        and not bone.children
        and _TWIST.search(bone.name)
        and _is_free(bone)
    )


def _other_toes(target: bpy.types.Object, joint_of: dict[str, int]) -> Iterator[bpy.types.PoseBone]:
    """Toes beside the mapped ones, where every toe has bones of its own."""
    bone_of = {joint: target.pose.bones[name] for name, joint in joint_of.items()}
    for ankle, toe in FEET.items():
        foot, mapped = bone_of[ankle], bone_of.get(toe)
        if mapped is None or mapped.parent != foot:
            continue
        ball = mapped.bone.head_local
        near = BESIDE * (ball - foot.bone.head_local).length
        for bone in foot.children:
            if (
                bone.name not in joint_of
                and (bone.bone.head_local - ball).length < near
                and _is_free(bone)
                and not _TWIST.search(bone.name)
            ):
                yield bone


def _stretch(target: bpy.types.Object) -> np.ndarray:
    """(3, 3) symmetric part of the object's world transform, of mean size 1: the polar decomposition."""
    _, sizes, axes = np.linalg.svd(np.array(target.matrix_world.to_3x3(), dtype=float))
    if sizes.min() < 1e-9 * sizes.max():
        raise UserError(
            f"'{target.name}' has a scale of 0 along an axis. Give it a size, then generate again."
        )
    return axes.T @ np.diag(sizes / sizes.mean()) @ axes


def _foot_tails(target: bpy.types.Object, mapping: rig_maps.Mapping) -> np.ndarray:
    """Where the bones of left and right foot end (2, 3) in armature space."""
    return np.array(
        [target.data.bones[mapping.bones[f"{side}_ankle"]].tail_local for side in ("left", "right")],
        dtype=float,
    )


def _carried(root: bpy.types.PoseBone, carrier: Root | None) -> np.ndarray:
    """Rotation (4,) that the parents give the bone, relative to its rest pose, in armature space."""
    if root.parent is None:
        return np.array([1.0, 0.0, 0.0, 0.0])
    turn = (
        roots.as_carried(root.parent, carrier).to_quaternion()
        @ root.parent.bone.matrix_local.to_quaternion().inverted()
    )
    return np.array(turn, dtype=float)


def _mover(root: bpy.types.PoseBone) -> bpy.types.PoseBone:
    """The bone whose location moves the pelvis bone: itself, or the next above that is not connected."""
    while root.parent is not None and root.bone.use_connect:
        root = root.parent
    return root


def _location_map(root: bpy.types.PoseBone, carrier: Root | None) -> np.ndarray:
    """Affine (4, 4) from the mover's location to the pelvis bone's head: Blender says where four locations land."""
    mover = _mover(root)
    bone, above = mover.bone, mover.parent
    parent = {}
    if above is not None:
        parent = {
            "parent_matrix": roots.as_carried(above, carrier),
            "parent_matrix_local": above.bone.matrix_local,
        }
    heads = []
    for location in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        posed = bone.convert_local_to_pose(Matrix.Translation(location), bone.matrix_local, **parent)
        heads.append(np.array(posed.translation, dtype=float))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([head - heads[0] for head in heads[1:]], axis=-1)
    pelvis, moved = (roots.as_carried(found, carrier).translation for found in (root, mover))
    affine[:3, 3] = heads[0] + np.array(pelvis - moved, dtype=float)
    return affine
