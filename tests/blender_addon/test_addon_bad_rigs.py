# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs that can take no motion, met as a user meets them: a sentence that says what to do, and an unchanged file."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from file_text import file_lines  # noqa: E402
from rig_bodies import SAME  # noqa: E402
from rig_styles import STYLES, tables  # noqa: E402
from rig_variations import AS_IT_COMES, build  # noqa: E402

from blender_addon import headless  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402

STYLE = {style.table: style for style in STYLES}
TABLES = tables()


def family(name):
    assert AS_IT_COMES.shape is SAME
    return build(STYLE[name], TABLES[name], AS_IT_COMES).target


def edit(target, change):
    bpy.ops.object.mode_set(mode="EDIT")
    change(target.data.edit_bones)
    bpy.ops.object.mode_set(mode="OBJECT")


def remove(*parts):
    def change(bones):
        for name in [bone.name for bone in bones if any(part in bone.name for part in parts)]:
            bones.remove(bones[name])

    return change


def sentence():
    """Press Generate and read the tab; the file must be what it was."""
    bpy.context.scene.motion_prompt.prompt = "a person walks"
    bpy.context.view_layer.update()
    before = file_lines()
    assert bpy.ops.motion_prompt.generate() == {"CANCELLED"}
    assert session.task is None
    assert file_lines() == before
    assert session.status.kind == "ERROR"
    return session.status.text


def refusal(target):
    """The same from a script, where any armature can be named."""
    before = file_lines()
    with pytest.raises(UserError) as caught:
        headless.generate("a person walks", armature=target)
    assert file_lines() == before
    return caught.value.text


