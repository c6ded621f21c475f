# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig with Auto-Rig Pro's names and structure: FK and IK chains, between which deform bones are switched."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import pole_angle, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Vector  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.bench import sample_motion  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from motion_engine import skeleton  # noqa: E402

J = skeleton.JOINT
MIDDLE = {"pelvis": "root_master", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03", "neck": "neck",
          "head": "head"}  # fmt: skip
FK = {"hip": "thigh", "knee": "leg", "ankle": "foot", "foot": "toes", "collar": "shoulder", "shoulder": "arm",
      "elbow": "forearm", "wrist": "hand"}  # fmt: skip
LIMBS = (
    ("shoulder", "elbow", "wrist", "c_hand_ik", "c_arms_pole"),
    ("hip", "knee", "ankle", "c_foot_ik", "c_leg_pole"),
)


def control(joint):
    if joint in MIDDLE:
        return f"c_{MIDDLE[joint]}.x"
    side, part = joint.split("_")
    return f"c_{FK[part]}{'' if part == 'collar' else '_fk'}.{side[0]}"


def deform(joint):
    return f"{joint}_stretch"


@pytest.fixture
def character(scene):
    return build(scene)


def build(scene, astray=0.0, hinges=True):
    """The rig; its pole angles wrong by some radians, its elbows and knees hinges or not."""
    joints = rest_joints()
    for side in ("left", "right"):  # limbs bent a little, as they are built for IK
        joints[J[f"{side}_elbow"]] += (0, 0.02, 0)
        joints[J[f"{side}_knee"]] += (0, -0.02, 0)
    data = bpy.data.armatures.new("rig")
    target = bpy.data.objects.new("rig", data)
    scene.collection.objects.link(target)
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    edit = data.edit_bones

    def bone(name, head, tail, parent=None):
        made = edit.new(name)
        made.head, made.tail, made.parent = Vector(head), Vector(tail), edit[parent] if parent else None
        made.roll = 0.0

    bone("c_traj", (0, 0, 0), (0, 0.4, 0))
    for index, joint in enumerate(skeleton.JOINT_NAMES):
        children = [i for i in range(22) if skeleton.PARENTS[i] == index]
        tail = joints[children[0]] if len(children) == 1 else joints[index] + (0, 0.02, 0.1)
        above = skeleton.JOINT_NAMES[skeleton.PARENTS[index]] if index else None
        bone(control(joint), joints[index], tail, control(above) if above else "c_traj")
        bone(deform(joint), joints[index], tail, deform(above) if above else "c_traj")
    for side in ("left", "right"):
        for root, middle, end, goal, pole in LIMBS:
            at = [joints[J[f"{side}_{part}"]] for part in (root, middle, end)]
            along = (at[2] - at[0]) / np.linalg.norm(at[2] - at[0])
            way = at[1] - at[0] - along * ((at[1] - at[0]) @ along)
            way = 0.5 * way / np.linalg.norm(way)  # in the plane of the limb, as Auto-Rig Pro puts its poles
            above = control(f"{side}_collar" if root == "shoulder" else "pelvis")
            bone(f"{root}_nostr.{side[0]}", at[0], at[1], above)
            bone(f"{middle}_nostr.{side[0]}", at[1], at[2], f"{root}_nostr.{side[0]}")
            for part in (root, middle):  # the limb bends about X
                edit[f"{part}_nostr.{side[0]}"].align_roll(Vector(way))
            bone(f"{goal}.{side[0]}", at[2], at[2] + (0, -0.1, 0), "c_traj")
            bone(f"{pole}.{side[0]}", at[1] + way, at[1] + way + np.array((0, 0, 0.1)), "c_traj")
            bone(f"{end}_goal.{side[0]}", *(edit[deform(f"{side}_{end}")].head, edit[deform(f"{side}_{end}")].tail),
                 f"{goal}.{side[0]}")  # fmt: skip
        bone(f"c_toes_ik.{side[0]}", edit[deform(f"{side}_foot")].head, edit[deform(f"{side}_foot")].tail,
             f"c_foot_ik.{side[0]}")  # fmt: skip
    bpy.ops.object.mode_set(mode="OBJECT")
    bones = target.pose.bones

    def copy(owner, source, switch=None, expression=""):
        made = bones[owner].constraints.new("COPY_TRANSFORMS")
        made.target, made.subtarget = target, source
        if switch:
            curve = made.driver_add("influence")
            curve.driver.expression = expression
            variable = curve.driver.variables.new()
            variable.name = "var"
            variable.targets[0].id = target
            variable.targets[0].data_path = f'pose.bones["{switch}"]["ik_fk_switch"]'

    for side in ("left", "right"):
        s = side[0]
        for root, middle, end, goal, pole in LIMBS:
            bones[f"{goal}.{s}"]["ik_fk_switch"] = 0.0
            bones[f"{middle}_nostr.{s}"].lock_ik_y = bones[f"{middle}_nostr.{s}"].lock_ik_z = hinges
            constraint = bones[f"{middle}_nostr.{s}"].constraints.new("IK")
            constraint.target, constraint.subtarget = target, f"{goal}.{s}"
            constraint.pole_target, constraint.pole_subtarget = target, f"{pole}.{s}"
            constraint.chain_count, constraint.use_stretch = 2, False
            constraint.pole_angle = astray + pole_angle(
                target, f"{root}_nostr.{s}", f"{middle}_nostr.{s}", f"{pole}.{s}"
            )
            for part, source in (
                (root, f"{root}_nostr.{s}"),
                (middle, f"{middle}_nostr.{s}"),
                (end, f"{end}_goal.{s}"),
            ):
                copy(deform(f"{side}_{part}"), control(f"{side}_{part}"))
                copy(deform(f"{side}_{part}"), source, f"{goal}.{s}", "1 - var")
        copy(deform(f"{side}_foot"), control(f"{side}_foot"))
        copy(deform(f"{side}_foot"), f"c_toes_ik.{s}", f"c_foot_ik.{s}", "1 - var")
        copy(deform(f"{side}_collar"), control(f"{side}_collar"))
    for joint in MIDDLE:
        copy(deform(joint), control(joint))
    bpy.context.view_layer.update()
    return target


