# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig map as a table: seen, corrected, saved, remembered, and used."""

from __future__ import annotations

import json

import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, make_armature, rest_joints  # noqa: E402

from blender_addon import rig, rig_map_table  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402

STRANGE = {joint: f"b{index:02d}" for index, joint in enumerate(NAMES)}


@pytest.fixture(autouse=True)
def own_folder(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(rig_map_table, "maps_folder", lambda: tmp_path / "maps")


def rows(target):
    return {row.name: row.bone for row in target.data.motion_prompt_map.rows}


def test_the_table_shows_what_was_recognised_and_a_correction_counts():
    target = make_armature(MIXAMO, rest_joints())
    assert bpy.ops.motion_prompt.map_detect() == {"FINISHED"}
    assert rows(target) == MIXAMO
    target.data.motion_prompt_map.rows["spine2"].bone = ""
    mapping = rig.check(target)
    assert "spine2" not in mapping.bones and mapping.bones["head"] == "Head"


def test_a_wrong_table_is_refused_by_name_and_its_rows_are_marked():
    target = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_detect()
    table = target.data.motion_prompt_map.rows
    table["left_knee"].bone = ""
    assert rig_map_table.wrong_rows(target.data) == {"left_knee"}
    with pytest.raises(UserError, match="no bone for: left knee"):
        rig.check(target)
    table["left_knee"].bone = table["left_hip"].bone
    assert rig_map_table.wrong_rows(target.data) == {"left_hip", "left_knee"}
    with pytest.raises(UserError, match="uses a bone twice: 'LeftUpLeg'"):
        rig.check(target)
    table["left_knee"].bone = MIXAMO["left_knee"]
    target.data.bones["Head"].name = "Skull"
    with pytest.raises(UserError, match="no bones 'Head'"):
        rig.check(target)


def test_the_right_side_follows_the_left():
    target = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_detect()
    for row in target.data.motion_prompt_map.rows:
        if row.name.startswith("right_"):
            row.bone = ""
    assert bpy.ops.motion_prompt.map_mirror() == {"FINISHED"}
    assert rows(target) == MIXAMO


def test_the_right_side_follows_by_place_where_names_say_nothing():
    target = make_armature(STRANGE, rest_joints())
    bpy.ops.motion_prompt.map_clear()
    for row in target.data.motion_prompt_map.rows:
        if not row.name.startswith("right_"):
            row.bone = STRANGE[row.name]
    assert bpy.ops.motion_prompt.map_mirror() == {"FINISHED"}
    assert rows(target) == STRANGE


def test_a_namespace_is_no_hindrance_to_mirroring():
    named = {joint: f"mixamorig:{bone}" for joint, bone in MIXAMO.items()}
    target = make_armature(named, rest_joints({"left_elbow": 0.5}))
    bpy.ops.motion_prompt.map_show()
    for row in target.data.motion_prompt_map.rows:
        if row.name.startswith("right_"):
            row.bone = ""
    assert bpy.ops.motion_prompt.map_mirror() == {"FINISHED"}
    assert rows(target) == named


def uneven():
    """A Mixamo rig with some bones of other names and one short arm, so that neither names nor shape tell."""
    odd = {**MIXAMO, "left_knee": "x1", "right_hip": "x2", "left_wrist": "x3"}
    return make_armature(odd, rest_joints({"left_elbow": 0.5, "left_wrist": 0.5})), odd


def test_a_refused_rig_has_a_button_to_its_half_filled_table(scene):
    target, odd = uneven()
    scene.motion_prompt.prompt = "a person walks"
    assert bpy.ops.motion_prompt.generate() == {"CANCELLED"}
    assert "motion_prompt.open_rig_map" in {fix.operator for fix in session.status.fixes}
    assert bpy.ops.motion_prompt.open_rig_map() == {"FINISHED"}
    found = rows(target)
    assert {joint for joint in found if not found[joint]} == {"left_knee", "right_hip", "left_wrist"}
    assert all(odd[joint] == bone for joint, bone in found.items() if bone)
    for joint in ("left_knee", "right_hip", "left_wrist"):
        target.data.motion_prompt_map.rows[joint].bone = odd[joint]
    assert rig.check(target).bones == odd


def test_what_was_remembered_is_shown_not_guessed_again():
    first = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_show()
    first.data.motion_prompt_map.rows["spine1"].bone = ""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    second = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_show()
    assert rows(second) == {**MIXAMO, "spine1": ""}
    bpy.ops.motion_prompt.map_detect()
    assert rows(second) == MIXAMO


def test_a_table_is_remembered_for_the_same_rig_and_forgotten():
    first = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_detect()
    first.data.motion_prompt_map.rows["spine1"].bone = ""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    second = make_armature(MIXAMO, rest_joints())
    assert "spine1" not in rig.check(second).bones
    assert bpy.ops.motion_prompt.map_forget() == {"FINISHED"}
    assert "spine1" in rig.check(second).bones


def test_a_table_is_saved_and_loaded(tmp_path):
    target = make_armature(MIXAMO, rest_joints())
    bpy.ops.motion_prompt.map_detect()
    file = tmp_path / "mine.json"
    assert bpy.ops.motion_prompt.map_save(filepath=str(file)) == {"FINISHED"}
    assert json.loads(file.read_text(encoding="utf-8"))["joints"]["head"] == "Head"
    bpy.ops.motion_prompt.map_clear()
    assert not any(rows(target).values())
    assert bpy.ops.motion_prompt.map_load(filepath=str(file)) == {"FINISHED"}
    assert rows(target) == MIXAMO
    file.write_text("{", encoding="utf-8")
    assert bpy.ops.motion_prompt.map_load(filepath=str(file)) == {"CANCELLED"}
    assert "not JSON" in session.status.text and rows(target) == MIXAMO
    assert bpy.ops.motion_prompt.map_save(filepath=str(tmp_path / "no" / "such.json")) == {"CANCELLED"}
    assert "cannot be written" in session.status.text


def test_the_active_bone_is_taken():
    target = make_armature(STRANGE, rest_joints())
    bpy.ops.motion_prompt.map_clear()
    target.data.bones.active = target.data.bones["b15"]
    assert bpy.ops.motion_prompt.map_pick(joint="head") == {"FINISHED"}
    assert rows(target)["head"] == "b15"


def test_no_map_is_guessed_silently():
    """Two bones that could be the head: Generate asks, and a button takes the best guess."""
    target = make_armature(
        {**MIXAMO, "spine1": "Bone.001", "spine2": "Bone.002", "neck": "Bone.003"}, rest_joints()
    )
    bpy.context.scene.motion_prompt.prompt = "a person walks"
    try:
        rig.check(target)
        sure = True
    except UserError as error:
        sure = False
        assert "Rig Map" in error.text
    if not sure:
        bpy.ops.motion_prompt.map_detect()
        assert rig.check(target).bones["head"] == "Head"


def test_the_table_of_the_default_character_survives_saving(tmp_path):
    target = add_character(bpy.context)
    bpy.ops.motion_prompt.map_detect()
    target.data.motion_prompt_map.rows["left_collar"].bone = ""
    file = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    rig_map_table.store.forget(rig_map_table.maps_folder(), rig_map_table.parents_of(target.data))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    again = next(other for other in bpy.data.objects if other.type == "ARMATURE")
    assert "left_collar" not in rig.check(again).bones
