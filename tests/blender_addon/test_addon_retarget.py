# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion on rigs of other families and shapes, as Blender evaluates it."""

from __future__ import annotations

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, SMPL, a_pose, make_armature, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Matrix  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

PLAIN = {name: name for name in NAMES}
CENTIMETRES_Y_UP = Matrix.Scale(100, 4) @ Matrix.Rotation(math.radians(-90), 4, "X")


def put(target, motion):
    """Solve, write and assign; returns the mapping."""
    mapping = rig.check(target)
    channels = solver.solve(rig.read_rest(target, mapping), motion)
    keyframes.assign(target, keyframes.write_action(target, channels, "walk", 1, {}))
    return mapping


def errors(target, name_of, motion):
    """Distances (T, 22) in millimetres between the rig's joints and the motion's."""
    got = world_joints(target, name_of, motion.n_frames)
    return np.linalg.norm(got - to_blender(motion.joints), axis=-1) * 1e3


def test_default_character_follows_exactly(scene):
    target = add_character(bpy.context)
    motion = walk()
    put(target, motion)
    assert errors(target, PLAIN, motion).max() < 0.1


@pytest.mark.parametrize(
    ("family", "name_of"),
    [
        ("SMPL-X", PLAIN),
        ("SMPL", SMPL),
        ("SMPL", {name: bone.removeprefix("m_avg_") for name, bone in SMPL.items()}),
        ("SMPL (numbered)", {name: f"J{i:02}" for i, name in enumerate(NAMES)}),
        ("Mixamo", {name: f"mixamorig:{bone}" for name, bone in MIXAMO.items()}),
        ("Mixamo", {name: f"mixamorig7:{bone}" for name, bone in MIXAMO.items()}),
        ("Mixamo", MIXAMO),
    ],
)
def test_rig_families_with_odd_bone_axes(scene, family, name_of):
    target = make_armature(name_of, rest_joints(), seed=3)
    motion = walk(30)
    assert put(target, motion).family == family
    assert errors(target, name_of, motion).mean() < 1.0


def test_a_pose(scene):
    target = make_armature(MIXAMO, a_pose(rest_joints()), seed=1)
    motion = walk(30)
    put(target, motion)
    assert errors(target, MIXAMO, motion).mean() < 1.0


def test_centimetres_and_y_up_as_imported_from_fbx(scene):
    target = make_armature(MIXAMO, a_pose(rest_joints(), 60), seed=2, to_armature=CENTIMETRES_Y_UP)
    assert target.matrix_world.to_scale()[0] == pytest.approx(0.01)
    motion = walk(30)
    put(target, motion)
    assert errors(target, MIXAMO, motion).mean() < 1.0


def test_unmapped_bones_between_and_above(scene):
    target = make_armature(MIXAMO, rest_joints(), seed=4, twist_bones=True, under_root=True)
    target.pose.bones["root"].location = (0.2, 0.1, -0.3)
    target.pose.bones["root"].rotation_quaternion = (0.9, 0.1, 0.4, -0.1)
    between = target.pose.bones["LeftLeg_between"]
    between.rotation_quaternion = quat.normalize(np.array([1.0, 0.02, 0.0, 0.0])).tolist()
    bpy.context.view_layer.update()
    motion = walk(30)
    put(target, motion)
    assert errors(target, MIXAMO, motion).mean() < 5.0


