# SPDX-License-Identifier: GPL-3.0-or-later
"""From actions to sentences in them, with the real engine."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, make_armature, rest_joints, walk  # noqa: E402
from caption_actions import CAPTION, captions_in_file, keyed, of_a_camera, put, walks  # noqa: E402

from blender_addon import compat  # noqa: E402
from blender_addon.captions import describe  # noqa: E402
from blender_addon.captions.operators import running  # noqa: E402
from blender_addon.captions.strips import caption_of_strip  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402


def curves(action):
    """All that the curves of an action hold."""
    found = {}
    for curve in compat.action_curves(action):
        points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", points)
        found[curve.data_path, curve.array_index] = points.tolist()
    return found


def test_a_library_in_one_undo_step_and_nothing_else_changed(captions, run, scene):
    target = add_character(bpy.context)
    actions = walks(target, 11)
    before = [curves(action) for action in actions]
    scene.frame_set(7)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion_prompt.caption(what="TICKED") == {"FINISHED"}
    fractions = []
    run(lambda: fractions.append(running().fraction if running() else 1.0))
    assert session.status.text == "11 of 11 actions captioned.", session.status
    assert len(captions_in_file()) == 11
    assert all(text.strip() for text in captions_in_file().values())
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 2  # how many are seen between depends on the machine
    assert [curves(action) for action in actions] == before
    assert target.animation_data.action == actions[-1]
    assert (scene.frame_current, len(bpy.data.scenes), len(bpy.data.objects)) == (7, 1, 2)
    bpy.ops.ed.undo()
    assert captions_in_file() == {}
    assert len(bpy.data.actions) == 11
    bpy.ops.ed.redo()
    assert len(captions_in_file()) == 11


def test_what_has_no_caption_is_named_and_the_others_go_on(captions, run, scene):
    target = add_character(bpy.context)
    walks(target, 2)
    keyed(target, "still", {1: 0.0, 60: 0.0})
    keyed(target, "pose", {1: 0.1})
    keyed(target, "hour", {1: 0.0, 72_001: 0.5})
    keyed(target, "broken", {1: 0.0, 20: float("nan"), 40: 0.2})
    bpy.data.actions.new("empty")
    of_a_camera()
    stranger = make_armature(lambda name: f"x_{name}", rest_joints())
    keyed(stranger, "foreign", {1: 0.0, 60: 0.5})
    for curve in compat.action_curves(bpy.data.actions["foreign"]):
        curve.data_path = 'pose.bones["tentacle"].location'
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    assert set(captions_in_file()) == {"take 0", "take 1"}
    expected = {
        "still": "Nothing moves",
        "pose": "one frame",
        "hour": "60 minutes",
        "broken": "NaN",
        "empty": "has no keys",
        "camera move": "camera 'Shot'",
        "foreign": "'tentacle', which no armature",
    }
    assert set(describe.problems) == set(expected)
    for name, words in expected.items():
        assert words in describe.problems[name]
        assert f"'{name}'" in describe.problems[name]
    assert session.status.kind == "ERROR"
    assert session.status.text.startswith("2 of 9 actions captioned. ")
    assert "6 more" in session.status.text


def test_a_rig_without_arms_says_what_is_missing(captions, run):
    target = make_armature(MIXAMO, rest_joints())
    action = put(target, walk(40).canonical(), "walk")
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in [bone for bone in target.data.edit_bones if "Arm" in bone.name or "Hand" in bone.name]:
        target.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert CAPTION not in action
    assert "'walk'" in session.status.text
    assert "arm" in session.status.text.lower()


def test_the_armature_whose_bones_an_action_moves_is_found(captions, run):
    first = make_armature(MIXAMO, rest_joints())
    action = put(first, walk(40).canonical(), "walk")
    first.animation_data_clear()
    add_character(bpy.context)  # selected, but of other bones
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    assert action[CAPTION], session.status
    assert first.animation_data is None or first.animation_data.action is None


def test_names_assets_and_tags(captions, run):
    target = add_character(bpy.context)
    actions = walks(target, 3)
    actions[0].asset_mark()
    actions[0].asset_data.tags.new("mine")
    captions.rename = captions.asset = True
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    names = [action.name for action in actions]
    assert len(set(names)) == 3
    for action in actions:
        assert len(action.name.encode()) <= 63
        assert action.name.startswith(action[CAPTION][:20])
        assert action.asset_data.description == action[CAPTION]
        tags = {tag.name for tag in action.asset_data.tags} - {"mine"}
        assert tags == set(describe.lines_of(action, describe.TAGS))
    assert "mine" in actions[0].asset_data.tags
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    assert [action.name for action in actions] == names
    captions.rename = captions.asset = False
    plain = put(target, walk(30).canonical(), "plain")
    captions_before = plain.asset_data
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert (plain.name, captions_before, plain.asset_data) == ("plain", None, None)


def test_another_sentence_can_be_chosen(captions, run):
    target = add_character(bpy.context)
    action = put(target, walk(40).canonical(), "walk")
    captions.count, captions.rename = 5, True
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    best, others = action[CAPTION], describe.lines_of(action, describe.OTHERS)
    assert others
    assert best not in others
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion_prompt.choose_caption(index=0) == {"FINISHED"}
    assert action[CAPTION] == others[0]
    assert best in describe.lines_of(action, describe.OTHERS)
    assert action.name.startswith(others[0][:20])


@pytest.mark.parametrize("where", ["POSE", "TIMELINE", "NONE"])
def test_parts_of_a_long_clip_become_markers(captions, run, scene, where):
    target = add_character(bpy.context)
    action = put(target, walk(500).canonical(), "long")
    captions.markers = where
    for _ in range(2):  # the second time the first markers give way
        bpy.ops.motion_prompt.caption(what="SELECTED")
        run()
        assert action[CAPTION], session.status
        holder = scene.timeline_markers if where == "TIMELINE" else action.pose_markers
        if where == "NONE":
            assert not len(scene.timeline_markers)
            assert not len(action.pose_markers)
            continue
        frames = [marker.frame for marker in holder]
        assert len(set(frames)) == len(frames) >= 3
        assert min(frames) == 1
        assert max(frames) < 500
        assert all(len(marker.name.encode()) <= 63 and marker.name for marker in holder)


def test_strips_of_the_nla(captions, run, scene):
    target = add_character(bpy.context)
    action = put(target, walk(60).canonical(), "walk")
    target.animation_data.action = None
    strip = compat.new_strip(target.animation_data.nla_tracks.new(), "strip", action)
    strip.scale = 2.0
    captions.rename = True
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert session.status.kind == "DONE", session.status
    assert strip.name == caption_of_strip(strip)[:63].rstrip()
    assert CAPTION not in action, "at half its speed it is another motion"
    assert action.name == "walk"


def test_cancel_keeps_what_is_done_in_one_step(captions, run):
    target = add_character(bpy.context)
    walks(target, 20, 30)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion_prompt.caption(what="TICKED")
    mine = running()
    run(lambda: bool(mine.found))
    assert bpy.ops.motion_prompt.caption_cancel() == {"FINISHED"}
    done = len(captions_in_file())
    assert 0 < done < 20
    assert f"{done} of 20 actions captioned." in session.status.text
    assert session.runs == []
    bpy.ops.ed.undo()
    assert captions_in_file() == {}


def test_what_is_deleted_or_undone_meanwhile(captions, run):
    target = add_character(bpy.context)
    walks(target, 10, 30)
    bpy.ops.ed.undo_push(message="before")
    target.location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.motion_prompt.caption(what="TICKED")
    mine = running()
    run(lambda: mine._at >= 2)
    bpy.data.actions.remove(bpy.data.actions["take 9"])
    bpy.data.actions.remove(bpy.data.actions["take 0"])
    bpy.ops.ed.undo_push(message="removed")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    run()
    assert len(bpy.data.actions) == 10
    assert len(captions_in_file()) + len(describe.problems) == 10
    assert len(captions_in_file()) >= 8
    assert all(name in {"take 0", "take 9"} for name in describe.problems)


def test_another_file_ends_it(captions, run):
    target = add_character(bpy.context)
    walks(target, 10, 30)
    bpy.ops.motion_prompt.caption(what="TICKED")
    mine = running()
    run(lambda: mine._at >= 2)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    run()
    assert session.runs == []
    assert len(bpy.data.actions) == 0


def test_nothing_to_caption_is_said(captions):
    assert bpy.ops.motion_prompt.caption(what="TICKED") == {"CANCELLED"}
    assert "No action is ticked" in session.status.text
    assert bpy.ops.motion_prompt.caption(what="SELECTED") == {"CANCELLED"}
    assert "Select an armature" in session.status.text
    target = add_character(bpy.context)
    assert bpy.ops.motion_prompt.caption(what="SELECTED") == {"CANCELLED"}
    assert f"'{target.name}' plays no animation" in session.status.text
    keyed(target, "some", {1: 0.0, 9: 1.0})
    bpy.ops.motion_prompt.tick(which="NONE")
    assert bpy.ops.motion_prompt.caption(what="TICKED") == {"CANCELLED"}


def test_linked_actions_are_left_alone(captions, run, tmp_path):
    target = add_character(bpy.context)
    walks(target, 1)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.actions = ["take 0"]
    add_character(bpy.context)
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    assert "linked from another file" in session.status.text
    assert captions_in_file() == {}
