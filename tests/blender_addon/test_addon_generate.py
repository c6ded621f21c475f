# SPDX-License-Identifier: GPL-3.0-or-later
"""From the Generate button to keys, with the real engine."""

from __future__ import annotations

import os
import sys
import time

import pytest

bpy = pytest.importorskip("bpy")

import psutil  # noqa: E402
from addon_rigs import MIXAMO, a_pose, make_armature, rest_joints  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import headless  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import pump, session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402

LONG_JOB = {"sampler": "mld", "steps": 100, "count": 32, "duration": 9.8}


def settings(**values):
    for name, value in values.items():
        setattr(bpy.context.scene.motion_prompt, name, value)


def started(session=session):
    """Whether the engine has begun to compute."""
    return session.progress > 0


def counts():
    return [
        len(getattr(bpy.data, kind)) for kind in ("objects", "actions", "armatures", "meshes", "materials")
    ]


def test_prompt_becomes_keys_on_a_new_character(engine, run, scene):
    scene.frame_current = 10
    settings(prompt="a person walks forward", duration=3.0, seed=7)
    assert bpy.ops.motion_prompt.generate() == {"FINISHED"}
    assert counts() == [0, 0, 0, 0, 0]
    run()
    assert session.status.kind == "DONE", session.status
    target = bpy.context.view_layer.objects.active
    action = target.animation_data.action
    assert action.name == "a person walks forward"
    assert (action["prompt"], action["seed"]) == ("a person walks forward", 7)
    assert action["bundle"]
    assert action.frame_range[0] == 10
    assert action.frame_range[1] == pytest.approx(10 + 3 * 24, abs=2)


def test_a_take_that_misses_its_words_says_so(engine, run, scene):
    settings(prompt="a person jumps ten times", duration=2.0, tries=2)
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "DONE", session.status
    assert session.status.text.endswith("It misses some of the words: jumps 10 times.")
    (action,) = bpy.data.actions
    assert list(action["unmet"]) == ["jumps 10 times"] and action["draws"] == 2
    settings(prompt="a dog barks at the moon")
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.text.endswith("It may show something else: the model knows little of this.")
    settings(prompt="a person walks forward", tries=0)
    bpy.ops.motion_prompt.generate()
    run()
    assert "misses" not in session.status.text and "may show" not in session.status.text, session.status


def test_bundles_and_their_licences_become_known(engine, run, scene):
    session.stop()
    session.restart_engine()
    deadline = time.monotonic() + 120
    while not session.health and time.monotonic() < deadline:
        pump()
        time.sleep(0.01)
    assert session.status.text == "The engine is ready."
    names = [bundle["name"] for bundle in session.health["bundles"]]
    assert all(bundle["licence"] for bundle in session.health["bundles"])
    scene.motion_prompt.bundle = names[0]
    headless.generate("a person walks", duration=1)
    assert bpy.data.actions[0]["bundle"].startswith(names[0])


def test_variations_on_a_selected_mixamo_rig_are_takes(engine, run, scene):
    target = make_armature({k: f"mixamorig:{v}" for k, v in MIXAMO.items()}, a_pose(rest_joints()))
    settings(prompt="a person waves", count=3, seed=1)
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "DONE", session.status
    assert len(bpy.data.objects) == 1
    assert [action.name for action in bpy.data.actions] == [f"a person waves {n}" for n in (1, 2, 3)]
    assert [action["seed"] for action in bpy.data.actions] == [1, 2, 3]
    assert target.animation_data.action.name == "a person waves 1"
    assert scene.motion_prompt.take == 0
    scene.motion_prompt.take = 2
    assert target.animation_data.action.name == "a person waves 3"
    assert scene.motion_prompt.take == 2


def test_mesh_of_the_character_stands_for_its_armature(engine, run, scene):
    rig = add_character(bpy.context)
    rig.select_set(False)
    mesh = rig.children[0]
    mesh.select_set(True)
    bpy.context.view_layer.objects.active = mesh
    settings(prompt="a person jumps")
    bpy.ops.motion_prompt.generate()
    run()
    assert rig.animation_data.action.name == "a person jumps"
    assert len(bpy.data.armatures) == 1