@pytest.mark.parametrize("mode", ["AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_rotation_modes_are_kept_and_smooth(scene, mode):
    target = make_armature(PLAIN, rest_joints(), seed=5)
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    turn = np.zeros((60, 22, 3))
    turn[:, 0, 1] = np.linspace(0, 4 * np.pi, 60)
    turning = quat.multiply(quat.from_axis_angle(turn), walk(60).rotations.astype(float))
    motion = Motion.from_rotations(turning, walk(60).root, 20.0)
    channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
    for channel in channels:
        if channel.property == "rotation_euler":
            assert np.abs(np.diff(channel.values, axis=0)).max() < np.pi
    keyframes.assign(target, keyframes.write_action(target, channels, "turn", 1, {}))
    assert {bone.rotation_mode for bone in target.pose.bones} == {mode}
    assert errors(target, PLAIN, motion).mean() < 1.0


def test_bones_that_do_not_inherit_rotation_or_local_location(scene):
    target = make_armature(PLAIN, rest_joints(), seed=6, under_root=True)
    for name in ("spine2", "left_knee", "right_shoulder"):
        target.data.bones[name].use_inherit_rotation = False
    target.data.bones["pelvis"].use_local_location = False
    bpy.context.view_layer.update()
    motion = walk(20)
    put(target, motion)
    assert errors(target, PLAIN, motion).mean() < 1.0


def test_pelvis_connected_to_its_parent_is_moved_by_the_parent(scene):
    target = make_armature(PLAIN, rest_joints(), seed=9, under_root=True)
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    bones["root"].tail = bones["pelvis"].head
    bones["pelvis"].use_connect = True
    bpy.ops.object.mode_set(mode="OBJECT")
    target.pose.bones["root"].rotation_quaternion = (0.9, 0.0, 0.3, 0.1)
    bpy.context.view_layer.update()
    motion = walk(20)
    put(target, motion)
    assert errors(target, PLAIN, motion).mean() < 1.0


def test_the_object_carries_the_motion(scene):
    target = make_armature(PLAIN, rest_joints())
    motion = walk(20)
    put(target, motion)
    at_origin = world_joints(target, PLAIN, motion.n_frames)
    target.matrix_world = Matrix.Translation((3, 2, 1)) @ Matrix.Rotation(2.0, 4, "Z")
    moved = world_joints(target, PLAIN, motion.n_frames)
    expected = np.array(
        [[target.matrix_world @ Matrix.Translation(p).translation for p in f] for f in at_origin]
    )
    np.testing.assert_allclose(moved, expected, atol=1e-4)


@pytest.mark.parametrize(
    "lengths",
    [
        {"left_knee": 1.3, "right_knee": 1.3, "left_ankle": 1.3, "right_ankle": 1.3},
        {"left_knee": 1.2, "right_knee": 1.2, "left_ankle": 0.8, "right_ankle": 0.8},
        {"left_hip": 1.5, "right_hip": 1.5},
        {"left_foot": 1.4, "right_foot": 1.4, "left_knee": 0.6, "right_knee": 0.6},
        {"spine1": 1.5, "spine2": 1.5, "left_knee": 0.9, "right_knee": 0.9, "left_elbow": 1.4},
    ],
)
def test_feet_land_on_any_proportions(scene, lengths):
    joints = rest_joints(lengths)
    target = make_armature(PLAIN, joints, seed=7)
    motion = walk(60)
    put(target, motion)
    got = world_joints(target, PLAIN, motion.n_frames)
    rest = skeleton.REST_JOINTS[:, 1] + skeleton.REST_PELVIS_HEIGHT
    scale = (
        np.linalg.norm(joints[[4, 5, 7, 8]] - joints[[1, 2, 4, 5]], axis=-1).sum()
        / np.linalg.norm(skeleton.REST_OFFSETS[[4, 5, 7, 8]], axis=-1).sum()
    )
    for foot in (skeleton.FOOT_JOINTS[:2], skeleton.FOOT_JOINTS[2:]):
        source = (motion.joints[:, foot, 1] - rest[foot]).min(axis=-1)
        mine = (got[:, foot, 2] - joints[foot, 2]).min(axis=-1)
        standing = source < 0.005
        assert standing.sum() > 5
        assert np.abs(mine - scale * source)[standing].max() < 0.005
        # and it does not slide where the source does not
        still = standing[1:] & standing[:-1]
        slide = np.diff(got[:, foot[0], :2], axis=0)
        source_slide = np.diff(to_blender(motion.joints)[:, foot[0], :2], axis=0) * scale
        assert np.linalg.norm(slide - source_slide, axis=-1)[still].max() < 0.005


def test_no_bone_bends_the_wrong_way_or_jumps(scene):
    """Neighbouring keys stay close on a body whose legs had to be re-bent."""
    target = make_armature(
        PLAIN, rest_joints({"left_knee": 1.25, "right_knee": 0.8, "left_ankle": 0.8}), seed=8
    )
    motion = walk(80)
    for channel in solver.solve(rig.read_rest(target, rig.check(target)), motion):
        if channel.property == "rotation_quaternion":
            turn = 2 * np.arccos(np.clip(np.sum(channel.values[1:] * channel.values[:-1], axis=-1), -1, 1))
            assert np.degrees(turn).max() < 25, channel.bone