def play(target, motion, controls):
    """Joints (T, 22, 3) of the deform bones in the world with keys on these controls."""
    rest = rig.read_rest(target, rig.check(target), RetargetOptions(controls=controls))
    action = keyframes.write_action(target, solver.solve(rest, motion), controls, 1, {}, rest.switches)
    keyframes.assign(target, action)
    deformed = {joint: deform(joint) for joint in skeleton.JOINT_NAMES}
    return world_joints(target, deformed, min(motion.n_frames, 60))


def test_deform_bones_go_where_the_motion_goes(character):
    motion = walk(40)
    assert rig.check(character).family == "Auto-Rig Pro"
    found = play(character, motion, "FK")
    bpy.context.scene.frame_set(5)
    assert character.pose.bones["c_foot_ik.l"]["ik_fk_switch"] == 1.0
    wanted = to_blender(motion.joints)
    wanted += (found - wanted)[0, 0]
    off = np.linalg.norm(found - wanted, axis=-1)
    assert off.mean() < 0.005, {
        n: round(float(v), 4) for n, v in zip(skeleton.JOINT_NAMES, off.mean(0), strict=True)
    }


@pytest.mark.parametrize("hinges", [True, False], ids=["hinges", "ball joints"])
@pytest.mark.parametrize("astray", [0.0, 0.5, -2.0])
def test_both_kinds_of_controls_give_the_same_pose(scene, astray, hinges):
    """Whatever the pole angle: where elbows and knees lie beside their poles is measured."""
    character = build(scene, astray, hinges)
    assert rig.offers_ik(character)
    for motion in (walk(40), sample_motion()):
        by_fk = play(character, motion, "FK")
        by_ik = play(character, motion, "IK")
        scene.frame_set(5)
        assert character.pose.bones["c_foot_ik.l"]["ik_fk_switch"] == 0.0
        assert np.linalg.norm(by_ik - by_fk, axis=-1).max() < 0.005


def test_a_limb_that_does_not_follow_its_pole_is_refused(character):
    constraint = character.pose.bones["elbow_nostr.r"].constraints["IK"]
    constraint.pole_target = None
    with pytest.raises(Exception, match=r"'c_arms_pole\.r' .* Key the FK controls.* Nothing was changed"):
        play(character, walk(10), "IK")
    play(character, walk(10), "FK")


def test_a_limb_that_stretches_is_refused(character):
    for bone in ("hip_nostr.l", "knee_nostr.l"):
        character.pose.bones[bone].ik_stretch = 0.5
    character.pose.bones["knee_nostr.l"].constraints["IK"].use_stretch = True
    with pytest.raises(Exception, match=r"'c_leg_pole\.l' do not keep their length on IK"):
        play(character, walk(10), "IK")