def test_library_override_takes_the_keys(engine, run, scene, tmp_path):
    add_character(bpy.context)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.objects = ["Mannequin"]
    override = bpy.data.objects["Mannequin"].override_create(remap_local_usages=True)
    bpy.context.scene.collection.objects.link(override)
    override.select_set(True)
    bpy.context.view_layer.objects.active = override
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "DONE", session.status
    assert override.animation_data.action.name == "a person walks"
    assert override.animation_data.action.library is None


def test_keys_that_cannot_be_written_leave_nothing(engine, run, scene, monkeypatch):
    target = add_character(bpy.context)
    settings(prompt="a person walks", count=2)

    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("blender_addon.keyframes.assign", refuse)
    bpy.ops.motion_prompt.generate()
    run()
    assert "not enough memory" in session.status.text
    assert len(bpy.data.actions) == 0
    assert target.animation_data is None or target.animation_data.action is None


def test_engine_in_another_python(engine, scene, monkeypatch):
    session.stop()
    monkeypatch.setenv("MOTION_PROMPT_ENGINE_PYTHON", sys.executable)
    headless.generate("a person walks", duration=1)
    assert session.status.kind == "DONE"
    session.stop()


def test_one_undo_step(engine, run, scene):
    settings(prompt="a person walks")
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion_prompt.generate()
    run()
    assert len(bpy.data.actions) == 1
    bpy.ops.ed.undo()
    assert counts() == [0, 0, 0, 0, 0]
    bpy.ops.ed.redo()
    assert len(bpy.data.actions) == 1
    assert bpy.context.scene.objects[0].animation_data.action is not None


def test_same_seed_same_keys(engine, scene):
    first, second = (headless.generate("a person walks", seed=5, duration=2)[0] for _ in range(2))
    from blender_addon.compat import action_curves

    for a, b in zip(action_curves(first), action_curves(second), strict=True):
        assert [key.co.y for key in a.keyframe_points] == pytest.approx(
            [key.co.y for key in b.keyframe_points]
        )


def test_progress_and_cancel_stop_the_computation(engine, run, scene):
    settings(prompt="a person walks", **LONG_JOB)
    bpy.ops.motion_prompt.generate()
    run(started)
    assert 0 < session.progress < 1
    bpy.ops.motion_prompt.cancel()
    assert session.task is None
    assert "Cancelled" in session.status.text
    assert counts() == [0, 0, 0, 0, 0]
    # the engine is free at once: a short job does not wait for the long one
    settings(sampler="AUTO", steps=0, count=1, duration=1.0)
    began = time.monotonic()
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "DONE"
    assert time.monotonic() - began < 10


def test_engine_killed_in_mid_run_is_restarted_with_a_message(engine, run, scene):
    settings(prompt="a person walks", **LONG_JOB)
    bpy.ops.motion_prompt.generate()
    run(started)
    killed = session.worker.engine_pid
    psutil.Process(killed).kill()
    run()
    assert session.status.kind == "ERROR"
    assert "ended in the middle of the job" in session.status.text
    assert "Nothing was changed" in session.status.text
    assert session.status.fixes[0].operator == "motion_prompt.generate"
    assert counts() == [0, 0, 0, 0, 0]
    settings(sampler="AUTO", steps=0, count=1, duration=1.0)
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "DONE"
    assert session.worker.engine_pid not in (None, killed)


def test_engine_killed_while_idle_is_started_again(engine, run, scene):
    headless.generate("a person walks", duration=1)
    psutil.Process(session.worker.engine_pid).kill()
    headless.generate("a person walks", duration=1)
    assert session.status.kind == "DONE"


