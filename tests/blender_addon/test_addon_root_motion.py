# SPDX-License-Identifier: GPL-3.0-or-later
"""Travel on the hips, on a root bone or on the object: the same movement in the world."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, make_armature, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Matrix  # noqa: E402

from blender_addon import apply, compat, rig  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

PLAIN = {name: name for name in NAMES}


def turning_walk(frames=60):
    """A walk along a curve, a third of a circle."""
    plain = walk(frames)
    yaw = quat.about_axis(1, np.linspace(0, 2.1, frames))
    rotations = plain.rotations.astype(float)
    rotations[:, 0] = quat.multiply(yaw, rotations[:, 0])
    steps = np.diff(plain.root.astype(float), axis=0, prepend=plain.root[:1])
    root = plain.root[0] + np.cumsum(quat.rotate(yaw, steps), axis=0)
    return Motion.from_rotations(rotations, root, plain.fps)


def put(target, motion, **options):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 20, 1.0
    place = apply.Place(rig.Handle.of(target), bpy.context.scene.name, 1, RetargetOptions(**options))
    return apply.write(place, [motion], "walk", is_first=True).report


def put_everywhere(make, name_of, motion, way):
    """World joints with the travel on the hips and in another way, on two equal rigs, and the report."""
    hips = make()
    put(hips, motion)
    expected = world_joints(hips, name_of, motion.n_frames)
    other = make()
    report = put(other, motion, root=way)
    return other, expected, world_joints(other, name_of, motion.n_frames), report


def values(target, path):
    """(T, n) of the curves with that path."""
    curves = [c for c in compat.action_curves(target.animation_data.action) if c.data_path == path]
    return np.array(
        [[key.co.y for key in c.keyframe_points] for c in sorted(curves, key=lambda c: c.array_index)]
    ).T


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "YZX", "AXIS_ANGLE"])
def test_a_root_bone_travels_and_turns(scene, mode):
    def make():
        target = make_armature(MIXAMO, rest_joints(), seed=4, twist_bones=True, under_root=True)
        target.pose.bones["root"].location = (0.2, 0.1, -0.3)  # the user's pose of it is replaced
        target.pose.bones["root"].rotation_mode = mode
        bpy.context.view_layer.update()
        return target

    target, expected, got, report = put_everywhere(make, MIXAMO, turning_walk(), "ROOT_BONE")
    assert np.abs(got - expected).max() < 1e-4
    assert "hips travel" not in report
    heads = []
    for frame in (1, 60):
        scene.frame_set(frame)
        heads.append(np.array(target.pose.bones["root"].head))
    travelled = expected[-1, 0] - expected[0, 0]
    assert np.linalg.norm((heads[1] - heads[0] - travelled)[:2]) < 0.3
    assert abs(heads[1][2] - heads[0][2]) < 1e-5, "a root bone stays on the ground"
    smooth = np.abs(np.diff(values(target, 'pose.bones["root"].location'), n=2, axis=0)).max()
    assert smooth < 0.005, "and moves smoothly"


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE"])
def test_the_object_travels_and_turns(scene, mode):
    def make():
        target = make_armature(PLAIN, rest_joints(), seed=3)
        target.rotation_mode = mode
        parent = bpy.data.objects.new("Parent", None)
        scene.collection.objects.link(parent)
        parent.matrix_world = Matrix.Translation((1, 2, 0)) @ Matrix.Rotation(0.4, 4, "Z")
        target.parent = parent
        target.delta_location = (0.1, 0, 0)
        target.matrix_world = (
            Matrix.Translation((3, 2, 1)) @ Matrix.Rotation(2.0, 4, "Z") @ Matrix.Scale(0.5, 4)
        )
        bpy.context.view_layer.update()
        return target

    target, expected, got, _ = put_everywhere(make, PLAIN, turning_walk(), "OBJECT")
    assert np.abs(got - expected).max() < 1e-4
    assert np.ptp(values(target, "location"), axis=0).max() > 0.5
    assert np.ptp(values(target, 'pose.bones["pelvis"].location'), axis=0).max() < 0.5, (
        "the hips stay with it"
    )
    yaws = []
    for frame in (1, 60):
        scene.frame_set(frame)
        yaws.append(target.matrix_world.to_euler().z)
    assert (yaws[1] - yaws[0]) % (2 * np.pi) == pytest.approx(2.1, abs=0.4)


@pytest.mark.parametrize("scale", [(1, 1, 1.4), (1.3, 0.8, 1.0), (-1, 1, 1)])
def test_an_object_of_uneven_scale_travels_too(scene, scale):
    def make():
        target = make_armature(PLAIN, rest_joints(), seed=3)
        target.scale = scale
        bpy.context.view_layer.update()
        return target

    _, expected, got, _ = put_everywhere(make, PLAIN, turning_walk(40), "OBJECT")
    assert np.abs(got - expected).max() < 1e-4


def test_without_a_root_bone_the_hips_travel_and_the_report_says_so(scene):
    target = add_character(bpy.context)
    report = put(target, walk(20), root="ROOT_BONE")
    assert np.ptp(values(target, 'pose.bones["pelvis"].location'), axis=0).max() > 0.5
    assert "The hips travel" in report
    assert "no root bone" in report


@pytest.mark.parametrize("hinder", ["lock", "constraint", "inherit"])
def test_a_root_bone_that_cannot_carry_leaves_it_to_the_hips(scene, hinder):
    target = make_armature(MIXAMO, rest_joints(), under_root=True)
    if hinder == "lock":
        target.pose.bones["root"].lock_location[0] = True
    elif hinder == "constraint":
        target.pose.bones["root"].constraints.new("LIMIT_LOCATION")
    else:
        target.data.bones["Hips"].use_inherit_rotation = False
    assert "The hips travel" in put(target, walk(10), root="ROOT_BONE")


@pytest.mark.parametrize("way", ["HIPS", "ROOT_BONE", "OBJECT"])
def test_in_place_and_looped_in_every_way(scene, way):
    target = make_armature(MIXAMO, rest_joints(), seed=2, under_root=True)
    put(target, walk(80), root=way, in_place=True, loop=0.5)
    got = world_joints(target, MIXAMO, 80)
    assert np.ptp(got[:, 0, :2], axis=0).max() < 0.25
    np.testing.assert_allclose(got[-1], got[0], atol=1e-4)


def test_a_loop_goes_on_where_it_began(scene):
    target = add_character(bpy.context)
    put(target, walk(80), loop=0.5)
    got = world_joints(target, PLAIN, 80)
    advance = (got[-1, 0] - got[0, 0]) * (1, 1, 0)
    assert np.linalg.norm(advance) > 1.0
    np.testing.assert_allclose(got[-1] - advance, got[0], atol=1e-4)


def test_a_second_take_starts_where_the_first_did(scene):
    target = add_character(bpy.context)
    scene.frame_set(1)
    put(target, walk(20), root="OBJECT")
    first = world_joints(target, PLAIN, 20)
    scene.frame_set(1)
    put(target, walk(20), root="OBJECT")
    np.testing.assert_allclose(world_joints(target, PLAIN, 20), first, atol=1e-5)


def test_settings_reach_the_solver(scene):
    from blender_addon.operators import place_for
    from blender_addon.properties import retarget_options

    settings = scene.motion_prompt
    assert retarget_options(settings) == RetargetOptions()
    settings.root, settings.in_place, settings.loop, settings.reach_hands = "OBJECT", True, True, True
    options = place_for(bpy.context, new_character=True).options
    assert options == RetargetOptions("OBJECT", True, settings.loop_seconds, True)


@pytest.mark.parametrize("way", ["ROOT_BONE", "OBJECT"])
def test_takes_of_different_kinds_play_in_the_same_place(scene, way):
    target = make_armature(MIXAMO, rest_joints(), seed=2, under_root=True)
    target.location = (2, 1, 0)
    motion = turning_walk(30)
    put(target, motion)
    expected = world_joints(target, MIXAMO, 30)
    scene.frame_set(1)
    put(target, motion, root=way)
    np.testing.assert_allclose(world_joints(target, MIXAMO, 30), expected, atol=1e-4)
    assert scene.frame_current == 30
    # the take on the hips again, chosen in the list where the other one has moved on
    scene.motion_prompt.take = bpy.data.actions.find("walk")
    np.testing.assert_allclose(world_joints(target, MIXAMO, 30), expected, atol=1e-4)
    # and a new take on the hips, made where the root stands elsewhere
    scene.motion_prompt.take = bpy.data.actions.find("walk.001")
    scene.frame_set(25)
    put(target, motion)
    np.testing.assert_allclose(world_joints(target, MIXAMO, 30), expected, atol=1e-4)


def test_an_object_that_was_moved_by_hand_is_animated_where_it_is(scene):
    target = add_character(bpy.context)
    put(target, walk(20), root="OBJECT")
    scene.frame_set(10)
    target.location = (5, 5, 0)
    put(target, walk(20), root="OBJECT")
    scene.frame_set(1)
    assert tuple(target.location) == pytest.approx((5, 5, 0), abs=1e-4)
