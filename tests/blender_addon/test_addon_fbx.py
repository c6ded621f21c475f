# SPDX-License-Identifier: GPL-3.0-or-later
"""An .fbx that the engine writes opens in Blender with every joint in its place and the figure at its size."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon_utils  # noqa: E402
from addon_rigs import walk  # noqa: E402

from blender_addon.axes import to_blender  # noqa: E402
from motion_engine import blender_process, formats, output, skeleton  # noqa: E402
from motion_engine.cli import main  # noqa: E402
from motion_engine.errors import EngineError  # noqa: E402
from motion_engine.formats import npz  # noqa: E402


def joints_after_import(scene, path, frames):
    """(T, 22, 3) heads in the world after opening the file."""
    addon_utils.enable("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=str(path))
    armature = next(item for item in scene.objects if item.type == "ARMATURE")
    start = armature.animation_data.action.frame_range[0]
    found = np.empty((frames, 22, 3))
    for frame in range(frames):
        scene.frame_set(round(start) + frame)
        for joint, name in enumerate(skeleton.JOINT_NAMES):
            found[frame, joint] = armature.matrix_world @ armature.pose.bones[name].head
    return found


def test_convert_to_fbx(scene, tmp_path, capsys):
    motion = walk(25).canonical()
    motion.provenance = {"prompt": "a person walks", "bundle": "styles 1.0", "licence": "CC-BY-NC-4.0"}
    npz.save(motion, tmp_path / "clip.npz")
    assert main(["convert", str(tmp_path / "clip.npz"), str(tmp_path / "clip.fbx")]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.fbx", "clip.npz"]
    scene.render.fps = 20
    found = joints_after_import(scene, tmp_path / "clip.fbx", motion.n_frames)
    assert np.linalg.norm(found - to_blender(motion.joints), axis=-1).max() < 1e-3
    armature = next(item for item in scene.objects if item.type == "ARMATURE")
    assert {key: armature[key] for key in motion.provenance} == motion.provenance
    figure = next(item for item in scene.objects if item.type == "MESH")
    scene.frame_set(1)
    worn = figure.evaluated_get(bpy.context.evaluated_depsgraph_get())
    height = np.ptp([(worn.matrix_world @ vertex.co).z for vertex in worn.data.vertices])
    assert 1.5 < height < 1.8
    assert scene.render.fps / scene.render.fps_base == pytest.approx(20)


def test_without_a_blender_it_is_said_beforehand(scene, monkeypatch, tmp_path):
    monkeypatch.delenv(blender_process.VARIABLE, raising=False)
    monkeypatch.setattr(blender_process.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(blender_process, "find_blender", lambda: None)
    with pytest.raises(EngineError, match=r"bpy.*\.glb"):
        output.check_format(tmp_path / "clip.fbx")
    with pytest.raises(EngineError, match="none was found"):
        formats.save(walk(3), tmp_path / "clip.fbx")
    assert not list(tmp_path.iterdir())


def test_a_blender_that_fails_is_quoted(scene, monkeypatch, tmp_path):
    broken = tmp_path / "blender"
    broken.write_text("#!/bin/sh\necho a library is missing >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(blender_process.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(blender_process, "find_blender", lambda: None)
    monkeypatch.setenv(blender_process.VARIABLE, str(broken))
    with pytest.raises(EngineError, match="a library is missing"):
        formats.save(walk(3), tmp_path / "clip.fbx")
    assert not (tmp_path / "clip.fbx").exists()
