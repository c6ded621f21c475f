# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions from a script: what comes back, what is kept, and the example of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402
from caption_actions import CAPTION, captions_in_file, of_a_camera, put, walks  # noqa: E402

from blender_addon import compat, headless  # noqa: E402
from blender_addon.captions import describe  # noqa: E402
from blender_addon.captions.strips import caption_of_strip  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


def test_all_actions_of_the_file_in_their_order(captions):
    walks(add_character(bpy.context), 3)
    of_a_camera()
    fractions = []
    found = headless.caption(count=2, on_progress=fractions.append)
    assert [one.name for one in found] == [action.name for action in bpy.data.actions]
    for one in found:
        assert one.action == bpy.data.actions[one.name]
        if one.name == "camera move":
            assert (one.text, one.tags) == ("", [])
            assert "camera 'Shot'" in one.problem
            continue
        assert one.problem == ""
        assert one.text == one.action[CAPTION]
        assert one.others == describe.lines_of(one.action, describe.OTHERS)
        assert one.tags == describe.lines_of(one.action, describe.TAGS)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert session.runs == []


def test_without_writing_the_file_stays_as_it_is(captions):
    target = add_character(bpy.context)
    action = put(target, walk(500).canonical(), "long")
    keys = set(action.keys())
    (found,) = headless.caption([action], write=False, rename=True, asset=True)
    assert found.text
    assert len(found.parts) > 1
    assert [part.start for part in found.parts] == sorted(part.start for part in found.parts)
    assert (action.name, set(action.keys()), action.asset_data) == ("long", keys, None)
    assert len(action.pose_markers) == 0


def test_strips_and_armatures(captions):
    target = add_character(bpy.context)
    action = put(target, walk(60).canonical(), "walk")
    found = headless.caption([target], rename=True)
    assert [(one.name, one.action) for one in found] == [("walk", action)]
    assert action.name == found[0].text[:63].rstrip()
    target.animation_data.action = None
    strip = compat.new_strip(target.animation_data.nla_tracks.new(), "slow", action)
    strip.scale = 2.0
    (slow,) = headless.caption([strip])
    assert slow.name == "slow"
    assert slow.text == caption_of_strip(strip)
    assert headless.caption([strip, target], write=False) == [slow], "the armature plays that strip"


def test_what_a_script_does_wrong_is_said(captions):
    with pytest.raises(UserError, match="no action to caption"):
        headless.caption()
    target = add_character(bpy.context)
    with pytest.raises(UserError, match="plays no animation"):
        headless.caption([target])
    with pytest.raises(UserError, match="is no armature"):
        headless.caption([next(item for item in bpy.data.objects if item.type == "MESH")])
    walks(target, 2)
    with pytest.raises(UserError, match="'POSE', 'TIMELINE' or 'NONE'"):
        headless.caption(markers="pose")
    assert all(one.problem for one in headless.caption(count=99))
    with pytest.raises(TimeoutError, match="of 2 captions"):
        headless.caption(timeout=0.0)
    assert session.runs == []
    assert captions_in_file() == {}


def test_the_example_of_the_documentation(captions, tmp_path, capsys):
    walks(add_character(bpy.context), 2)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    text = (REPOSITORY / "docs" / "captions.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- example: begin -->\n```python\n(.*?)```", text, re.DOTALL)
    installed = "bl_ext.user_default.motion_prompt"
    assert installed in code
    exec(compile(code.replace(installed, "blender_addon"), "caption_library.py", "exec"), {})
    printed = capsys.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "captioned.blend"))
    kept = captions_in_file()
    assert set(kept) == {"take 0", "take 1"}
    for name, sentence in kept.items():
        assert f"{name}: {sentence} [" in printed
        assert bpy.data.actions[name].asset_data.description == sentence
