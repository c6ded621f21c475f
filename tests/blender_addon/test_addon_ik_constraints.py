# SPDX-License-Identifier: GPL-3.0-or-later
"""An MMD model, whose legs hang on IK constraints as mmd_tools makes them: the keys win over the constraints."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import make_armature, rest_joints, walk, world_joints  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from motion_engine import skeleton  # noqa: E402

MIDDLE = {
    "pelvis": "センター",
    "spine1": "上半身",
    "spine2": "上半身2",
    "spine3": "上半身3",
    "neck": "首",
    "head": "頭",
}
SIDED = {
    "hip": "足", "knee": "ひざ", "ankle": "足首", "foot": "つま先", "collar": "肩", "shoulder": "腕", "elbow": "ひじ",
    "wrist": "手首",
}  # fmt: skip


def name_of(joint):
    if joint in MIDDLE:
        return MIDDLE[joint]
    side, part = joint.split("_")
    return {"left": "左", "right": "右"}[side] + SIDED[part]


@pytest.fixture
def model(scene):
    """Leg and toe IK as mmd_tools builds them, with the limit that lets the knee bend one way only."""
    rig_object = make_armature(name_of, rest_joints())
    bpy.ops.object.mode_set(mode="EDIT")
    edit = rig_object.data.edit_bones
    for side in "左右":
        leg = edit.new(f"{side}足ＩＫ")
        leg.head, leg.tail = edit[f"{side}足首"].head, edit[f"{side}足首"].head + edit[f"{side}足首"].vector
        toe = edit.new(f"{side}つま先ＩＫ")
        toe.head, toe.tail, toe.parent = edit[f"{side}つま先"].head, edit[f"{side}つま先"].tail, leg
    bpy.ops.object.mode_set(mode="OBJECT")
    for side in "左右":
        for owner, goal, count in (
            (f"{side}足首", f"{side}足ＩＫ", 2),
            (f"{side}つま先", f"{side}つま先ＩＫ", 1),
        ):
            constraint = rig_object.pose.bones[owner].constraints.new("IK")
            constraint.target, constraint.subtarget = rig_object, goal
            constraint.chain_count, constraint.use_tail, constraint.iterations = count, False, 40
        limit = rig_object.pose.bones[f"{side}ひざ"].constraints.new("LIMIT_ROTATION")
        limit.name, limit.use_limit_x, limit.owner_space = "mmd_ik_limit_override", True, "LOCAL"
    bpy.context.view_layer.update()
    return rig_object


def put(target, motion):
    rest = rig.read_rest(target, rig.check(target))
    action = keyframes.write_action(target, solver.solve(rest, motion), "walk", 1, {}, rest.switches)
    keyframes.assign(target, action)


def test_joints_go_where_the_motion_goes(model):
    motion = walk(40)
    put(model, motion)
    found = world_joints(model, {joint: name_of(joint) for joint in skeleton.JOINT_NAMES}, 40)
    wanted = to_blender(motion.joints)
    wanted += (found - wanted)[0, 0]  # where on the floor it starts is the rig's affair
    assert np.linalg.norm(found - wanted, axis=-1).mean() < 0.005


def test_constraints_themselves_stay(model):
    put(model, walk(20))
    assert [c.type for c in model.pose.bones["左足首"].constraints] == ["IK"]
    bpy.context.scene.frame_set(10)
    evaluated = model.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert evaluated.pose.bones["左足首"].constraints["IK"].influence == 0.0
    assert not model.pose.bones["左足首"].constraints["IK"].mute


def test_a_driven_constraint_is_named(model):
    path = 'pose.bones["左足首"].constraints["IK"].influence'
    curve = model.driver_add(path)
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = model, "location.x"
    with pytest.raises(Exception, match="左足首"):
        rig.read_rest(model, rig.check(model))
