# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion to rig to motion: what was put on a character is read off it again, and the scene does not notice."""

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
from blender_addon.sampling import clip as sampling  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402

PLAIN = {name: name for name in NAMES}
CENTIMETRES_Y_UP = Matrix.Scale(100, 4) @ Matrix.Rotation(math.radians(-90), 4, "X")
FRAMES = 40


@pytest.fixture
def motion(scene):
    scene.render.fps = 20
    return walk(FRAMES).canonical()


def put(target, motion, name="walk"):
    channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
    action = keyframes.write_action(target, channels, name, 1, {})
    keyframes.assign(target, action)
    return action


def millimetres(motion, back):
    """Mean distance between the joints of two clips."""
    assert back.n_frames == motion.n_frames
    return float(np.linalg.norm(back.joints - motion.joints, axis=-1).mean()) * 1e3


def degrees(motion, back):
    """Mean angle between the local rotations of two clips, without the toes, which are kept out of the floor."""
    dot = np.abs(np.sum(motion.rotations.astype(float) * back.rotations.astype(float), axis=-1))
    dot = np.delete(dot, [skeleton.JOINT["left_foot"], skeleton.JOINT["right_foot"]], axis=1)
    return float(np.degrees(2 * np.arccos(np.clip(dot, 0, 1))).mean())


def test_default_character(motion):
    target = add_character(bpy.context)
    put(target, motion)
    found = sampling.sample(target)
    assert found.motion.fps == 20
    assert millimetres(motion, found.motion) < 0.1
    assert degrees(motion, found.motion) < 0.1


@pytest.mark.parametrize(
    ("name_of", "joints", "options"),
    [
        (SMPL, rest_joints(), {"seed": 3}),
        ({name: f"mixamorig:{bone}" for name, bone in MIXAMO.items()}, rest_joints(), {"seed": 4}),
        (MIXAMO, a_pose(rest_joints()), {"seed": 1}),
        (MIXAMO, a_pose(rest_joints(), 60), {"seed": 2, "to_armature": CENTIMETRES_Y_UP}),
        (MIXAMO, rest_joints(), {"seed": 5, "twist_bones": True, "under_root": True}),
    ],
    ids=["SMPL", "Mixamo", "A-pose", "centimetres, Y up", "bones between and above"],
)
def test_other_rigs(motion, name_of, joints, options):
    target = make_armature(name_of, joints, **options)
    put(target, motion)
    back = sampling.sample(target).motion
    assert millimetres(motion, back) < 5
    assert degrees(motion, back) < 1


@pytest.mark.parametrize(
    "lengths",
    [
        {"left_knee": 1.3, "right_knee": 1.3, "left_ankle": 1.3, "right_ankle": 1.3},
        {"left_knee": 1.2, "right_knee": 1.2, "left_ankle": 0.8, "right_ankle": 0.8},
        {"left_hip": 1.5, "right_hip": 1.5, "spine1": 1.5, "left_elbow": 1.4},
    ],
)
def test_other_proportions_stand_on_the_floor(motion, lengths):
    target = make_armature(PLAIN, rest_joints(lengths), seed=7)
    put(target, motion)
    back = sampling.sample(target).motion
    feet = np.linalg.norm(back.joints - motion.joints, axis=-1)[:, [7, 8, 10, 11]] * 1e3
    assert feet.mean() < 5
    assert millimetres(motion, back) < 10


def test_world_joints_are_where_blender_has_them(motion):
    target = add_character(bpy.context)
    put(target, motion)
    target.matrix_world = Matrix.Translation((3, 2, 1)) @ Matrix.Rotation(2.0, 4, "Z")
    bpy.context.view_layer.update()
    found = sampling.sample(target)
    assert millimetres(motion, found.motion) < 0.1
    assert np.abs(found.motion.root[0, [0, 2]]).max() < 1e-6
    assert found.placement.position[1] == pytest.approx(1.0, abs=1e-3)
    seen = world_joints(target, PLAIN, FRAMES)
    np.testing.assert_allclose(to_blender(found.world_joints()), seen, atol=1e-3)


def test_a_moving_object_under_an_empty(motion):
    target = add_character(bpy.context)
    put(target, motion)
    carrier = bpy.data.objects.new("Carrier", None)
    bpy.context.scene.collection.objects.link(carrier)
    target.parent = carrier
    for frame, x in ((1, 0.0), (FRAMES, 4.0)):
        carrier.location.x = x
        carrier.keyframe_insert("location", frame=frame)
    found = sampling.sample(target)
    seen = world_joints(target, PLAIN, FRAMES)
    np.testing.assert_allclose(to_blender(found.world_joints()), seen, atol=1e-3)


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "YZX", "AXIS_ANGLE"])
def test_rotation_modes(motion, mode):
    target = make_armature(PLAIN, rest_joints(), seed=5)
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    put(target, motion)
    assert millimetres(motion, sampling.sample(target).motion) < 1


