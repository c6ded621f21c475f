# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Export button writes opens again in Blender with every joint in its place, at the right size."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, make_armature, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Matrix  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.session import session  # noqa: E402
from motion_engine.formats import bvh, npz  # noqa: E402

PLAIN = {name: name for name in NAMES}
FRAMES = 24


@pytest.fixture
def motion(scene):
    scene.render.fps = 20
    return walk(FRAMES).canonical()


PROVENANCE = {"prompt": "a person walks", "bundle": "styles 1.0", "licence": "CC-BY-NC-4.0"}


def put(target, motion, name="walk"):
    channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
    keyframes.assign(target, keyframes.write_action(target, channels, name, 5, PROVENANCE))


IMPORT = """
import os, sys, bpy, addon_utils
path, form, blend = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 20
if form == "BVH":
    addon_utils.enable("io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, axis_forward="-Z", axis_up="Y")
elif form == "GLB":
    addon_utils.enable("io_scene_gltf2")
    bpy.ops.import_scene.gltf(filepath=path)
else:
    addon_utils.enable("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=path)
bpy.ops.wm.save_as_mainfile(filepath=blend)
sys.stdout.flush()
os._exit(0)
"""


def reopened(path, form):
    """The armature after importing the file into an empty scene, and its first frame.

    A Blender of its own imports, as a user's would: in one that has opened many files, 4.2's glTF importer may crash.
    """
    blend = path.with_suffix(".blend")
    command = [sys.executable, "-c", IMPORT, str(path), form, str(blend)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    target = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    return target, round(target.animation_data.action.frame_range[0])


def figure_height():
    """Metres from the lowest to the highest point of the meshes, as posed."""
    heights = []
    for item in bpy.context.scene.objects:
        if item.type == "MESH" and item.find_armature() is not None:
            posed = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
            heights += [(posed.matrix_world @ vertex.co).z for vertex in posed.data.vertices]
    return max(heights) - min(heights)


@pytest.mark.parametrize("form", ["BVH", "GLB", "FBX"])
def test_default_character_comes_back(motion, tmp_path, form):
    target = add_character(bpy.context)
    put(target, motion)
    bpy.context.scene.frame_set(5)
    height = figure_height()
    path = tmp_path / f"clip.{form.lower()}"
    assert bpy.ops.motion_prompt.export(filepath=str(path), form=form) == {"FINISHED"}, session.status
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    target, start = reopened(path, form)
    found = world_joints(target, PLAIN, FRAMES, start)
    assert np.linalg.norm(found - to_blender(motion.joints), axis=-1).max() < 2e-3
    if form != "BVH":
        bpy.context.scene.frame_set(start)
        assert figure_height() == pytest.approx(height, abs=0.01)
        assert 1.5 < height < 1.9


@pytest.mark.parametrize("form", ["GLB", "FBX"])
def test_a_rig_in_centimetres_in_another_place(motion, tmp_path, form):
    up = Matrix.Scale(100, 4) @ Matrix.Rotation(np.radians(-90), 4, "X")
    target = make_armature(MIXAMO, rest_joints(), seed=2, to_armature=up)
    put(target, motion)
    target.matrix_world = Matrix.Translation((3, 1, 0)) @ Matrix.Rotation(0.5, 4, "Z") @ target.matrix_world
    before = world_joints(target, MIXAMO, FRAMES, 5)
    path = tmp_path / f"clip.{form.lower()}"
    assert bpy.ops.motion_prompt.export(filepath=str(path), form=form) == {"FINISHED"}, session.status
    target, start = reopened(path, form)
    found = world_joints(target, MIXAMO, FRAMES, start)
    assert np.linalg.norm(found - before, axis=-1).max() < 5e-3


@pytest.mark.parametrize(("form", "module"), [("BVH", bvh), ("NPZ", npz)])
def test_motion_alone_comes_back_to_the_engine(motion, tmp_path, form, module):
    target = make_armature(MIXAMO, rest_joints(), seed=4)
    put(target, motion)
    path = tmp_path / f"clip.{form.lower()}"
    assert bpy.ops.motion_prompt.export(filepath=str(tmp_path / "clip"), form=form) == {"FINISHED"}
    back = module.load(path)
    assert back.fps == pytest.approx(20)
    assert np.linalg.norm(back.joints - motion.joints, axis=-1).mean() < 5e-3
    if form == "NPZ":
        assert back.provenance == PROVENANCE
        with np.load(path, allow_pickle=False) as data:
            assert str(data["text"]) == "a person walks"


@pytest.mark.parametrize("form", ["GLB", "FBX"])
def test_the_file_names_the_model_and_its_licence(motion, tmp_path, form):
    target = add_character(bpy.context)
    put(target, motion)
    properties = set(target.keys())
    path = tmp_path / f"clip.{form.lower()}"
    assert bpy.ops.motion_prompt.export(filepath=str(path), form=form) == {"FINISHED"}, session.status
    words = "Motion: styles 1.0 CC-BY-NC-4.0"
    if form == "GLB":
        content = path.read_bytes()
        length = int.from_bytes(content[12:16], "little")
        assert json.loads(content[20 : 20 + length])["asset"]["copyright"] == words
    else:
        assert set(target.keys()) == properties
        assert reopened(path, form)[0]["motion_licence"] == words


@pytest.mark.parametrize("form", ["GLB", "FBX"])
def test_the_scene_is_left_alone(motion, scene, tmp_path, form):
    target = add_character(bpy.context)
    put(target, motion)
    scene.frame_set(9)
    bpy.ops.object.mode_set(mode="POSE")
    target.pose.bones["left_elbow"].rotation_quaternion = (0.5, 0.5, 0.5, 0.5)
    bpy.context.view_layer.update()

    def state():
        return (
            scene.frame_current, scene.frame_start, scene.frame_end, target.mode, target.animation_data.action,
            [item.name for item in bpy.context.view_layer.objects if item.select_get()],
            [tuple(map(tuple, bone.matrix_basis)) for bone in target.pose.bones],
            sorted(bpy.data.scenes.keys()), sorted(bpy.data.objects.keys()), bpy.context.scene,
        )  # fmt: skip

    before = state()
    assert bpy.ops.motion_prompt.export(filepath=str(tmp_path / "clip"), form=form) == {"FINISHED"}
    bpy.context.view_layer.update()
    assert state() == before


def test_what_cannot_be_exported_is_said(scene, motion, tmp_path):
    target = add_character(bpy.context)
    assert bpy.ops.motion_prompt.export(filepath=str(tmp_path / "a.bvh"), form="BVH") == {"CANCELLED"}
    assert "no animation" in session.status.text
    put(target, motion)
    assert bpy.ops.motion_prompt.export(filepath=str(tmp_path / "no" / "a.bvh"), form="BVH") == {"CANCELLED"}
    assert "cannot be written" in session.status.text
    assert bpy.ops.motion_prompt.export(filepath=str(tmp_path / "no" / "a.glb"), form="GLB") == {"CANCELLED"}
    assert "cannot be written" in session.status.text
    assert not list(tmp_path.iterdir())
    assert len(bpy.data.scenes) == 1
