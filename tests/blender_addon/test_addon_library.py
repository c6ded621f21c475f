# SPDX-License-Identifier: GPL-3.0-or-later
"""Search by words, and new motions from an action: with the real engine."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, make_armature, rest_joints, walk  # noqa: E402
from caption_actions import CAPTION, keyed, of_a_camera, put, walks  # noqa: E402

from blender_addon import compat  # noqa: E402
from blender_addon.captions import action_list, index_run  # noqa: E402
from blender_addon.captions.find import search  # noqa: E402
from blender_addon.captions.operators import cannot  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402

INDEX = index_run.PROPERTY


def index():
    return {action.name: action[INDEX] for action in bpy.data.actions if INDEX in action}


def test_words_rank_the_actions(captions, run):
    target = add_character(bpy.context)
    actions = walks(target, 10)
    of_a_camera()
    captions.find = "a person walks"
    run()
    assert search.note == ""
    assert set(index()) == {action.name for action in actions}
    assert set(search.scores) == {action.session_uid for action in actions}
    assert all(0 <= score <= 1 for score in search.scores.values())
    assert search.vector is not None
    assert np.linalg.norm(search.vector) == pytest.approx(1, abs=1e-3)
    every = list(bpy.data.actions)
    places = action_list.places(every)
    assert sorted(places) == list(range(11))
    ranked = sorted(every, key=lambda action: places[every.index(action)])
    assert ranked[-1].name == "camera move"
    scores = [search.scores[action.session_uid] for action in ranked[:-1]]
    assert scores == sorted(scores, reverse=True)
    assert session.status.kind != "ERROR"
    captions.find = ""
    assert search.scores == {}


def test_only_what_changed_is_read_again(captions, run):
    target = add_character(bpy.context)
    actions = walks(target, 3)
    captions.find = "jump"
    run()
    first = index()
    read = []
    captions.find = "jumps"
    (again,) = (one for one in session.runs if isinstance(one, index_run.IndexRun))
    run(lambda: read.append(again._reading is not None) or False)
    assert index() == first
    assert not any(read)
    curve = next(c for c in compat.action_curves(actions[1]) if "left_shoulder" in c.data_path)
    for point in curve.keyframe_points:
        point.co[1] += 0.5
    curve.update()
    captions.find = "jump"
    run()
    assert {name for name, value in index().items() if value != first[name]} == {"take 1"}


def test_the_index_outlives_the_file(captions, run, tmp_path):
    target = add_character(bpy.context)
    walks(target, 2)
    captions.find = "jump"
    run()
    kept, scores = index(), sorted(search.scores.values())
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert search.text == ""
    index_run.entries.clear()
    captions = bpy.context.scene.motion_prompt.captions
    captions.find = "jump"
    run()
    assert index() == kept
    assert sorted(search.scores.values()) == pytest.approx(scores, abs=1e-3)


def test_typing_goes_on_while_the_engine_works(captions, run):
    walks(add_character(bpy.context), 2, 30)
    for text in ("s", "so", "som", "someone", "someone sits"):
        captions.find = text
    run()
    assert search.text == "someone sits"
    late = search.vector
    captions.find = ""
    captions.find = "someone sits"
    run()
    np.testing.assert_allclose(search.vector, late, atol=1e-4)


def test_a_click_gives_the_action_to_the_armature_that_it_fits(captions, scene):
    target = add_character(bpy.context)
    first, second = walks(target, 2)
    of_a_camera()
    bpy.ops.ed.undo_push(message="before")
    captions.picked = bpy.data.actions.find(first.name)
    assert target.animation_data.action == first
    if compat.LAYERED:
        assert target.animation_data.action_slot is not None
    bpy.ops.ed.undo_push(message="click")
    bpy.ops.ed.undo()
    target, second = bpy.data.objects["Mannequin"], bpy.data.actions["take 1"]
    assert target.animation_data.action == second
    captions = bpy.context.scene.motion_prompt.captions
    captions.picked = bpy.data.actions.find("camera move")
    assert captions.picked == bpy.data.actions.find("camera move")
    assert target.animation_data.action == second
    other = make_armature(MIXAMO, rest_joints())
    captions.picked = bpy.data.actions.find("take 0")
    assert other.animation_data is None
    assert "other bones" in session.status.text
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    captions.picked = bpy.data.actions.find("take 0")
    assert target.animation_data.action.name == "take 0"


def test_an_edited_sentence_makes_a_take_of_the_same_length_on_the_same_rig(captions, run, scene):
    target = make_armature(MIXAMO, rest_joints())
    action = put(target, walk(60).canonical(), "walk")
    assert not bpy.ops.motion_prompt.edit_caption.poll()
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert bpy.ops.motion_prompt.edit_caption() == {"FINISHED"}
    settings = scene.motion_prompt
    assert settings.prompt == action[CAPTION]
    assert settings.duration == pytest.approx(59 / 20)
    settings.prompt = "a person jumps"
    bpy.ops.motion_prompt.generate()
    run()
    made = target.animation_data.action
    assert made.name == "a person jumps", session.status
    assert made.frame_range[1] - made.frame_range[0] == pytest.approx(59, abs=2)


def test_variations_of_the_selected_action(captions, run, scene):
    target = add_character(bpy.context)
    action = put(target, walk(60).canonical(), "walk")
    action[CAPTION] = "a person walks"
    scene.motion_prompt.count = 2
    captions.strength = 0.3
    assert bpy.ops.motion_prompt.variation() == {"FINISHED"}
    run()
    assert session.status.kind == "DONE", session.status
    made = [other for other in bpy.data.actions if other != action]
    assert [other.name for other in made] == ["walk variation 1", "walk variation 2"]
    assert target.animation_data.action == made[0]
    assert all(other.frame_range[1] == pytest.approx(60, abs=2) for other in made)
    assert action.name == "walk"


def test_what_cannot_be_varied_is_said(captions, run):
    target = add_character(bpy.context)
    target.animation_data_create()
    keyed(target, "pose", {1: 0.0})
    captions.picked = 0
    bpy.ops.motion_prompt.variation()
    run()
    assert "'pose' has one frame" in session.status.text
    put(target, walk(400).canonical(), "long")
    captions.picked = bpy.data.actions.find("long")
    bpy.ops.motion_prompt.variation()
    run()
    assert session.status.kind == "ERROR"
    assert "20.0 s long" in session.status.text
    assert len(bpy.data.actions) == 2


def test_surprise_brings_its_own_name(captions, run):
    assert bpy.ops.motion_prompt.surprise() == {"FINISHED"}
    run()
    assert session.status.kind == "DONE", session.status
    (action,) = bpy.data.actions
    assert action["prompt"]
    assert action.name == " ".join(action["prompt"].split()).encode()[:63].decode(errors="ignore").rstrip()


def test_a_model_that_cannot_says_so(scene):
    plain = {
        "name": "plain", "title": "Plain", "licence": "CC0", "commercial": True, "own": False, "default": True,
        "samplers": [], "tasks": ["text_to_motion"], "fps": 20, "max_duration": 9.8,
    }  # fmt: skip
    session.health = {"bundles": [plain]}
    walks(add_character(bpy.context), 1, 30)
    text = cannot("motion_to_text", "describe motions")
    assert text == "The model 'Plain' cannot describe motions. Add a model that can, under Advanced."
    for operator in ("caption", "surprise", "variation"):
        assert not getattr(bpy.ops.motion_prompt, operator).poll()
    able = {**plain, "name": "able", "title": "Able", "default": False, "tasks": ["motion_to_text"]}
    session.health = {"bundles": [plain, able]}
    assert cannot("motion_to_text", "describe motions") == ""
    scene.motion_prompt.bundle = "plain"
    assert "Choose 'Able' under Advanced > Model." in cannot("motion_to_text", "describe motions")


def test_names_and_captions_are_searched_until_the_model_answers_and_where_it_cannot(captions, scene):
    walks(add_character(bpy.context), 2, 30)
    bpy.data.actions["take 1"][CAPTION] = "someone waves"
    captions.find = "take waves"
    scores = {action.name: search.scores[action.session_uid] for action in bpy.data.actions}
    assert scores == {"take 0": 0.5, "take 1": 1.0}
    session.end_runs()
