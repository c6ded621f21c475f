# SPDX-License-Identifier: GPL-3.0-or-later
"""Spines of many bones bend in all of them, and twist bones twist, on rigs of several families."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rig_tables import rigs  # noqa: E402
from addon_rigs import walk  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

J = skeleton.JOINT
FRAME = 15


def build(table):
    """The armature of a table."""
    data = bpy.data.armatures.new("Rig")
    target = bpy.data.objects.new("Rig", data)
    bpy.context.scene.collection.objects.link(target)
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (head, tail) in table.rest.items():
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = head, tail
        if (bone.tail - bone.head).length < 1e-4:
            bone.tail = bone.head + bone.tail * 0 + type(bone.head)((0, 0, 0.05))
    for name, parent in table.parents.items():
        if parent is not None:
            data.edit_bones[name].parent = data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return target


def bending():
    """A walk with a bowed, turned back and hands that are turned about the forearm."""
    plain = walk(30)
    rotations = plain.rotations.astype(float)
    bow = quat.from_axis_angle(np.array([0.5, 0.3, 0.0]))
    for joint in ("spine1", "spine2", "spine3", "neck", "head"):
        rotations[:, J[joint]] = quat.multiply(rotations[:, J[joint]], bow)
    for joint in ("left_wrist", "right_wrist"):
        rotations[:, J[joint]] = quat.about_axis(0, np.full(30, 1.2))
    return Motion.from_rotations(rotations, plain.root, plain.fps)


@pytest.fixture
def posed(scene):
    def pose(name, motion=None):
        target = build(rigs()[name])
        mapping = rig.check(target)
        rest = rig.read_rest(target, mapping)
        motion = motion or bending()
        channels = solver.solve(rest, motion)
        keyframes.assign(target, keyframes.write_action(target, channels, "bend", 1, {}))
        scene.frame_set(1 + FRAME)
        return target, mapping, rest, motion

    return pose


def turn_of(target, name):
    """Rotation of a bone relative to its rest pose, in armature space."""
    bone = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[name]
    rest = np.array(bone.bone.matrix_local.to_quaternion())
    return quat.multiply(np.array(bone.matrix.to_quaternion()), quat.conjugate(rest))


def degrees(a, b):
    return np.degrees(2 * np.arccos(np.clip(abs(a @ b), 0, 1)))


@pytest.mark.parametrize(
    "name", ["ue5", "daz_g8", "mpfb_default", "cc", "soma", "valve", "rigify_metarig", "mixamo"]
)
def test_mapped_bones_keep_their_orientation(posed, name):
    target, mapping, rest, motion = posed(name)
    found = solver.measure(rest)
    world = skeleton.global_rotations(motion.rotations.astype(float))[FRAME]
    legs = {"left_hip", "right_hip", "left_knee", "right_knee"}  # bent anew, for the feet
    for joint, bone in mapping.bones.items():
        if joint not in legs:
            turned = quat.multiply(quat.multiply(found.to_rig, world[J[joint]]), quat.conjugate(found.to_rig))
            assert degrees(turn_of(target, bone), quat.multiply(turned, found.align[J[joint]])) < 0.1, joint


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("ue5", ["spine_01", "spine_02", "spine_03", "spine_04", "spine_05"]),
        ("ue5", ["neck_01", "neck_02", "head"]),
        ("mpfb_default", ["neck01", "neck02", "neck03", "head"]),
        ("xsens", ["L5", "L3", "T12"]),
    ],
)
def test_every_bone_of_a_spine_bends(posed, name, chain):
    target, *_ = posed(name)
    turns = [turn_of(target, bone) for bone in chain]
    steps = [degrees(a, b) for a, b in pairwise(turns)]
    assert min(steps) > 0.25 * max(steps), steps


@pytest.mark.parametrize(
    ("name", "forearm", "twist", "hand"),
    [
        ("ue5", "lowerarm_l", "lowerarm_twist_01_l", "hand_l"),
        ("daz_g8", "lForearmBend", "lForearmTwist", "lHand"),
        ("cc", "CC_Base_L_Forearm", "CC_Base_L_ForearmTwist01", "CC_Base_L_Hand"),
        ("mpfb_default", "lowerarm01.L", "lowerarm02.L", "wrist.L"),
    ],
)
def test_a_forearm_twists_along_its_length(posed, name, forearm, twist, hand):
    target, *_ = posed(name)
    first, middle, last = (turn_of(target, bone) for bone in (forearm, twist, hand))
    whole = degrees(first, last)
    assert 0.2 * whole < degrees(first, middle) < 0.8 * whole
    assert 0.2 * whole < degrees(middle, last) < 0.85 * whole


def test_legs_that_hang_on_an_extra_pelvis_bone_are_not_moved(posed):
    target, *_ = posed("daz_g8")
    assert degrees(turn_of(target, "pelvis"), turn_of(target, "hip")) < 0.01


def test_a_twist_bone_with_a_constraint_is_left_to_it(scene):
    target = build(rigs()["ue5"])
    target.pose.bones["lowerarm_twist_01_l"].constraints.new("COPY_ROTATION")
    channels = solver.solve(rig.read_rest(target, rig.check(target)), bending())
    names = {channel.bone for channel in channels}
    assert "lowerarm_twist_01_l" not in names
    assert "lowerarm_twist_01_r" in names
