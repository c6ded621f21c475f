# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures of other rig families and motions to put on them."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
from mathutils import Matrix, Vector

from blender_addon.axes import to_blender
from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion

NAMES = skeleton.JOINT_NAMES
J = skeleton.JOINT
ARMS = {side: [J[f"{side}_{part}"] for part in ("elbow", "wrist")] for side in ("left", "right")}

MIXAMO = dict(zip(NAMES, (
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2",
    "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm",
    "LeftForeArm", "RightForeArm", "LeftHand", "RightHand",
), strict=True))  # fmt: skip

SMPL = {
    name: "m_avg_" + name.replace("left_", "L_").replace("right_", "R_").title().replace("_", "_")
    for name in NAMES
}


def rest_joints(lengths: dict[str, float] | None = None) -> np.ndarray:
    """(22, 3) rest joints in Blender's axes, feet on z = 0, with the bones that end at some joints made longer."""
    offsets = skeleton.REST_OFFSETS.copy()
    for name, factor in (lengths or {}).items():
        offsets[J[name]] *= factor
    joints = np.zeros((22, 3))
    for joint in range(1, 22):
        joints[joint] = joints[skeleton.PARENTS[joint]] + offsets[joint]
    joints[:, 1] += skeleton.TOE_CLEARANCE - joints[:, 1].min()
    return to_blender(joints)


def a_pose(joints: np.ndarray, degrees: float = 45.0) -> np.ndarray:
    """The same body with its arms lowered."""
    joints = joints.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = joints[J[f"{side}_shoulder"]]
        turn = quat.from_axis_angle(np.array([0.0, sign * np.radians(degrees), 0.0]))
        for joint in ARMS[side]:
            joints[joint] = shoulder + quat.rotate(turn, joints[joint] - shoulder)
    return joints


def make_armature(
    name_of: Callable[[str], str] | dict[str, str],
    joints: np.ndarray,
    *,
    seed: int = 0,
    twist_bones: bool = False,
    under_root: bool = False,
    to_armature: Matrix | None = None,
) -> bpy.types.Object:
    """An armature with the given bone names and joints, random rolls and tails that point anywhere.

    ``to_armature`` brings the joints into armature space; the object gets its inverse, so that the character still
    stands upright in the world.
    """
    random = np.random.default_rng(seed)
    name_of = name_of if callable(name_of) else name_of.__getitem__
    to_armature = to_armature or Matrix()
    data = bpy.data.armatures.new("Rig")
    rig = bpy.data.objects.new("Rig", data)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    rig.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    size = to_armature.to_scale()[0]
    made = []
    root = None
    if under_root:
        root = data.edit_bones.new("root")
        root.head, root.tail = to_armature @ Vector((0, 0, 0)), to_armature @ Vector((0, 0.3, 0.1))
    for joint, name in enumerate(NAMES):
        bone = data.edit_bones.new(name_of(name))
        bone.head = to_armature @ Vector(joints[joint])
        bone.tail = bone.head + Vector(random.normal(size=3)).normalized() * 0.1 * size
        bone.roll = random.uniform(-3, 3)
        parent = skeleton.PARENTS[joint]
        bone.parent = made[parent] if parent >= 0 else root
        if twist_bones and name.split("_")[-1] in {"knee", "elbow"}:
            between = data.edit_bones.new(bone.name + "_between")
            between.head = (made[parent].head + bone.head) / 2
            between.tail = between.head + Vector(random.normal(size=3)).normalized() * 0.05 * size
            between.parent, bone.parent = made[parent], between
        made.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.matrix_world = to_armature.inverted()
    bpy.context.view_layer.update()
    return rig


def pole_angle(target: bpy.types.Object, root: str, middle: str, pole: str) -> float:
    """Angle from the upper bone's X axis to the pole, by way of its Z axis, which keeps the limb still at rest."""
    bones = target.data.bones
    start, x = bones[root].head_local, bones[root].matrix_local.to_3x3().col[0]
    along = (bones[middle].tail_local - start).normalized()
    across = bones[pole].head_local - start
    across = across - along * across.dot(along)
    x = x - along * x.dot(along)
    return float(np.arctan2(across.cross(x).dot(along), x.dot(across)))


def on_floor(motion: Motion) -> Motion:
    """The motion with its lower foot always on the floor."""
    rest = skeleton.REST_JOINTS[skeleton.FOOT_JOINTS, 1] + skeleton.REST_PELVIS_HEIGHT
    root = motion.root.astype(float)
    root[:, 1] -= (motion.joints[:, skeleton.FOOT_JOINTS, 1] - rest).min(axis=-1)
    return Motion.from_rotations(motion.rotations, root, motion.fps, motion.provenance)


def walk(frames: int = 80, fps: float = 20.0) -> Motion:
    """A plain walk, as one would key it by hand, with arms that hang and swing and a body that turns a little."""
    time = np.arange(frames) / fps
    phase = 2 * np.pi * time * 0.9
    vectors = np.zeros((frames, 22, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(phase)
        vectors[:, J[f"{side}_hip"], 0] = -0.45 * swing - 0.12
        vectors[:, J[f"{side}_knee"], 0] = 0.25 + 0.45 * np.clip(-np.cos(phase) * sign, 0, 1)
        vectors[:, J[f"{side}_ankle"], 0] = 0.15 * swing
        vectors[:, J[f"{side}_shoulder"], 2] = -sign * 1.2
        vectors[:, J[f"{side}_shoulder"], 1] = sign * 0.3 * swing
        vectors[:, J[f"{side}_elbow"], 1] = -sign * 0.4
    vectors[:, 0, 1] = 0.3 * np.sin(phase / 4)
    vectors[:, J["spine2"], 1] = 0.2 * np.sin(phase)
    vectors[:, J["head"], 1] = -0.2 * np.sin(phase)
    root = np.stack([0.1 * np.sin(phase / 2), np.full(frames, 0.95), 0.9 * time], axis=-1)
    return on_floor(Motion.from_rotations(quat.from_axis_angle(vectors), root, fps))


def world_joints(rig: bpy.types.Object, name_of: dict[str, str], frames: int, start: int = 1) -> np.ndarray:
    """(T, 22, 3) heads of the mapped bones in the world, as Blender evaluates them."""
    places = np.empty((frames, 22, 3))
    for frame in range(frames):
        bpy.context.scene.frame_set(start + frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, name in enumerate(NAMES):
            places[frame, joint] = evaluated.matrix_world @ evaluated.pose.bones[name_of[name]].head
    return places
