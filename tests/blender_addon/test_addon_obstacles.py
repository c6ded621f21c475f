# SPDX-License-Identifier: GPL-3.0-or-later
"""Locked channels, constraints, drivers, uneven scale and library overrides of ordinary rigs."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, make_armature, rest_joints, walk, world_joints  # noqa: E402

from blender_addon import apply, compat, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from motion_engine import skeleton  # noqa: E402

PLAIN = {name: name for name in NAMES}


def put(target, motion):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 20, 1.0
    return apply.write(
        apply.Place(rig.Handle.of(target), bpy.context.scene.name, 1), [motion], "walk", True
    ).report


def off(target, motion, joints=range(22)):
    """Distance (T, n) in millimetres of the rig's joints from the motion's."""
    got = world_joints(target, PLAIN, motion.n_frames)
    return np.linalg.norm(got - to_blender(motion.joints), axis=-1)[:, list(joints)] * 1e3


def keyed(target, bone, prop):
    path = f'pose.bones["{bone}"].{prop}'
    return sorted(
        c.array_index for c in compat.action_curves(target.animation_data.action) if c.data_path == path
    )


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"])
def test_locked_rotation_axes_are_not_turned(scene, mode):
    target = make_armature(PLAIN, rest_joints(), seed=5)
    bone = target.pose.bones["left_elbow"]
    bone.rotation_mode = mode
    bone.lock_rotation = (True, False, True)
    motion = walk(20)
    report = put(target, motion)
    assert "Locked channels were not keyed: left_elbow" in report
    if len(mode) == 3:
        assert keyed(target, "left_elbow", "rotation_euler") == [1]
    for frame in range(1, 21):
        scene.frame_set(frame)
        angles = bone.matrix_basis.to_euler(mode if len(mode) == 3 else "XYZ")
        assert abs(angles.x) < 1e-4
        assert abs(angles.z) < 1e-4


def test_what_hangs_on_a_locked_bone_makes_up_for_it(scene):
    target = make_armature(PLAIN, rest_joints(), seed=5)
    target.pose.bones["spine2"].lock_rotation = (True, True, True)
    motion = walk(20)
    put(target, motion)
    assert keyed(target, "spine2", "rotation_quaternion") == []
    # the arms and the head are moved along, and turned as they should
    got = world_joints(target, PLAIN, 20)
    wanted = to_blender(motion.joints)
    for a, b in (("left_shoulder", "left_elbow"), ("spine3", "neck")):
        a, b = skeleton.JOINT[a], skeleton.JOINT[b]
        np.testing.assert_allclose(got[:, b] - got[:, a], wanted[:, b] - wanted[:, a], atol=1e-3)


def test_a_locked_location_is_not_keyed(scene):
    target = add_character(bpy.context)
    target.pose.bones["pelvis"].lock_location = (True, False, False)
    assert "location of pelvis" in put(target, walk(10))
    assert keyed(target, "pelvis", "location") == [1, 2]


def test_everything_locked_is_refused(scene):
    target = add_character(bpy.context)
    for bone in target.pose.bones:
        bone.lock_location = bone.lock_rotation = (True, True, True)
    with pytest.raises(Exception, match="locked"):
        put(target, walk(10))


@pytest.mark.parametrize("kind", ["IK", "COPY_ROTATION", "DAMPED_TRACK", "COPY_TRANSFORMS"])
def test_constraints_that_would_override_the_keys_are_switched_off_by_the_action(scene, kind):
    target = make_armature(PLAIN, rest_joints())
    aim = bpy.data.objects.new("Aim", None)
    scene.collection.objects.link(aim)
    aim.location = (0.5, -1.0, 1.0)
    constraint = target.pose.bones["left_elbow"].constraints.new(kind)
    constraint.name, constraint.target = 'My "own"', aim
    if kind == "IK":
        constraint.chain_count = 2
    motion = walk(20)
    report = put(target, motion)
    assert 'My "own"' in report
    assert "switches off" in report
    assert off(target, motion).max() < 1.0
    assert not constraint.mute


def test_constraints_elsewhere_and_limits_are_left_alone(scene):
    target = make_armature(MIXAMO, rest_joints(), under_root=True, twist_bones=True)
    target.pose.bones["root"].constraints.new("COPY_ROTATION")
    target.pose.bones["LeftForeArm"].constraints.new("LIMIT_ROTATION")
    report = put(target, walk(10))
    assert "switches off" not in report
    assert "Limits hold back LeftForeArm" in report


def test_drivers_are_named(scene):
    target = add_character(bpy.context)
    target.pose.bones["head"].driver_add("rotation_quaternion", 1)
    with pytest.raises(UserError, match="drivers hold 'head'"):
        put(target, walk(10))
    assert target.animation_data.action is None


@pytest.mark.parametrize("scale", [(1, 1, 1.4), (1.5, 1.5, 1), (0.8, 1.2, 1.0)])
def test_feet_land_under_uneven_scale(scene, scale):
    target = make_armature(PLAIN, rest_joints(), seed=7)
    target.scale = scale
    bpy.context.view_layer.update()
    motion = walk(60)
    put(target, motion)
    got = world_joints(target, PLAIN, motion.n_frames)
    rest = skeleton.REST_JOINTS[:, 1] + skeleton.REST_PELVIS_HEIGHT
    for foot in (skeleton.FOOT_JOINTS[:2], skeleton.FOOT_JOINTS[2:]):
        clear = (motion.joints[:, foot, 1] - rest[foot]).min(axis=-1)
        standing = clear < 0.005
        mine = (got[:, foot, 2] - scale[2] * rest[foot]).min(axis=-1)
        assert np.abs(mine - scale[2] * clear)[standing].max() < 0.005 * scale[2]
        still = standing[1:] & standing[:-1]
        slide = np.diff(got[:, foot[0], :2], axis=0)
        wanted = np.diff(to_blender(motion.joints)[:, foot[0], :2], axis=0) * scale[2]
        assert np.linalg.norm(slide - wanted, axis=-1)[still].max() < 0.005
    # strides are as long as the legs are in the world
    travelled = np.linalg.norm((got[-1, 0] - got[0, 0])[:2])
    assert travelled == pytest.approx(
        scale[2] * np.linalg.norm((motion.root[-1] - motion.root[0])[[0, 2]]), rel=0.02
    )


def test_a_library_override_takes_keys(scene, tmp_path):
    add_character(bpy.context)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.objects = ["Mannequin"]
    linked = bpy.data.objects["Mannequin"]
    bpy.context.scene.collection.objects.link(linked)
    over = linked.override_create(remap_local_usages=True)
    over.override_library.is_system_override = False
    motion = walk(20)
    put(over, motion)
    assert over.animation_data.action.library is None
    got = world_joints(over, PLAIN, 20)
    wanted = to_blender(motion.joints)
    np.testing.assert_allclose(got - got[:1, :1], wanted - wanted[:1, :1], atol=1e-3)