def test_curves_and_blender_agree(motion):
    """Eased keys, a modifier, scale and a constraint: the two ways to read a rig see the same."""
    target = make_armature(MIXAMO, rest_joints(), seed=6, under_root=True)
    action = put(target, motion)
    from blender_addon import compat

    for number, curve in enumerate(compat.action_curves(action)):
        for point in reversed(list(curve.keyframe_points)[1:-1]):
            if point.co[0] % 5 != number % 5:
                curve.keyframe_points.remove(point)
        for point in curve.keyframe_points:
            point.interpolation = "BEZIER" if number % 2 else "LINEAR"
        if number % 7 == 0:
            curve.modifiers.new("NOISE").strength = 0.01
        curve.update()
    target.pose.bones["root"].scale = (1.1, 1.1, 1.1)
    bpy.context.view_layer.update()
    plain = sampling.sample(target)
    limit = target.pose.bones["Head"].constraints.new("LIMIT_SCALE")
    evaluated = sampling.sample(target)
    limit.mute = True
    np.testing.assert_allclose(plain.world_joints(), evaluated.world_joints(), atol=1e-3)
    assert degrees(plain.motion, evaluated.motion) < 0.1


def test_bones_that_do_not_inherit_rotation(motion):
    target = make_armature(PLAIN, rest_joints(), seed=6, under_root=True)
    for name in ("spine2", "left_knee"):
        target.data.bones[name].use_inherit_rotation = False
    bpy.context.view_layer.update()
    put(target, motion)
    assert millimetres(motion, sampling.sample(target).motion) < 5


def test_any_frame_rate(scene):
    target = add_character(bpy.context)
    scene.render.fps, scene.render.fps_base = 30, 1.001
    fine = walk(60).canonical().resample(30 / 1.001)
    put(target, fine)
    back = sampling.sample(target).motion
    assert back.fps == pytest.approx(29.97, abs=0.01)
    assert millimetres(fine, back) < 0.2
    half = sampling.sample(target, frames=range(1, 1 + fine.n_frames, 2)).motion
    assert half.fps == pytest.approx(29.97 / 2, abs=0.01)
    np.testing.assert_allclose(half.joints, back.joints[::2], atol=1e-4)


def test_another_action_and_a_strip(motion):
    target = add_character(bpy.context)
    wanted = put(target, motion, "wanted")
    other = put(target, walk(20), "other")
    assert target.animation_data.action == other
    assert millimetres(motion, sampling.sample(target, wanted).motion) < 0.1
    track = target.animation_data.nla_tracks.new()
    strip = track.strips.new("strip", 101, wanted)
    read = sampling.sample(target, strip)
    assert millimetres(motion, read.motion) < 0.1
    strip.scale = 2.0
    slow = sampling.sample(target, strip).motion
    np.testing.assert_allclose(slow.joints[: 2 * FRAMES - 1 : 2], motion.joints, atol=2e-3)
    strip.scale, strip.use_reverse = 1.0, True
    backwards = sampling.sample(target, strip)
    np.testing.assert_allclose(backwards.world_joints()[::-1], read.world_joints(), atol=1e-3)
    strip.use_reverse = False
    # what the armature plays now: the strip, where no action lies over it
    target.animation_data.action = None
    played = sampling.sample(target, frames=range(101, 101 + FRAMES))
    assert millimetres(motion, played.motion) < 0.1


def state(scene, target):
    """Everything that reading must leave as it was."""
    data = target.animation_data
    return {
        "frame": (scene.frame_current, scene.frame_subframe, scene.frame_start, scene.frame_end),
        "action": data.action,
        "slot": getattr(data, "action_slot", None),
        "nla": data.use_nla,
        "selected": [o.name for o in bpy.context.view_layer.objects if o.select_get()],
        "active": bpy.context.view_layer.objects.active,
        "mode": target.mode,
        "pose": [tuple(map(tuple, bone.matrix_basis)) for bone in target.pose.bones],
        "posed": [tuple(map(tuple, bone.matrix)) for bone in target.pose.bones],
        "objects": sorted(bpy.data.objects.keys()),
        "scenes": sorted(bpy.data.scenes.keys()),
        "armatures": sorted(bpy.data.armatures.keys()),
        "actions": sorted(bpy.data.actions.keys()),
        "users": [(a.name, a.users) for a in bpy.data.actions],
    }


