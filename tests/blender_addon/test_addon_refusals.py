# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a clear sentence, a button that helps, and nothing changed. No engine is started for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, make_armature, rest_joints  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402


def refused(prompt="a person walks"):
    """Press Generate; the sentence and its buttons."""
    bpy.context.scene.motion_prompt.prompt = prompt
    before = [item.name for item in (*bpy.data.objects, *bpy.data.actions)]
    assert bpy.ops.motion_prompt.generate() == {"CANCELLED"}
    assert session.task is None
    assert [item.name for item in (*bpy.data.objects, *bpy.data.actions)] == before
    assert session.status.kind == "ERROR"
    return session.status.text, [fix.operator for fix in session.status.fixes]


@pytest.mark.parametrize("prompt", ["", "   ", "\t"])
def test_empty_prompt(scene, prompt):
    assert "empty" in refused(prompt)[0]


def test_armature_without_legs(scene):
    target = make_armature(MIXAMO, rest_joints())
    bpy.ops.object.mode_set(mode="EDIT")
    for name in list(target.data.edit_bones.keys()):
        if "Leg" in name or "Foot" in name or "Toe" in name:
            target.data.edit_bones.remove(target.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    text, fixes = refused()
    assert "has no legs" in text
    assert fixes == ["motion_prompt.open_rig_map", "motion_prompt.generate"]


def test_unknown_armature(scene):
    bpy.ops.object.armature_add()
    text, fixes = refused()
    assert "known rig" in text
    assert fixes == ["motion_prompt.open_rig_map", "motion_prompt.generate"]


def test_edit_mode(scene):
    add_character(bpy.context)
    bpy.ops.object.mode_set(mode="EDIT")
    text, fixes = refused()
    assert "Edit Mode" in text
    assert fixes == ["object.mode_set"]
    bpy.ops.object.mode_set(**session.status.fixes[0].properties)
    assert bpy.context.object.mode == "OBJECT"


def test_linked_without_override(scene, tmp_path):
    add_character(bpy.context)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.objects = ["Mannequin"]
    linked = bpy.data.objects["Mannequin"]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    linked.select_set(True)
    text, fixes = refused()
    assert "linked from another file" in text
    assert "object.make_override_library" in fixes


def test_nla_tweak_mode(scene):
    target = add_character(bpy.context)
    action = bpy.data.actions.new("strip")
    data = target.animation_data_create()
    strip = data.nla_tracks.new().strips.new("strip", 1, action)
    strip.select = True
    data.nla_tracks[0].select = True
    data.nla_tracks.active = data.nla_tracks[0]
    data.use_tweak_mode = True
    if not data.use_tweak_mode:
        pytest.skip("this Blender enters tweak mode only from its window")
    assert "tweak mode" in refused()[0]


def test_icons_exist_in_this_blender():
    known = set(bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items.keys())
    for path in Path(blender_addon.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        used = re.findall(r'icon="(\w+)"', source) + re.findall(r'Fix\([^)]*"(\w+)"\s*,?\s*\)', source)
        assert set(used) <= known, path


def test_script_that_sets_the_prompt_generates_nothing(scene):
    settings = scene.motion_prompt
    session.activity = ""  # an earlier task may have left its own
    for text in ("a person walks", "a person walks", "", "a person runs"):
        settings.prompt = text
    assert session.task is None
    assert session.activity == ""


def test_cancel_without_a_job_is_not_offered(scene):
    assert not bpy.ops.motion_prompt.cancel.poll()
