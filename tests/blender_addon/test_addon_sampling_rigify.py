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
from blender_addon.sampling import bones  # noqa: E402
from blender_addon.sampling import clip as sampling  # noqa: E402
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
