# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig with CloudRig's names and structure: FK and IK chains, between which ORG bones are switched by a property.

Poles and feet change parents by Armature constraints, toes hang from the foot that is switched on.
"""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import pole_angle, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Vector  # noqa: E402

from blender_addon import compat, keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.bench import sample_motion  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from motion_engine import skeleton  # noqa: E402

J = skeleton.JOINT
NAMES = skeleton.JOINT_NAMES
MIDDLE = {"pelvis": "TORSO-Spine", "spine1": "FK-Spine", "spine2": "FK-Spine2", "spine3": "FK-Chest", "neck": "FK-Neck",
          "head": "FK-Head"}  # fmt: skip
PARTS = {"hip": "Thigh", "knee": "Knee", "ankle": "Foot", "foot": "Toes", "collar": "Shoulder", "shoulder": "UpperArm",
         "elbow": "Forearm", "wrist": "Wrist"}  # fmt: skip
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
SIDES = (("left", "L"), ("right", "R"))


def control(joint):
    if joint in MIDDLE:
        return MIDDLE[joint]
    side, part = joint.split("_")
    return f"FK-{PARTS[part]}.{side[0].upper()}"


def deform(joint):
    return f"DEF-{joint}"


def limb(side, root):
    """What CloudRig calls a limb in its properties."""
    return f"{side}_{PARTS[root].lower()}"


@pytest.fixture
def character(scene):
    joints = rest_joints()
    for side, _ in SIDES:  # limbs bent a little, as they are built for IK
        joints[J[f"{side}_elbow"]] += (0, 0.02, 0)
        joints[J[f"{side}_knee"]] += (0, -0.02, 0)
    data = bpy.data.armatures.new("RIG-Cloud")
    target = bpy.data.objects.new("RIG-Cloud", data)
    scene.collection.objects.link(target)
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    bones(data.edit_bones, joints)
    bpy.ops.object.mode_set(mode="OBJECT")
    constrain(target)
    bpy.context.view_layer.update()
    return target


def bones(edit, joints):
    def bone(name, head, tail, parent=None):
        made = edit.new(name)
        made.head, made.tail, made.parent = Vector(head), Vector(tail), edit[parent] if parent else None
        made.roll = 0.0
        return made

    bone("root", (0, 0, 0), (0, 0.4, 0))
    bone("Properties", (0, 0, 2), (0, 0, 2.1), "root")
    tails = {}
    for index, joint in enumerate(NAMES):
        children = [i for i in range(22) if skeleton.PARENTS[i] == index]
        tails[joint] = joints[children[0]] if len(children) == 1 else joints[index] + (0, 0.02, 0.1)
        above = NAMES[skeleton.PARENTS[index]] if index else None
        hangs = not joint.endswith("_foot")  # toes hang from an Armature constraint
        parent = control(above) if above else "root"
        bone(control(joint), joints[index], tails[joint], parent if hangs else None)
        bone(deform(joint), joints[index], tails[joint], deform(above) if above else "root")
    for side, s in SIDES:
        for parts in LIMBS:
            root, middle, end = (f"{side}_{part}" for part in parts)
            at = [joints[J[joint]] for joint in (root, middle, end)]
            along = (at[2] - at[0]) / np.linalg.norm(at[2] - at[0])
            way = at[1] - at[0] - along * ((at[1] - at[0]) @ along)
            way = 0.6 * way / np.linalg.norm(way)
            names = [PARTS[part] for part in parts]
            bone(f"IK-{names[2]}.{s}", at[2], tails[end], "root")
            bone(f"P-POLE-{names[0]}.{s}", at[1] + way, at[1] + 1.2 * way)
            bone(f"POLE-{names[0]}.{s}", at[1] + way, at[1] + 1.2 * way, f"P-POLE-{names[0]}.{s}")
            above = control(f"{side}_collar" if parts[0] == "shoulder" else "pelvis")
            bone(f"IK-M-{names[0]}.{s}", at[0], at[1], above).align_roll(Vector(way))
            bone(f"IK-M-{names[1]}.{s}", at[1], at[2], f"IK-M-{names[0]}.{s}").align_roll(Vector(way))
            bone(f"IK-M-{names[2]}.{s}", at[2], tails[end], f"IK-{names[2]}.{s}")
            bone(f"IK-STR-{names[0]}.{s}", at[0], at[2], above)
            bone(f"IK-STR-TGT-{names[2]}.{s}", at[2], tails[end], f"IK-{names[2]}.{s}")
        toes = f"{side}_foot"
        bone(f"IK-M-Toes.{s}", joints[J[toes]], tails[toes], f"IK-M-Foot.{s}")


def constrain(target):
    pose = target.pose.bones
    properties = pose["Properties"]
    properties["ik_spine"] = 0.0

    def drive(owner, path, expression, prop):
        curve = owner.driver_add(path)
        curve.driver.expression = expression
        variable = curve.driver.variables.new()
        variable.name = "var"
        variable.targets[0].id = target
        variable.targets[0].data_path = f'pose.bones["Properties"]["{prop}"]'

    def copy(owner, source, prop=None, kind="COPY_TRANSFORMS"):
        made = pose[owner].constraints.new(kind)
        made.target, made.subtarget = target, source
        if prop:
            drive(made, "influence", "var", prop)
        return made

    def parents(owner, first, second, prop):
        made = pose[owner].constraints.new("ARMATURE")
        for subtarget, expression in ((first, "1 - var"), (second, "var")):
            one = made.targets.new()
            one.target, one.subtarget = target, subtarget
            drive(one, "weight", expression, prop)

    for joint in MIDDLE:
        copy(deform(joint), control(joint))
    for side, s in SIDES:
        for parts in LIMBS:
            names, key = [PARTS[part] for part in parts], limb(side, parts[0])
            properties[f"ik_{key}"] = 1.0
            properties[f"ik_stretch_{key}"] = 1.0
            properties[f"ik_pole_follow_{key}"] = 1.0 if parts[0] == "hip" else 0.0
            parents(f"P-POLE-{names[0]}.{s}", "root", f"IK-{names[2]}.{s}", f"ik_pole_follow_{key}")
            stretch = pose[f"IK-STR-{names[0]}.{s}"]
            copy(stretch.name, f"IK-STR-TGT-{names[2]}.{s}", kind="STRETCH_TO").rest_length = stretch.length
            limit = stretch.constraints.new("LIMIT_SCALE")
            limit.use_max_y = True
            limit.max_y = sum(pose[f"IK-M-{name}.{s}"].length for name in names[:2]) / stretch.length
            drive(limit, "influence", "1 - var", f"ik_stretch_{key}")
            copy(f"IK-M-{names[2]}.{s}", stretch.name, kind="COPY_LOCATION").head_tail = 1.0
            solved = copy(f"IK-M-{names[1]}.{s}", f"IK-M-{names[2]}.{s}", kind="IK")
            solved.pole_target, solved.pole_subtarget = target, f"POLE-{names[0]}.{s}"
            solved.chain_count, solved.use_stretch = 2, False
            solved.pole_angle = pole_angle(
                target, *(f"IK-M-{name}.{s}" for name in names[:2]), f"POLE-{names[0]}.{s}"
            )
            for part, name in zip(parts, names, strict=True):
                copy(deform(f"{side}_{part}"), control(f"{side}_{part}"))
                copy(deform(f"{side}_{part}"), f"IK-M-{name}.{s}", f"ik_{key}")
        parents(f"FK-Toes.{s}", f"FK-Foot.{s}", f"IK-M-Toes.{s}", f"ik_{limb(side, 'hip')}")
        for part in ("foot", "collar"):
            copy(deform(f"{side}_{part}"), control(f"{side}_{part}"))


def play(target, motion, controls):
    """Joints (T, 22, 3) of the deform bones in the world, and the directions of the toes (T, 2, 3)."""
    rest = rig.read_rest(target, rig.check(target), RetargetOptions(controls=controls))
    action = keyframes.write_action(target, solver.solve(rest, motion), controls, 1, {}, rest.switches)
    keyframes.assign(target, action)
    frames = min(motion.n_frames, 40)
    found = world_joints(target, {joint: deform(joint) for joint in NAMES}, frames)
    toes = []
    for frame in range(frames):
        bpy.context.scene.frame_set(1 + frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        toes.append([tuple(posed[deform(f"{side}_foot")].vector) for side, _ in SIDES])
    return found, np.array(toes)


def test_it_is_known_and_all_of_it_is_mapped(character):
    mapping = rig.check(character)
    assert mapping.family == "CloudRig"
    assert mapping.bones == {joint: control(joint) for joint in NAMES}
    assert rig.offers_ik(character)


def test_fk_keys_switch_ik_off_and_go_where_the_motion_goes(character):
    motion = walk(40)
    found, _ = play(character, motion, "FK")
    bpy.context.scene.frame_set(5)
    properties = character.pose.bones["Properties"]
    assert [properties[f"ik_{limb(side, root)}"] for side, _ in SIDES for root, *_ in LIMBS] == [0.0] * 4
    wanted = to_blender(motion.joints)
    wanted += (found - wanted)[0, 0]
    assert np.linalg.norm(found - wanted, axis=-1).mean() < 0.005


@pytest.mark.parametrize("motion", [walk(40), sample_motion()], ids=["walk", "every joint turns"])
def test_ik_keys_give_the_pose_of_fk_keys(character, motion):
    by_fk, fk_toes = play(character, motion, "FK")
    by_ik, ik_toes = play(character, motion, "IK")
    bpy.context.scene.frame_set(5)
    properties = character.pose.bones["Properties"]
    assert [properties[f"ik_{limb(side, root)}"] for side, _ in SIDES for root, *_ in LIMBS] == [1.0] * 4
    assert np.linalg.norm(by_ik - by_fk, axis=-1).max() < 0.005
    assert np.linalg.norm(ik_toes - fk_toes, axis=-1).max() < 0.005
    keyed = {curve.data_path.split('"')[1] for curve in compat.action_curves(character.animation_data.action)}
    assert {"IK-Wrist.L", "IK-Foot.R", "POLE-UpperArm.R", "POLE-Thigh.L", "FK-Toes.L"} <= keyed
    assert not {"FK-Wrist.L", "FK-Thigh.R", "FK-Foot.L"} & keyed
