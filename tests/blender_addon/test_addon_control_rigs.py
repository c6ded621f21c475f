# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion on the controls of a Rigify human, as Blender evaluates what they deform."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

J = skeleton.JOINT
DEFORM = {
    "hip": "thigh",
    "knee": "shin",
    "ankle": "foot",
    "shoulder": "upper_arm",
    "elbow": "forearm",
    "wrist": "hand",
}
ARMS = (("shoulder", "elbow"), ("elbow", "wrist"))
LEGS = (("hip", "knee"), ("knee", "ankle"))


@pytest.fixture(scope="module")
def generated(registered):
    """The rig and the rotation modes of its bones; generating takes seconds."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    rigify = bpy.context.object
    bpy.data.objects.remove(metarig)
    yield rigify, {bone.name: bone.rotation_mode for bone in rigify.pose.bones}
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def human(generated):
    """The rig at rest, with its limbs on IK as Rigify leaves them."""
    rigify, modes = generated
    yield rigify
    rigify.animation_data.action = None
    rigify.location, rigify.scale = (0, 0, 0), (1, 1, 1)
    for bone in rigify.pose.bones:
        bone.rotation_mode = modes[bone.name]
        bone.matrix_basis.identity()
        for constraint in [c for c in bone.constraints if c.name.startswith("Added")]:
            bone.constraints.remove(constraint)
    for side in "LR":
        for limb in ("upper_arm", "thigh"):
            rigify.pose.bones[f"{limb}_parent.{side}"]["IK_FK"] = 0.0
    bpy.context.view_layer.update()


def put(target, motion):
    mapping = rig.check(target)
    rest = rig.read_rest(target, mapping)
    channels = solver.solve(rest, motion)
    action = keyframes.write_action(target, channels, "walk", 1, {}, rest.switches)
    keyframes.assign(target, action)
    return rest


def off(target, motion, to_rig, limbs, frames):
    """Angles (frames, n) in degrees between the deformed limbs and the motion's."""
    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(1 + frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        row = []
        for upper, lower in limbs:
            for side, letter in (("left", "L"), ("right", "R")):
                at = [np.array(posed[f"DEF-{DEFORM[part]}.{letter}"].head) for part in (upper, lower)]
                own = at[1] - at[0]
                wanted = (
                    motion.joints[frame, J[f"{side}_{lower}"]] - motion.joints[frame, J[f"{side}_{upper}"]]
                )
                wanted = quat.rotate(to_rig, wanted.astype(float))
                cosine = own @ wanted / np.linalg.norm(own) / np.linalg.norm(wanted)
                row.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("turned", [False, True], ids=["at rest", "with a pose and a turned root"])
def test_limbs_point_where_the_motion_says(human, turned):
    if turned:  # what the user left on the rig must not get in the way
        human.pose.bones["chest"].rotation_quaternion = (0.97, 0.1, 0.2, 0.0)
        human.pose.bones["hand_fk.L"].rotation_quaternion = (0.9, 0.3, 0.2, 0.1)
        human.pose.bones["upper_arm_fk.L"].rotation_mode = "ZXY"
        human.location, human.scale = (3, 1, 0), (0.01, 0.01, 0.01)
        bpy.context.view_layer.update()
    motion = walk()
    to_rig = solver.measure(put(human, motion)).to_rig
    frames = range(0, motion.n_frames, 16)
    assert off(human, motion, to_rig, ARMS, frames).max() < 0.5
    # the rig's legs have other proportions, and the feet stay where they stand
    assert off(human, motion, to_rig, LEGS, frames).mean() < 6.0


def test_feet_stand_on_the_floor(human):
    motion = walk()
    put(human, motion)
    heights = []
    for frame in range(0, motion.n_frames, 8):
        bpy.context.scene.frame_set(1 + frame)
        posed = human.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        heights.append(min(posed[f"DEF-toe.{letter}"].head.z for letter in "LR"))
    rest = human.data.bones["DEF-toe.L"].head_local.z
    assert np.abs(np.array(heights) - rest).max() < 0.03


def test_fk_is_keyed_and_the_pose_is_left_alone_while_reading(human):
    arm = human.pose.bones["upper_arm_parent.L"]
    hand = human.pose.bones["hand_fk.R"]
    hand.rotation_quaternion, arm["IK_FK"] = (0.9, 0.3, 0.2, 0.1), 0.25
    before = {b.name: tuple(map(tuple, b.matrix_basis)) for b in human.pose.bones}
    rig.read_rest(human, rig.check(human))
    assert {b.name: tuple(map(tuple, b.matrix_basis)) for b in human.pose.bones} == before
    assert arm["IK_FK"] == pytest.approx(0.25)
    put(human, walk(20))
    bpy.context.scene.frame_set(10)
    assert arm["IK_FK"] == 1.0


def test_what_cannot_be_keyed_against_is_named(human):
    copy = human.pose.bones["MCH-upper_arm_parent.L"].constraints.new("COPY_ROTATION")
    copy.name = "Added"
    copy.target, copy.subtarget, copy.influence = human, "hand_fk.R", 0.37
    copy.use_offset = False
    with pytest.raises(Exception, match=r"upper_arm_fk\.L"):
        rig.read_rest(human, rig.check(human))


@pytest.mark.parametrize("controls", ["FK", "IK"])
@pytest.mark.parametrize("way", ["ROOT_BONE", "OBJECT"])
def test_travel_on_the_root_control_or_the_object_looks_the_same(human, way, controls):
    motion = walk(40)
    yaw = np.linspace(0, 1.0, 40)
    rotations = motion.rotations.astype(float)
    rotations[:, 0] = quat.multiply(quat.about_axis(1, yaw), rotations[:, 0])
    motion = Motion.from_rotations(rotations, motion.root, motion.fps)

    def heads(root):
        options = RetargetOptions(root, controls=controls)
        mapping = rig.check(human)
        rest = rig.read_rest(human, mapping, options)
        channels = solver.solve(rest, motion, options)
        keyframes.assign(human, keyframes.write_action(human, channels, "walk", 1, {}, rest.switches))
        rows = []
        for frame in range(1, 41, 6):
            bpy.context.scene.frame_set(frame)
            found = human.evaluated_get(bpy.context.evaluated_depsgraph_get())
            rows.append([found.matrix_world @ b.head for b in found.pose.bones if b.name.startswith("DEF-")])
        return np.array(rows), rest.notes

    expected, _ = heads("HIPS")
    got, notes = heads(way)
    assert notes == ()
    assert np.abs(got - expected).max() < 1e-4
