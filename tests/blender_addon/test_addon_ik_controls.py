# SPDX-License-Identifier: GPL-3.0-or-later
"""FK and IK controls of the Rigify human that Blender generates: the same pose, either switch keyed."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.bench import sample_motion  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from motion_engine.bundle import list_bundles  # noqa: E402
from motion_engine.engine import Engine, GenerateRequest  # noqa: E402


@pytest.fixture(scope="module")
def human(registered):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    rigify = bpy.context.object
    bpy.data.objects.remove(metarig)
    yield rigify
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(scope="module")
def engine():
    if not any(bundle.ok for bundle in list_bundles()):
        pytest.skip("no model bundle here")
    return Engine.load()


def play(target, motion, controls):
    rest = rig.read_rest(target, rig.check(target), RetargetOptions(controls=controls))
    action = keyframes.write_action(target, solver.solve(rest, motion), controls, 1, {}, rest.switches)
    keyframes.assign(target, action)


def evaluated(target, frames):
    """(T, n, 2, 3) heads and tails of the deform bones."""
    names = [bone.name for bone in target.data.bones if bone.name.startswith("DEF-")]
    ends = []
    for frame in frames:
        bpy.context.scene.frame_set(1 + frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        ends.append([(posed[name].head[:], posed[name].tail[:]) for name in names])
    return np.array(ends)


@pytest.mark.parametrize("motion", [walk(), sample_motion()], ids=["walk", "every joint turns"])
def test_both_kinds_of_controls_give_the_same_pose(human, motion):
    frames = range(0, motion.n_frames, max(1, motion.n_frames // 12))
    play(human, motion, "FK")
    by_fk = evaluated(human, frames)
    assert np.ptp(by_fk, axis=0).max() > 0.3  # it moves
    play(human, motion, "IK")  # while the FK action is the armature's own
    assert np.abs(np.linalg.norm(evaluated(human, frames) - by_fk, axis=-1)).max() < 0.005


@pytest.mark.parametrize(
    "prompt", ["a person walks forward and turns around", "a person sits down", "a person dances"]
)
def test_generated_motions_have_the_same_pose_on_both(human, engine, prompt):
    motion = engine.generate(GenerateRequest(prompt=prompt, duration=4.0, seed=0))[0].resample(24.0)
    frames = range(0, motion.n_frames, 4)
    play(human, motion, "FK")
    by_fk = evaluated(human, frames)
    play(human, motion, "IK")
    assert np.abs(np.linalg.norm(evaluated(human, frames) - by_fk, axis=-1)).max() < 0.005


def test_fk_after_another_motion_on_ik_gives_the_fk_pose(human):
    frames = range(0, 20, 4)
    play(human, walk(20), "FK")
    by_fk = evaluated(human, frames)
    play(human, sample_motion(), "IK")
    bpy.context.scene.frame_set(15)
    play(human, walk(20), "FK")
    assert np.abs(evaluated(human, frames) - by_fk).max() < 1e-4


def test_a_refusal_on_ik_has_a_button_that_keys_fk(human):
    path = 'pose.bones["hand_ik.L"].location'
    driver(human, path, 0)
    try:
        with pytest.raises(UserError, match="drivers hold 'hand_ik") as refused:
            rig.check_keys(human, rig.check(human), RetargetOptions(controls="IK"))
    finally:
        human.driver_remove(path, 0)
    (fix,) = refused.value.fixes
    assert fix.label == "Key FK Controls"
    # it can be pressed though no motion waits for a place
    assert session.unplaced is None and getattr(bpy.ops.motion_prompt, fix.operator.split(".")[1]).poll()


def test_ik_keys_are_on_hands_feet_and_poles_and_the_switches(human):
    play(human, walk(20), "IK")
    bpy.context.scene.frame_set(10)
    bones = human.pose.bones
    for side in "LR":
        assert bones[f"upper_arm_parent.{side}"]["IK_FK"] == bones[f"thigh_parent.{side}"]["IK_FK"] == 0.0
    from blender_addon import compat

    keyed = {curve.data_path.split('"')[1] for curve in compat.action_curves(human.animation_data.action)}
    assert {"hand_ik.L", "foot_ik.R", "upper_arm_ik_target.R", "thigh_ik_target.L", "toe_ik.L"} <= keyed
    assert not {"hand_fk.L", "thigh_fk.R", "shin_fk.L", "toe_fk.R"} & keyed


def test_reading_leaves_pose_action_and_switches_alone(human):
    play(human, walk(20), "FK")
    bpy.context.scene.frame_set(7)
    action, slot = human.animation_data.action, getattr(human.animation_data, "action_slot", None)
    held = bool(human.pose.bones["thigh_parent.L"]["pole_vector"])
    before = {bone.name: tuple(map(tuple, bone.matrix)) for bone in human.pose.bones}
    rig.read_rest(human, rig.check(human), RetargetOptions(controls="IK"))
    assert human.animation_data.action == action
    assert getattr(human.animation_data, "action_slot", None) == slot
    after = {bone.name: tuple(map(tuple, bone.matrix)) for bone in human.pose.bones}
    assert max(np.abs(np.subtract(after[name], before[name])).max() for name in before) < 1e-6
    assert human.pose.bones["thigh_parent.L"]["pole_vector"] == held


@pytest.mark.parametrize("controls", ["FK", "IK"])
def test_an_action_that_plays_makes_no_difference_to_reading(human, controls):
    """Neither a new Action nor one in the NLA gets between the poses that are read."""
    motion = sample_motion()
    human.animation_data.action = None

    def solved():
        options = RetargetOptions(controls=controls)
        return solver.solve(rig.read_rest(human, rig.check(human), options), motion, options)

    def assert_same(before):
        for channel, other in zip(solved(), before, strict=True):
            np.testing.assert_allclose(channel.values, other.values, atol=1e-4)

    before = solved()
    play(human, motion, "IK" if controls == "FK" else "FK")
    assert_same(before)
    bpy.context.scene.frame_set(60)
    assert_same(before)
    action = human.animation_data.action
    track = human.animation_data.nla_tracks.new()
    track.strips.new("playing", 1, action)
    human.animation_data.action = None
    try:
        bpy.context.scene.frame_set(90)
        assert_same(before)
    finally:
        human.animation_data.nla_tracks.remove(track)


def test_choice_is_offered(human):
    assert rig.offers_ik(human)


def driver(target, path, index=-1):
    curve = target.driver_add(path, index) if index >= 0 else target.driver_add(path)
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.targets[0].id = target
    variable.targets[0].data_path = "location.x"


def test_driven_controls_are_named_and_nothing_changes(human):
    path = 'pose.bones["hand_fk.L"].rotation_quaternion'
    driver(human, path, 1)
    try:
        with pytest.raises(Exception, match=r"drivers hold 'hand_fk\.L'.*Nothing was changed"):
            rig.read_rest(human, rig.check(human))
        rig.read_rest(human, rig.check(human), RetargetOptions(controls="IK"))  # gets no keys there
    finally:
        human.driver_remove(path, 1)


def test_a_missing_switch_is_named(human):
    holder = human.pose.bones["upper_arm_parent.R"]
    value = holder["IK_FK"]
    del holder["IK_FK"]
    try:
        with pytest.raises(Exception, match=r"'upper_arm_parent\.R' has no property 'IK_FK'"):
            rig.read_rest(human, rig.check(human))
    finally:
        holder["IK_FK"] = value
