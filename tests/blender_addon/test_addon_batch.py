# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch: one action a line, bad lines reported, the rest made."""

from __future__ import annotations

import pytest

bpy = pytest.importorskip("bpy")

from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402

LINES = """# my library
a man sits down | duration=2 | seed=5 | count=2 | name=sit
someone waves | duration=1
a person walks | duration=never
a person jumps | duration=1 | nmae=jump
a person kicks | duration=1 | name=歩く
"""


def test_text_of_the_file(engine, run, scene):
    target = add_character(bpy.context)
    text = bpy.data.texts.new("prompts")
    text.write(LINES)
    assert bpy.ops.motion_prompt.batch(text="prompts") == {"FINISHED"}
    fractions = []
    run(lambda: fractions.append(session.progress) or False)
    assert [action.name for action in bpy.data.actions] == ["sit 1", "sit 2", "someone waves", "歩く"]
    assert [action["seed"] for action in bpy.data.actions] == [5, 6, 0, 0]
    assert all(action.use_fake_user for action in bpy.data.actions)
    assert target.animation_data.action.name == "sit 1"
    assert fractions == sorted(fractions)
    assert session.status.kind == "ERROR"
    assert "4 actions made" in session.status.text
    assert "Line 4" in session.status.text
    assert "1 more" in session.status.text
    assert session.status.fixes[0].operator == "motion_prompt.open_text"


def test_file_on_disk_onto_a_new_character_in_one_undo_step(engine, run, scene, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa person walks | duration=1\r\na person runs | duration=1\r\n".encode())
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion_prompt.batch(filepath=str(path))
    run()
    assert session.status.kind == "DONE", session.status
    assert [action.name for action in bpy.data.actions] == ["a person runs", "a person walks"]
    assert len(bpy.data.armatures) == 1
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == len(bpy.data.armatures) == 0


def test_a_line_that_the_engine_refuses_does_not_stop_the_rest(engine, run, scene):
    text = bpy.data.texts.new("prompts")
    text.write(f"a person walks | duration=99 | name=too long\n{'walk ' * 200}\na person runs | duration=1\n")
    bpy.ops.motion_prompt.batch(text="prompts")
    run()
    assert [action.name for action in bpy.data.actions] == ["a person runs"]
    assert "2 lines failed: 'too long'" in session.status.text


def test_cancel_keeps_what_is_made(engine, run, scene):
    text = bpy.data.texts.new("prompts")
    text.write("a person walks | duration=1\n" + "a person runs | sampler=mld | steps=100 | count=32\n" * 3)
    bpy.ops.motion_prompt.batch(text="prompts")
    run(lambda: len(bpy.data.actions) > 0)
    bpy.ops.motion_prompt.cancel()
    run()
    assert [action.name for action in bpy.data.actions] == ["a person walks"]
    assert "1 action made before" in session.status.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no prompt"),
        (b"# nothing\n", "no prompt"),
        (b"a | b\n", "Line 1"),
        (b"\xff\x00\xfa\x80walk", "UTF-8"),
    ],
)
def test_files_without_a_prompt(scene, tmp_path, content, sentence):
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    assert bpy.ops.motion_prompt.batch(filepath=str(path)) == {"CANCELLED"}
    assert sentence in session.status.text


def test_sources_that_are_not_there(scene, tmp_path):
    assert bpy.ops.motion_prompt.batch(filepath=str(tmp_path / "no.txt")) == {"CANCELLED"}
    assert "cannot be read" in session.status.text
    assert bpy.ops.motion_prompt.batch(text="gone") == {"CANCELLED"}
    assert "no text 'gone'" in session.status.text
    assert bpy.ops.motion_prompt.batch() == {"CANCELLED"}
    assert "Choose a text or a file" in session.status.text
