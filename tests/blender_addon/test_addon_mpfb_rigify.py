# SPDX-License-Identifier: GPL-3.0-or-later
"""MPFB's Rigify rig with toes: Blender's human metarig whose toes have fingers' rigs of their own, generated here."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.bench import sample_motion  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402

LIMBS = [f"{bone}.{side}" for bone in ("upper_arm_parent", "thigh_parent") for side in "LR"]


@pytest.fixture(scope="module")
def human(registered):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with contextlib.redirect_stdout(io.StringIO()):
        bpy.ops.preferences.addon_enable(module="rigify")
        bpy.ops.object.armature_human_metarig_add()
        metarig = bpy.context.object
        add_toes(metarig)
        bpy.ops.pose.rigify_generate()
    generated = bpy.context.object
    bpy.data.objects.remove(metarig)
    yield generated
    bpy.ops.wm.read_factory_settings(use_empty=True)


def add_toes(metarig):
    """MPFB's toes: the big one of two bones, the others of three, each a `limbs.super_finger` below ``toe``."""
    bpy.ops.object.mode_set(mode="EDIT")
    edit = metarig.data.edit_bones
    for side in "LR":
        toe = edit[f"toe.{side}"]
        across = toe.x_axis.normalized() * toe.length * 0.3
        for number in range(1, 6):
            count = 2 if number == 1 else 3
            start, parent = toe.head + across * (number - 3), toe
            for part in range(1, count + 1):
                made = edit.new(f"toe{number}-{part}.{side}")
                made.head, made.tail = start, start + toe.vector / count
                made.parent, made.use_connect = parent, part > 1
                made.roll = toe.roll
                start, parent = made.tail.copy(), made
    bpy.ops.object.mode_set(mode="OBJECT")
    for side in "LR":
        for number in range(1, 6):
            bone = metarig.pose.bones[f"toe{number}-1.{side}"]
            bone.rigify_type = "limbs.super_finger"
            bone.rigify_parameters.primary_rotation_axis = "X"
            bone.rigify_parameters.make_extra_ik_control = False


def play(target, motion, controls):
    """Heads and tails (T, n, 2, 3) of the deform bones."""
    rest = rig.read_rest(target, rig.check(target), RetargetOptions(controls=controls))
    action = keyframes.write_action(target, solver.solve(rest, motion), controls, 1, {}, rest.switches)
    keyframes.assign(target, action)
    names = [bone.name for bone in target.data.bones if bone.name.startswith("DEF-")]
    rows = []
    for frame in range(0, motion.n_frames, max(1, motion.n_frames // 8)):
        bpy.context.scene.frame_set(1 + frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        rows.append([(posed[name].head[:], posed[name].tail[:]) for name in names])
    assert {target.pose.bones[name]["IK_FK"] for name in LIMBS} == {1.0 if controls == "FK" else 0.0}
    return np.array(rows)


def test_its_controls_are_known(human):
    mapping = rig.check(human)
    assert mapping.family == "Rigify"
    assert mapping.bones["left_foot"] == "toe_fk.L"
    assert "toe2-1.L" in human.pose.bones
    assert rig.offers_ik(human)


@pytest.mark.parametrize("motion", [walk(40), sample_motion()], ids=["walk", "every joint turns"])
def test_both_kinds_of_controls_give_the_same_pose(human, motion):
    by_fk = play(human, motion, "FK")
    assert np.ptp(by_fk, axis=0).max() > 0.3  # it moves
    assert np.abs(np.linalg.norm(play(human, motion, "IK") - by_fk, axis=-1)).max() < 0.005
