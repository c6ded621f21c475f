# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the Rigify human that Blender generates, on FK and on IK, through the bones that its controls move."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402
from mathutils import Matrix  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.sampling import bones, evaluate  # noqa: E402
from blender_addon.sampling import clip as sampling  # noqa: E402
from blender_addon.sampling.needed_bones import needed_bones  # noqa: E402
from blender_addon.sampling.portions import Portions, Readers  # noqa: E402
from motion_engine import skeleton  # noqa: E402

J = skeleton.JOINT
FRAMES = 30
ARMS = {"shoulder": ("upper_arm", "elbow"), "elbow": ("forearm", "wrist")}
LEGS = {"hip": ("thigh", "knee"), "knee": ("shin", "ankle")}
NEXT = {"thigh": "shin", "shin": "foot", "upper_arm": "forearm", "forearm": "hand"}


@pytest.fixture(scope="module")
def human(registered):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    made = bpy.context.object
    bpy.data.objects.remove(metarig)
    bpy.context.scene.render.fps = 20
    yield made
    bpy.ops.wm.read_factory_settings(use_empty=True)


def put(target, motion):
    rest = rig.read_rest(target, rig.check(target))
    action = keyframes.write_action(target, solver.solve(rest, motion), "walk", 1, {}, rest.switches)
    keyframes.assign(target, action)
    return action


def heads(target, names, frames):
    """(T, n, 3) heads in the world as Blender evaluates them."""
    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        rows.append([posed.matrix_world @ posed.pose.bones[name].head for name in names])
    return np.array(rows)


def limb_angles(target, limbs, joints, frames):
    """Largest angle in degrees between the clip's limbs and the deforming bones in the world."""
    worst = 0.0
    for side, letter in (("left", "L"), ("right", "R")):
        for part, (bone, after) in limbs.items():
            ends = heads(target, [f"DEF-{bone}.{letter}", f"DEF-{NEXT[bone]}.{letter}"], frames)
            seen = ends[:, 1] - ends[:, 0]
            own = to_blender(joints[:, J[f"{side}_{after}"]] - joints[:, J[f"{side}_{part}"]])
            cosine = (
                np.sum(seen * own, axis=-1) / np.linalg.norm(seen, axis=-1) / np.linalg.norm(own, axis=-1)
            )
            worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max()))
    return worst