@pytest.mark.parametrize("constrained", [False, True])
def test_the_scene_is_left_alone(scene, motion, tmp_path, constrained):
    target = add_character(bpy.context)
    wanted = put(target, motion, "wanted")
    put(target, walk(20), "other")
    aim = bpy.data.objects.new("Aim", None)
    scene.collection.objects.link(aim)
    aim["strength"] = 0.0
    for frame in (1, FRAMES):
        aim.location.z = aim["strength"] = float(frame)
        aim.keyframe_insert("location", frame=frame)
        aim.keyframe_insert('["strength"]', frame=frame)
    if constrained:
        target.pose.bones["head"].constraints.new("DAMPED_TRACK").target = aim
    scene.frame_set(7)
    aim.location.z, aim["strength"] = 5.0, 0.25  # moved by hand, not keyed
    bpy.ops.object.mode_set(mode="POSE")
    target.pose.bones["left_elbow"].rotation_quaternion = (0.5, 0.5, 0.5, 0.5)  # posed by hand, not keyed
    bpy.context.view_layer.update()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    calls = []
    handler = lambda *_: calls.append(1)  # noqa: E731
    bpy.app.handlers.frame_change_pre.append(handler)
    try:
        before, dirty = state(scene, target), bpy.data.is_dirty
        sampling.sample(target, wanted)
        sampling.sample(target)
        bpy.context.view_layer.update()
    finally:
        bpy.app.handlers.frame_change_pre.remove(handler)
    assert state(scene, target) == before
    assert (aim.location.z, aim["strength"]) == (5.0, 0.25)
    assert bpy.data.is_dirty == dirty
    assert not calls


def test_rest_position_does_not_matter(motion):
    target = make_armature(PLAIN, rest_joints(), seed=6)
    put(target, motion)
    target.data.pose_position = "REST"
    bpy.context.view_layer.update()
    assert millimetres(motion, sampling.sample(target).motion) < 1
    target.pose.bones["head"].constraints.new("LIMIT_SCALE")
    assert millimetres(motion, sampling.sample(target).motion) < 1
    assert len(bpy.data.armatures) == 1


def test_toes_and_collars_that_are_not_there(motion):
    some = {n: MIXAMO[n] for n in NAMES if "foot" not in n and "collar" not in n}
    target = make_armature(MIXAMO, rest_joints(), seed=8)
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    for name in set(MIXAMO.values()) - set(some.values()):
        bones.remove(bones[name])
    for side in ("Left", "Right"):
        bones[f"{side}Arm"].parent = bones["Spine2"]
    bpy.ops.object.mode_set(mode="OBJECT")
    put(target, motion)
    assert millimetres(motion, sampling.sample(target).motion) < 5


def test_what_cannot_be_read_is_said(scene, motion):
    target = add_character(bpy.context)
    action = put(target, motion)
    foreign = bpy.data.actions.new("foreign")
    with pytest.raises(UserError, match="foreign"):
        sampling.sample(target, foreign)
    with pytest.raises(UserError, match="equal distances"):
        sampling.sample(target, action, [1, 2, 5])
    with pytest.raises(UserError, match="frames"):
        sampling.sample(target, action, [])
    target.scale.x = -1
    with pytest.raises(UserError, match="mirrored"):
        sampling.sample(target, action)
    data = bpy.data.armatures.new("Crane")
    crane = bpy.data.objects.new("Crane", data)
    scene.collection.objects.link(crane)
    with pytest.raises(UserError, match="Crane"):
        sampling.sample(crane)


def test_a_library_of_actions(scene, motion):
    """All are read, one after the other, whatever the armature plays."""
    target = add_character(bpy.context)
    yaws = np.linspace(0, 6, 5)
    actions = []
    for index, yaw in enumerate(yaws):
        turned = motion.rotations.astype(float)
        turned[:, 0] = quat.multiply(quat.about_axis(1, yaw), turned[:, 0])
        actions.append(put(target, type(motion).from_rotations(turned, motion.root, 20.0), f"walk {index}"))
    reader = sampling.Reader(target)
    for action, yaw in zip(actions, yaws, strict=True):
        found = reader.read(action)
        assert math.cos(found.placement.yaw - yaw) > 0.999
    assert target.animation_data.action == actions[-1]