def test_armature_deleted_in_mid_run(engine, run, scene):
    target = add_character(bpy.context)
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    bpy.data.objects.remove(target)
    run()
    assert session.status.kind == "ERROR"
    assert "was deleted" in session.status.text
    assert len(bpy.data.actions) == 0
    fix = session.status.fixes[0]
    bpy.ops.motion_prompt.place_again(**fix.properties)
    assert session.status.kind == "DONE"
    assert bpy.context.view_layer.objects.active.animation_data.action.name == "a person walks"


def test_edit_mode_entered_in_mid_run(engine, run, scene):
    target = add_character(bpy.context)
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    bpy.ops.object.mode_set(mode="EDIT")
    run()
    assert "Edit Mode" in session.status.text
    leave, place = session.status.fixes
    assert leave.operator == "object.mode_set"
    bpy.ops.object.mode_set(**leave.properties)
    assert place.operator == "motion_prompt.place_again"
    bpy.ops.motion_prompt.place_again()
    assert target.animation_data.action.name == "a person walks"


def test_armature_renamed_in_mid_run(engine, run, scene):
    target = add_character(bpy.context)
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    target.name = "Hero"
    run()
    assert target.animation_data.action is not None


def test_undo_in_mid_run(engine, run, scene):
    bpy.ops.ed.undo_push(message="start")
    target = add_character(bpy.context)
    bpy.ops.ed.undo_push(message="add")
    target.location.x = 2
    bpy.ops.ed.undo_push(message="move")
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    bpy.ops.ed.undo()
    run()
    assert session.status.kind == "DONE", session.status
    assert bpy.data.objects["Mannequin"].animation_data.action is not None


def test_another_file_opened_in_mid_run(engine, run, scene):
    settings(prompt="a person walks", **LONG_JOB)
    bpy.ops.motion_prompt.generate()
    run(started)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert session.task is None
    assert "another file was opened" in session.status.text
    run()
    assert counts() == [0, 0, 0, 0, 0]


def test_a_new_prompt_replaces_the_running_one(engine, run, scene):
    settings(prompt="a person walks", **LONG_JOB)
    bpy.ops.motion_prompt.generate()
    run(started)
    settings(prompt="a person jumps", sampler="AUTO", steps=0, count=1, duration=1.0)
    bpy.ops.motion_prompt.generate()
    run()
    assert [action.name for action in bpy.data.actions] == ["a person jumps"]


def test_2000_words_are_refused_with_a_sentence(engine, run, scene):
    settings(prompt="walk and " * 1000)
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "ERROR"
    assert "500" in session.status.text or "long" in session.status.text
    assert counts() == [0, 0, 0, 0, 0]


def test_headless_raises_what_the_tab_would_show(engine, scene):
    with pytest.raises(UserError, match="empty"):
        headless.generate("  ")
    with pytest.raises(UserError):
        headless.generate("a person walks", sampler="no such sampler")


def test_disabling_the_addon_ends_the_engine(engine, scene):
    headless.generate("a person walks", duration=1)
    engine_pid = session.worker.engine_pid
    assert psutil.pid_exists(engine_pid)
    blender_addon.unregister()
    try:
        assert not psutil.pid_exists(engine_pid)
        assert not hasattr(bpy.types.Scene, "motion_prompt")
    finally:
        blender_addon.register()
    headless.generate("a person walks", duration=1)
    assert session.status.kind == "DONE"


def test_restart_button(engine, run, scene):
    headless.generate("a person walks", duration=1)
    before = session.worker.engine_pid
    bpy.ops.motion_prompt.restart_engine()
    headless.generate("a person walks", duration=1)
    assert session.worker.engine_pid != before
    assert not psutil.pid_exists(before)


def test_engine_that_cannot_start_says_so(scene, run, monkeypatch):
    session.stop()
    monkeypatch.setenv("MOTION_PROMPT_ENGINE_PYTHON", os.devnull)
    settings(prompt="a person walks")
    bpy.ops.motion_prompt.generate()
    run()
    assert session.status.kind == "ERROR"
    assert "could not be started" in session.status.text
    assert session.status.fixes[0].operator == "motion_prompt.restart_engine"
    session.stop()