def test_a_change_is_seen(scene):
    target = family("mixamo")
    before = file_lines()
    assert file_lines() == before
    target.pose.bones["mixamorig:LeftLeg"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    assert file_lines() != before


@pytest.mark.parametrize("name", ["mixamo", "ue5", "daz_g8", "vroid"])
def test_no_legs(scene, name):
    bones = TABLES[name].joints
    gone = [bones[joint] for joint in bones if joint.split("_")[-1] in {"hip", "knee", "ankle", "foot"}]
    target = family(name)
    edit(target, remove(*gone))
    text = sentence()
    assert "no legs" in text
    assert bones["left_knee"].split(":")[-1] in text or bones["left_hip"].split(":")[-1] in text


@pytest.mark.parametrize("name", ["mixamo", "ue5", "biped"])
def test_one_arm(scene, name):
    bones = TABLES[name].joints
    gone = [bones[f"right_{part}"] for part in ("shoulder", "elbow", "wrist")]
    edit(family(name), remove(*gone))
    assert "only one arm, the right one is missing" in sentence()


def test_four_legs_by_name(scene):
    target = family("custom")
    names = {
        "UpArm": "FrontUpperLeg", "LowArm": "FrontLowerLeg", "Hand": "FrontPaw", "Thigh": "HindUpperLeg",
        "Shin": "HindLowerLeg", "Foot": "HindPaw",
    }  # fmt: skip
    for bone in target.data.bones:
        for old, new in names.items():
            bone.name = bone.name.replace(old, new)
    text = sentence()
    assert "four legs" in text
    assert "two legs and two arms" in text


def test_four_legs_by_shape(scene):
    """Human names on a body whose back lies flat and whose arms reach the ground."""
    bones = TABLES["mixamo"].joints
    target = family("mixamo")

    def lie_down(edit_bones):
        into = target.matrix_world.inverted()
        hips = (target.matrix_world @ edit_bones[bones["pelvis"]].head).z
        trunk = [bones[joint] for joint in ("spine1", "spine2", "spine3", "neck", "head")]
        for i, name in enumerate(trunk):
            edit_bones[name].head = into @ np_vector(0.0, -0.2 - 0.15 * i, hips)
            edit_bones[name].tail = into @ np_vector(0.0, -0.3 - 0.15 * i, hips)
        for side, sign in (("left", 1), ("right", -1)):
            for i, part in enumerate(("collar", "shoulder", "elbow", "wrist")):
                bone = edit_bones[bones[f"{side}_{part}"]]
                drop = (0.0, 0.0, 0.45, 0.85)[i]
                bone.head = into @ np_vector(0.1 * sign, -0.6, hips - drop)
                bone.tail = into @ np_vector(0.1 * sign, -0.6, hips - drop - 0.1)

    edit(target, lie_down)
    assert "four legs" in sentence()


def np_vector(*values):
    from mathutils import Vector

    return Vector(np.array(values, dtype=float).tolist())


def test_two_bones_by_one_name(scene):
    target = family("mixamo")

    def double(bones):
        twin = bones.new("LeftArm")
        twin.head, twin.tail = bones["mixamorig:LeftArm"].head, bones["mixamorig:LeftArm"].tail
        twin.parent = bones["mixamorig:LeftArm"].parent

    edit(target, double)
    text = sentence()
    assert "same name" in text
    assert "'LeftArm'" in text
    assert "Rename or remove" in text


@pytest.mark.parametrize(("upper", "lower", "limb"), [
    ("LeftUpLeg", "LeftLeg", "left leg"), ("RightLeg", "RightFoot", "right leg"),
    ("RightArm", "RightForeArm", "right arm"),
])  # fmt: skip
def test_bones_without_length(scene, upper, lower, limb):
    target = family("mixamo")

    def shorten(bones):
        bone = bones[f"mixamorig:{lower}"]
        bone.head = bones[f"mixamorig:{upper}"].head

    edit(target, shorten)
    text = sentence()
    assert f"'mixamorig:{upper}' and 'mixamorig:{lower}' start at the same point" in text
    assert limb in text


def test_scaled_to_nothing(scene):
    target = family("ue5")
    target.scale = (0.01, 0.0, 0.01)
    bpy.context.view_layer.update()
    assert "scaled to nothing" in sentence()


def test_edit_mode(scene):
    family("mixamo")
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Edit Mode" in sentence()


def test_hidden_while_posed(scene):
    target = family("mixamo")
    bpy.ops.object.mode_set(mode="POSE")
    target.hide_set(True)
    text = sentence()
    assert "'mixamo' is hidden" in text
    assert "Alt H" in text


def test_hidden_in_each_way(scene):
    target = family("mixamo")
    target.hide_viewport = True
    bpy.context.view_layer.update()
    assert "disabled in viewports" in refusal(target)
    target.hide_viewport = False
    collection = bpy.data.collections.new("Rigs")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(target)
    bpy.context.scene.collection.objects.unlink(target)
    collection.hide_viewport = True
    bpy.context.view_layer.update()
    assert "collection is hidden" in refusal(target)
    collection.hide_viewport = False
    bpy.context.view_layer.layer_collection.children["Rigs"].exclude = True
    bpy.context.view_layer.update()
    assert "excluded from the view layer" in refusal(target)


def test_a_hidden_armature_whose_mesh_is_shown_is_no_reason_to_refuse(scene, engine, run):
    target = family("mixamo")
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    bpy.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = target
    mesh.select_set(True)
    bpy.context.view_layer.objects.active = mesh
    target.hide_set(True)
    bpy.context.scene.motion_prompt.prompt = "a person walks"
    assert bpy.ops.motion_prompt.generate() == {"FINISHED"}
    run()
    assert session.status.kind == "DONE", session.status.text
    assert target.animation_data.action is not None


def test_in_another_scene(scene):
    target = family("mixamo")
    other = bpy.data.scenes.new("Shot 2")
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    other.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = target
    here = bpy.context.scene.name
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        other.view_layers[0].objects.active = mesh
        mesh.select_set(True, view_layer=other.view_layers[0])
        other.motion_prompt.prompt = "a person walks"
        before = file_lines()
        assert bpy.ops.motion_prompt.generate() == {"CANCELLED"}
        assert file_lines() == before
    text = session.status.text
    assert f"in the scene '{here}', not in 'Shot 2'" in text
    assert "Link Objects to Scene" in text


def test_in_no_scene(scene):
    target = family("mixamo")
    bpy.context.scene.collection.objects.unlink(target)
    assert "in no scene" in refusal(target)


def test_linked_without_override(scene, tmp_path):
    family("ue5")
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.objects = ["ue5"]
    linked = bpy.data.objects["ue5"]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    linked.select_set(True)
    text = sentence()
    assert "linked from another file" in text
    assert "library override" in text


def test_an_armature_without_bones(scene):
    empty = bpy.data.objects.new("Empty Rig", bpy.data.armatures.new("Empty Rig"))
    bpy.context.scene.collection.objects.link(empty)
    bpy.context.view_layer.objects.active = empty
    empty.select_set(True)
    assert "no bones" in sentence()
