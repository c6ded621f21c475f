# SPDX-License-Identifier: GPL-3.0-or-later
"""Where keys go: into the current Action or onto the NLA, and what they leave as it was."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, make_armature, rest_joints, walk  # noqa: E402

from blender_addon import apply, compat, headless, rig  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from blender_addon.sampling.clip import sample  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from blender_addon.writing import Writing  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402

KNEE = 'pose.bones["left_knee"].rotation_quaternion'


def place(target, start, **choices):
    return apply.Place(rig.Handle.of(target), bpy.context.scene.name, start, writing=Writing(**choices))


def merge(target, start, frames=21, blend=(0, 0), name="new", **choices):
    """Put a walk, which is 20 frames a second like the scene, into the current Action."""
    bpy.context.scene.render.fps = 20
    where = place(target, start, destination="CURRENT", blend=blend, **choices)
    return apply.write(where, [walk(frames)], name, is_first=True)


def keyed(target, bone, values, kind="BEZIER", prop="rotation_quaternion"):
    """Key a pose bone: frame -> value."""
    pose = target.pose.bones[bone]
    for frame, value in values.items():
        setattr(pose, prop, value)
        pose.keyframe_insert(prop, frame=frame)
    for curve in curves(target):
        if f'"{bone}"' in curve.data_path:
            for key in curve.keyframe_points:
                key.interpolation = kind


def curves(target):
    return compat.curves_on(target, target.animation_data.action)


def curve_of(target, path, index=0):
    return next(c for c in curves(target) if (c.data_path, c.array_index) == (path, index))


def sampled(target, path, frames, size=4):
    return np.array([[curve_of(target, path, i).evaluate(f) for i in range(size)] for f in frames])


def snapshot(curve):
    return [
        (*key.co, *key.handle_left, *key.handle_right, key.interpolation, key.handle_left_type, key.easing)
        for key in curve.keyframe_points
    ]


def about_x(degrees):
    return tuple(quat.from_axis_angle(np.radians([degrees, 0.0, 0.0])))


@pytest.fixture
def character(scene):
    """A character whose knee bends over a long time, with other animation all around it."""
    target = add_character(bpy.context)
    target.pose.bones["left_knee"].rotation_mode = "QUATERNION"
    keyed(target, "left_knee", {1: about_x(0), 40: about_x(70), 100: about_x(20), 160: about_x(50)})
    return target


@pytest.mark.parametrize("handles", ["AUTO_CLAMPED", "AUTO", "FREE", "VECTOR"])
@pytest.mark.parametrize("kind", ["BEZIER", "LINEAR", "CONSTANT"])
def test_the_curve_outside_the_range_keeps_its_shape(character, kind, handles):
    for curve in curves(character):
        for key in curve.keyframe_points:
            key.interpolation = kind
            key.handle_left_type = key.handle_right_type = handles
            if handles == "FREE":
                key.handle_right = (key.co.x + 15, key.co.y + 0.1)
        curve.update()
    outside = [*range(-5, 50), *range(71, 170)]
    before = sampled(character, KNEE, outside)
    merge(character, 50)
    after = sampled(character, KNEE, outside)
    assert np.abs(after - before).max() < 2e-5
    frames = [key.co.x for key in curve_of(character, KNEE).keyframe_points]
    assert frames == [1, 40, 49, *range(50, 71), 71, 100, 160]


def test_inside_the_range_the_new_motion_plays(character):
    merge(character, 50)
    inside = sampled(character, KNEE, range(50, 71))
    fresh = add_character(bpy.context)
    apply.write(place(fresh, 50), [walk(21)], "fresh", is_first=True)
    expected = sampled(fresh, KNEE, range(50, 71))
    assert np.abs(np.abs(np.sum(inside * expected, axis=-1)) - 1).max() < 1e-6


def test_keys_outside_and_curves_of_others_are_untouched(character):
    target = character
    keyed(target, "left_knee", {}, "LINEAR")
    for frame in range(30, 91):
        target.pose.bones["left_knee"].rotation_quaternion = about_x(frame)
        target.pose.bones["left_knee"].keyframe_insert("rotation_quaternion", frame=frame)
    keyed(target, "left_knee", {}, "LINEAR")
    target.pose.bones["left_knee"].scale = (1, 2, 1)
    target.pose.bones["left_knee"].keyframe_insert("scale", frame=60)
    target.location = (3, 0, 0)
    target.keyframe_insert("location", frame=60)
    target["power"] = 4.0
    target.keyframe_insert('["power"]', frame=61)
    mesh = target.children[0]
    mesh.shape_key_add(name="Basis")
    smile = mesh.shape_key_add(name="smile")
    smile.keyframe_insert("value", frame=60)
    others = {(c.data_path, c.array_index): snapshot(c) for c in curves(target) if c.data_path != KNEE}
    assert len(others) == 3 + 3 + 1
    knees = [snapshot(curve_of(target, KNEE, i)) for i in range(4)]
    keys_before = bpy.data.actions[mesh.data.shape_keys.animation_data.action.name].name
    face = snapshot(next(iter(compat.action_curves(bpy.data.actions[keys_before]))))
    name = target.animation_data.action.name
    merge(target, 50, blend=(5, 5))
    assert target.animation_data.action.name == name
    for (path, index), keys in others.items():
        assert snapshot(curve_of(target, path, index)) == keys
    for index, keys in enumerate(knees):
        now = snapshot(curve_of(target, KNEE, index))
        outside, expected = ([key for key in some if not 50 <= key[0] <= 70] for some in (now, keys))
        assert [key[:2] + key[6:] for key in outside] == [key[:2] + key[6:] for key in expected]
        # the handles next to the new keys have no part in straight lines; the others stay automatic, and Blender
        # smooths automatic handles along the whole curve
        handles = ([key[2:6] for key in some if key[0] not in (49, 71)] for some in (outside, expected))
        assert np.array(next(handles)) == pytest.approx(np.array(next(handles)), abs=1e-3)
    assert mesh.data.shape_keys.animation_data.action.name == keys_before
    assert snapshot(next(iter(compat.action_curves(bpy.data.actions[keys_before])))) == face


def test_blends_go_from_the_old_motion_to_the_new_one_and_back_by_slerp(character):
    frames = np.arange(50, 71)
    old = quat.normalize(sampled(character, KNEE, frames))
    fresh = add_character(bpy.context)
    bpy.context.scene.render.fps = 20
    apply.write(place(fresh, 50), [walk(21)], "fresh", is_first=True)
    new = sampled(fresh, KNEE, frames)
    result = merge(character, 50, blend=(8, 4))
    assert "Blended in over 8 frames and out over 4 frames." in result.report
    now = sampled(character, KNEE, frames)
    share = np.minimum(np.minimum(np.arange(21) / 8, 1), np.minimum(np.arange(21)[::-1] / 4, 1))
    expected = quat.slerp(old, new, share**2 * (3 - 2 * share))
    assert np.abs(np.abs(np.sum(now * expected, axis=-1)) - 1).max() < 1e-6


def test_signs_and_turns_meet_at_both_borders(scene):
    """Between frames, too, no bone whirls round because the same pose has another name there."""
    for mode, prop, first, last in (
        ("QUATERNION", "rotation_quaternion", tuple(-np.array(about_x(10))), about_x(12)),
        ("QUATERNION", "rotation_quaternion", about_x(10), tuple(-np.array(about_x(12)))),
        ("XYZ", "rotation_euler", (0.2 + 4 * np.pi, 0, 0), (0.2, 0, 0)),
        ("AXIS_ANGLE", "rotation_axis_angle", (-0.2, -1, 0, 0), (0.2, 1, 0, 0)),
    ):
        target = add_character(bpy.context)
        knee = target.pose.bones["left_knee"]
        knee.rotation_mode = mode
        keyed(target, "left_knee", {30: first, 49: first, 71: last, 90: last}, "CONSTANT", prop)
        merge(target, 50, blend=(6, 6))
        turns = []
        for step in range(48 * 8, 73 * 8):
            scene.frame_set(step // 8, subframe=step % 8 / 8)
            pose = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["left_knee"]
            turns.append(pose.matrix_basis.to_quaternion())
        steps = [turns[i].rotation_difference(turns[i + 1]).angle for i in range(len(turns) - 1)]
        assert max(min(s, 2 * np.pi - s) for s in steps) < np.radians(25), (mode, first)


def test_appended_motion_blends_in_and_holds_its_end(character):
    merge(character, 161, blend=(10, 10))
    frames = [key.co.x for key in curve_of(character, KNEE).keyframe_points]
    assert frames == [1, 40, 100, 160, *range(161, 182)]
    fresh = add_character(bpy.context)
    apply.write(place(fresh, 161), [walk(21)], "fresh", is_first=True)
    assert abs(sampled(character, KNEE, [181])[0] @ sampled(fresh, KNEE, [181])[0]) == pytest.approx(
        1, abs=1e-6
    )
    start, old_end = sampled(character, KNEE, [161, 160])
    assert abs(start @ old_end) == pytest.approx(1, abs=1e-6)


def test_bones_without_keys_keep_their_pose_outside(character):
    elbow = character.pose.bones["left_elbow"]
    elbow.rotation_mode = "QUATERNION"
    elbow.rotation_quaternion = about_x(33)
    merge(character, 50)
    path = 'pose.bones["left_elbow"].rotation_quaternion'
    assert sampled(character, path, [20, 49, 71, 150]) == pytest.approx(
        np.tile(about_x(33), (4, 1)), abs=1e-6
    )


def test_blends_longer_than_the_motion_are_shortened(character):
    result = merge(character, 50, frames=9, blend=(30, 10))
    assert "Blended in over 6 frames and out over 2 frames." in result.report


def body(target, frame):
    """Where the pelvis is over the ground and where the body faces (radians), in the world at a frame."""
    joints = sample(target, frames=[frame]).world_joints()[0]
    front = skeleton.facing(joints[None])[0]
    return joints[0, [0, 2]], np.arctan2(front[0], front[2])


def turned_away(target, root):
    """Give a character a walk of 30 frames that sets out to the side, by a turned armature or root bone."""
    bpy.context.scene.render.fps = 20
    options = RetargetOptions(root=root)
    turned = walk(30).placed(np.array([1.5, 0.0, -0.5]), 0.8)
    first = apply.Place(rig.Handle.of(target), bpy.context.scene.name, 1, options)
    apply.write(first, [turned], "first", is_first=True)
    return options


def root_bone(target, frame):
    """Matrix of the bone over all others at a frame, in armature space; nothing without one."""
    bpy.context.scene.frame_set(frame)
    return np.array(target.pose.bones["root"].matrix if "root" in target.pose.bones else 0.0)


def rooted():
    return make_armature(MIXAMO, rest_joints(), seed=4, under_root=True)


@pytest.mark.parametrize("root", ["HIPS", "ROOT_BONE", "OBJECT"])
@pytest.mark.parametrize(
    "make", [lambda: add_character(bpy.context), rooted], ids=["mannequin", "with a root bone"]
)
def test_a_merge_goes_on_from_where_the_action_has_the_character(scene, make, root):
    target = make()
    target.location, target.rotation_euler = (2.0, 1.0, 0.0), (0.0, 0.0, 0.4)
    bpy.context.view_layer.update()
    options = turned_away(target, root)
    bpy.context.scene.frame_set(25)
    place_before, facing_before = body(target, 25)
    root_before = root_bone(target, 25)
    on = Writing(destination="CURRENT", blend=(0, 0))
    apply.write(
        apply.Place(rig.Handle.of(target), scene.name, 25, options, on), [walk(20)], "second", is_first=True
    )
    place_after, facing_after = body(target, 25)
    assert np.linalg.norm(place_after - place_before) < 0.01
    assert abs(facing_after - facing_before) < 0.02
    assert np.abs(root_bone(target, 25) - root_before).max() < 0.02
    # and it goes on that way: the walk's own travel, turned
    travelled = body(target, 44)[0] - place_after
    assert np.linalg.norm(travelled) > 0.5
    assert abs(np.arctan2(*travelled) - facing_after) < 0.25


def test_a_merge_can_start_at_the_rigs_origin(character):
    turned_away(character, "HIPS")
    merge(character, 25, from_pose=False)
    place_after, facing_after = body(character, 25)
    assert np.linalg.norm(place_after) < 0.02 and abs(facing_after) < 0.02


def test_no_current_action_makes_a_new_one(scene):
    target = add_character(bpy.context)
    result = merge(target, 5, blend=(5, 5), name="fresh")
    assert result.actions == [target.animation_data.action.name] == ["fresh"]
    assert "Blended" not in result.report


def test_variations_are_copies_of_the_old_action(character):
    name = character.animation_data.action.name
    scene = bpy.context.scene
    scene.render.fps = 20
    before = sampled(character, KNEE, [20])
    motions = [walk(21), walk(31)]
    result = apply.write(place(character, 50, destination="CURRENT"), motions, "idea", is_first=True)
    assert result.actions == [name, "idea 2"]
    copy = bpy.data.actions["idea 2"]
    count = [len(curve_of(character, KNEE).keyframe_points)]
    compat.assign_action(character, copy)
    count.append(len(curve_of(character, KNEE).keyframe_points))
    assert count[1] == count[0] + 10
    assert sampled(character, KNEE, [20]) == pytest.approx(before)
    assert copy["motion_prompt"] == character.name


def test_an_action_names_the_licence_of_every_motion_in_it(character):
    bpy.context.scene.render.fps = 20
    credits = [("base 1.0", "CC-BY-3.0"), ("styles 1.0", "CC-BY-NC-4.0"), ("base 1.0", "CC-BY-3.0")]
    motions = [walk(21) for _ in credits]
    for motion, (bundle, licence) in zip(motions, credits, strict=True):
        motion.provenance = {"prompt": "a person walks", "bundle": bundle, "licence": licence}
    where = place(character, 50, destination="CURRENT")
    apply.write(where, motions[:1], "one", is_first=True)
    action = character.animation_data.action
    assert (action["bundle"], action["licence"]) == credits[0]
    apply.write(where, motions[1:], "two", is_first=True)
    both = "base 1.0; styles 1.0", "CC-BY-3.0; CC-BY-NC-4.0"
    assert (action["bundle"], action["licence"]) == both
    variation = bpy.data.actions["two 2"]
    assert (variation["bundle"], variation["licence"]) == credits[0], "a copy of what was there before"


def test_reduced_merge_stays_close_and_keeps_the_outside(character):
    outside = [*range(1, 50), *range(111, 160)]
    before = sampled(character, KNEE, outside)
    merge(character, 50, frames=61, blend=(10, 10), errors=(np.radians(0.5), 0.002))
    assert np.abs(sampled(character, KNEE, outside) - before).max() < 2e-5
    assert len(curve_of(character, KNEE).keyframe_points) < 40


def test_linked_action_is_refused(character, tmp_path):
    library = str(tmp_path / "library.blend")
    action = character.animation_data.action
    bpy.data.libraries.write(library, {action}, fake_user=True)
    character.animation_data.action = None
    bpy.data.actions.remove(action)
    with bpy.data.libraries.load(library, link=True) as (there, wanted):
        wanted.actions = there.actions
    compat.assign_action(character, bpy.data.actions[0])
    with pytest.raises(UserError, match="linked from another file"):
        merge(character, 50)


def test_merge_that_fails_half_way_leaves_the_action_as_it_was(character, monkeypatch):
    before = {(c.data_path, c.array_index): snapshot(c) for c in curves(character)}
    from blender_addon.curve_keys import CurveKeys

    count, write = [0], CurveKeys.write

    def stumble(self, curve):
        count[0] += 1
        if count[0] == 30:
            raise MemoryError
        write(self, curve)

    monkeypatch.setattr(CurveKeys, "write", stumble)
    with pytest.raises(MemoryError):
        merge(character, 50)
    assert {(c.data_path, c.array_index): snapshot(c) for c in curves(character)} == before


def test_action_shared_with_another_object_keeps_that_ones_curves(scene):
    if not compat.LAYERED:
        pytest.skip("before 4.4 an Action has no slots")
    first, second = add_character(bpy.context), add_character(bpy.context)
    keyed(first, "left_knee", {1: about_x(0), 100: about_x(50)})
    compat.assign_action(
        second, first.animation_data.action, first.animation_data.action.slots.new("OBJECT", "two")
    )
    before = {(c.data_path, c.array_index): snapshot(c) for c in curves(first)}
    merge(second, 20)
    assert {(c.data_path, c.array_index): snapshot(c) for c in curves(first)} == before
    assert len(curves(second)) == 22 * 4 + 3
    assert second.animation_data.action_slot.identifier == "OBtwo"


def test_switches_of_a_control_rig_go_back_outside(scene):
    """IK is on before and after, FK while the motion lasts."""
    from blender_addon import merge as merging
    from blender_addon import switches
    from blender_addon.retarget.channels import Channel

    target = add_character(bpy.context)
    target.pose.bones["left_knee"]["IK_FK"] = 0.0
    keyed(target, "left_knee", {1: about_x(0), 100: about_x(50)})
    channel = Channel("left_knee", "rotation_quaternion", np.tile(about_x(30), (11, 1)))
    plan = merging.plan(target, [channel], 40, (0, 0), list, {switches.custom("left_knee", "IK_FK"): 1.0})
    plan.write(compat.CurveWriter(target.animation_data.action, target))
    switch = curve_of(target, 'pose.bones["left_knee"]["IK_FK"]')
    assert [switch.evaluate(f) for f in (1, 39, 39.5, 40, 45, 50, 50.5, 51, 100)] == [
        0,
        0,
        0,
        1,
        1,
        1,
        1,
        0,
        0,
    ]


# --- NLA ------------------------------------------------------------------------------------------------


def strips(target):
    return [
        (track.name, [(s.name, s.frame_start, s.frame_end, s.action.name) for s in track.strips])
        for track in target.animation_data.nla_tracks
    ]


def test_strip_on_a_new_track_on_top_and_all_else_untouched(character):
    data = character.animation_data
    own = data.action.name
    below = bpy.data.actions.new("below")
    data.nla_tracks.new().strips.new("below", 3, below)
    before = strips(character)
    curves_before = {(c.data_path, c.array_index): snapshot(c) for c in curves(character)}
    bpy.context.scene.render.fps = 20
    result = apply.write(place(character, 30, destination="NLA"), [walk(21)], "a man waves", is_first=True)
    assert strips(character) == [*before, ("a man waves", [("a man waves", 30, 50, "a man waves")])]
    assert data.action.name == own
    assert {(c.data_path, c.array_index): snapshot(c) for c in curves(character)} == curves_before
    assert f"'{own}' plays over it" in result.report


def test_the_strip_really_animates_within_its_frames_only(scene):
    target = add_character(bpy.context)
    scene.render.fps = 20
    apply.write(place(target, 30, destination="NLA"), [walk(61)], "walk", is_first=True)
    assert target.animation_data.action is None
    depths = []
    for frame in (10, 30, 90, 100):
        scene.frame_set(frame)
        evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        depths.append(evaluated.pose.bones["pelvis"].head.y)
    assert depths[1] - depths[2] > 1.0
    if compat.LAYERED:
        assert target.animation_data.nla_tracks[0].strips[0].action_slot is not None


def test_muted_or_solo_is_said(scene):
    target = add_character(bpy.context)
    target.animation_data_create().use_nla = False
    where = place(target, 30, destination="NLA")
    assert "NLA of this armature is switched off" in apply.write(where, [walk(9)], "a", is_first=True).report
    target.animation_data.use_nla = True
    target.animation_data.nla_tracks[0].is_solo = True
    assert "another NLA track plays solo" in apply.write(where, [walk(9)], "b", is_first=True).report


def test_further_variations_are_takes(scene):
    target = add_character(bpy.context)
    where = place(target, 30, destination="NLA")
    result = apply.write(where, [walk(9), walk(9)], "idea", is_first=True)
    assert result.actions == ["idea 1", "idea 2"]
    assert [len(track.strips) for track in target.animation_data.nla_tracks] == [1]
    assert "1 more under Takes" in result.report


# --- the whole way --------------------------------------------------------------------------------------


def test_current_action_from_the_tab_in_one_undo_step(engine, run, scene):
    target = add_character(bpy.context)
    headless.generate("a person walks", duration=3, armature=target, start=1)
    bpy.ops.ed.undo_push(message="before")
    before = [snapshot(c) for c in curves(target)]
    scene.motion_prompt.writing.destination = "CURRENT"
    scene.frame_current = 20
    scene.motion_prompt.prompt, scene.motion_prompt.duration = "a person jumps", 1.0
    bpy.ops.motion_prompt.generate()
    run()
    assert len(bpy.data.actions) == 1
    assert [snapshot(c) for c in curves(target)] != before
    assert "20" in bpy.data.actions[0]["merged"][0]
    bpy.ops.ed.undo()
    target = bpy.data.objects["Mannequin"]
    assert [snapshot(c) for c in curves(target)] == before


def test_batch_puts_strips_one_after_another(engine, run, scene):
    target = add_character(bpy.context)
    scene.motion_prompt.writing.destination = "NLA"
    text = bpy.data.texts.new("prompts")
    text.write("a person walks | duration=1\na person runs | duration=1 | count=2\n")
    bpy.ops.motion_prompt.batch(text="prompts")
    run()
    ((name, found),) = strips(target)
    assert name == "a person walks"
    assert [s[0] for s in found] == ["a person walks", "a person runs 1", "a person runs 2"]
    assert all(b[1] == a[2] + 1 for a, b in itertools.pairwise(found))
    assert target.animation_data.action is None


def test_batch_does_not_merge(engine, run, scene):
    target = add_character(bpy.context)
    headless.generate("a person walks", duration=1, armature=target)
    scene.motion_prompt.writing.destination = "CURRENT"
    text = bpy.data.texts.new("prompts")
    text.write("a person walks | duration=1 | name=a\na person runs | duration=1 | name=b\n")
    bpy.ops.motion_prompt.batch(text="prompts")
    run()
    assert [action.name for action in bpy.data.actions] == ["a", "a person walks", "b"]