def test_there_and_back_and_there_again(human):
    """The clip that is read plays on the rig as the one before did, to the millimetre."""
    names = list(bones.followed(human, rig.check(human)).values())
    motion = walk(FRAMES).canonical()
    put(human, motion)
    first = heads(human, names, range(1, FRAMES + 1))
    back = sampling.sample(human).motion
    feet = [J[name] for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
    off = np.linalg.norm(back.joints - motion.joints, axis=-1)
    assert off[:, feet].mean() < 0.001
    # the rig's legs are too short for some strides: its hips sink, and that is read
    assert off.mean() < 0.015
    put(human, back)
    again = heads(human, names, range(1, FRAMES + 1))
    assert np.linalg.norm(first - again, axis=-1).mean() < 0.005


def test_read_on_ik_and_in_another_place(human):
    human.animation_data.action = None
    for bone in human.pose.bones:
        bone.matrix_basis.identity()
    for side in "LR":
        for limb in ("upper_arm", "thigh"):
            human.pose.bones[f"{limb}_parent.{side}"]["IK_FK"] = 0.0
    for frame, height in ((1, 0.0), (20, 0.5)):
        human.pose.bones["hand_ik.L"].location = (0.1, 0.0, height)
        human.pose.bones["hand_ik.L"].keyframe_insert("location", frame=frame)
        human.pose.bones["torso"].location = (0, -height, -0.2)
        human.pose.bones["torso"].keyframe_insert("location", frame=frame)
    action = human.animation_data.action
    human.matrix_world = Matrix.Translation((1, 2, 0)) @ Matrix.Rotation(0.7, 4, "Z") @ Matrix.Scale(0.5, 4)
    bpy.context.view_layer.update()
    bpy.context.scene.frame_set(3)
    posed = [tuple(map(tuple, bone.matrix)) for bone in human.pose.bones]
    found = sampling.sample(human, action)
    bpy.context.view_layer.update()
    assert [tuple(map(tuple, bone.matrix)) for bone in human.pose.bones] == posed
    joints = found.world_joints()
    assert limb_angles(human, ARMS, joints, range(1, 21)) < 0.5
    assert limb_angles(human, LEGS, joints, range(1, 21)) < 10  # bent to stand as the rig does
    ankles = heads(human, ["DEF-foot.L", "DEF-foot.R"], range(1, 21))
    flat = to_blender(joints[:, [J["left_ankle"], J["right_ankle"]]]) - ankles
    assert np.abs(flat[..., :2]).max() < 0.01
    assert len(bpy.data.scenes) == 1


def stage_poses(target, action, wanted, names):
    """Matrices (T, n, 4, 4) on a stage that keeps what the wanted bones need, and how many bones it has."""
    stage = evaluate.Stage(target, wanted)
    try:
        stage.play(sampling.played(target, action).play)
        found, _ = stage.read(names, np.arange(1.0, 21.0))
        return np.stack([found[name] for name in names], axis=1), len(stage.actor.pose.bones)
    finally:
        stage.close()


def test_bones_that_do_not_count_are_left_out_and_change_nothing(human):
    """On FK and on IK, with the switches keyed."""
    action = put(human, walk(20).canonical())
    for side in "LR":
        for limb in ("upper_arm", "thigh"):
            switch = human.pose.bones[f"{limb}_parent.{side}"]
            for frame, value in ((1, 0.0), (10, 1.0)):
                switch["IK_FK"] = value
                switch.keyframe_insert('["IK_FK"]', frame=frame)
    human.pose.bones["hand_ik.L"].location = (0.1, 0.2, 0.3)
    human.pose.bones["hand_ik.L"].keyframe_insert("location", frame=5)
    names = list(bones.followed(human, rig.check(human)).values())
    every, count = stage_poses(human, action, None, names)
    fewer, left = stage_poses(human, action, names, names)
    assert count == len(human.pose.bones)
    assert left < 0.3 * count
    np.testing.assert_allclose(fewer, every, atol=1e-5)
    assert np.abs(np.diff(every[..., :3, 3], axis=0)).max() > 0.01, "nothing moved"


def test_a_driver_that_may_read_anything_keeps_all_bones(human):
    driver = human.pose.bones["head"].driver_add("scale", 0).driver
    driver.use_self, driver.expression = True, "self.id_data.pose.bones['hand_fk.L'].scale[0]"
    try:
        assert needed_bones(human, ["head"]) is None
    finally:
        human.pose.bones["head"].driver_remove("scale", 0)
    assert len(needed_bones(human, ["head"])) < 60


def test_one_action_leaves_nothing_for_the_next_on_the_same_stage(human):
    """Each is read as if it were read alone, whatever the one before has keyed."""
    plain = put(human, walk(20).canonical())
    other = bpy.data.actions.new("other")
    keyframes.assign(human, other)
    for frame in (1, 20):
        torso = human.pose.bones["torso"]
        torso.scale = (2.0, 2.0, 2.0)
        torso.keyframe_insert("scale", frame=frame)
        human.pose.bones["upper_arm_parent.L"]["IK_FK"] = frame / 20
        human.pose.bones["upper_arm_parent.L"].keyframe_insert('["IK_FK"]', frame=frame)
        human.location.z = 0.1 * frame
        human.keyframe_insert("location", frame=frame)
    torso.scale = (1.0, 1.0, 1.0)
    human.location.z = 0.0
    human.pose.bones["upper_arm_parent.L"]["IK_FK"] = 1.0
    keyframes.assign(human, plain)
    readers = Readers()

    def read(shared, action):
        reading = Portions(shared, rig.Handle.of(human), lambda: action, action.name)
        while not reading.step(1.0):
            pass
        return reading.clip().world_joints()

    together = [read(readers, action) for action in (plain, other, plain)]
    readers.close()
    for joints, action in zip(together, (plain, other, plain), strict=True):
        alone = Readers()
        np.testing.assert_allclose(joints, read(alone, action), atol=1e-5)
        alone.close()
    assert np.abs(together[1] - together[0]).max() > 0.1
    assert len(bpy.data.scenes) == 1
    assert not any(part.get(evaluate.MARK) for part in (*bpy.data.objects, *bpy.data.armatures))


def test_the_user_goes_on_editing_another_object(human):
    action = put(human, walk(30).canonical())
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    sampling.sample(human, action)
    assert (bpy.context.mode, bpy.context.object, cube.mode) == ("EDIT_MESH", cube, "EDIT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(bpy.data.scenes) == 1
