# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that only Blender understands become clips: read by a Blender of their own, rig recognised, sampled."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

pytest.importorskip("bpy")

from addon_rigs import MIXAMO, walk

from motion_engine import skeleton
from motion_engine.captioning import blender_reader, library
from motion_engine.captioning.canonical import Clip, canonical
from motion_engine.errors import EngineError
from motion_engine.formats import bvh, save


@pytest.fixture
def motion():
    return walk(40).canonical()


@pytest.fixture
def this_blender(monkeypatch):
    """The Blender that runs this test reads the files too."""
    monkeypatch.setenv("MOTION_PROMPT_BLENDER", sys.executable)


def other_names(path):
    """A BVH of ours with the names of Mixamo."""
    text = path.read_text()
    for name in skeleton.JOINT_NAMES:
        text = text.replace(f" {name}\n", f" {MIXAMO[name]}\n")
    path.write_text(text)


def test_clips_come_back_as_they_were(motion, this_blender, tmp_path):
    for name in ("a.fbx", "b.glb", "c.bvh", "d.bvh"):
        save(motion, tmp_path / name)
    other_names(tmp_path / "d.bvh")
    (tmp_path / "e.fbx").write_bytes(b"no such thing")
    folder, files = library.motion_files(tmp_path)
    found = {item.file: item for item in library.clips_of(folder, files)}
    assert set(found) == {"a.fbx", "b.glb", "c.bvh", "d.bvh", "e.fbx"}
    wanted = canonical(Clip.of(motion), 20.0)
    for name in ("a.fbx", "b.glb", "c.bvh", "d.bvh"):
        clip = found[name].clip
        assert isinstance(clip, Clip) and found[name].name == "", name
        there = canonical(clip, 20.0)
        frames = min(there.n_frames, wanted.n_frames)
        assert abs(there.n_frames - wanted.n_frames) <= 1
        # a .glb says no frame rate: it is read at a higher one
        np.testing.assert_allclose(there.joints[:frames], wanted.joints[:frames], atol=5e-3, err_msg=name)
    problem = found["e.fbx"].clip
    assert isinstance(problem, EngineError) and problem.code == "bad_file" and "e.fbx" in problem.message


def test_a_blender_that_dies_takes_one_file_along(motion, this_blender, tmp_path, monkeypatch):
    for name in ("a.glb", "b.glb", "c.glb"):
        save(motion, tmp_path / name)
    dying = blender_reader._SCRIPT.replace(
        "def open_file(path):", "def open_file(path):\n    if path.endswith('b.glb'): os._exit(3)"
    )
    monkeypatch.setattr(blender_reader, "_SCRIPT", dying)
    found = list(blender_reader.read([tmp_path / name for name in ("a.glb", "b.glb", "c.glb")]))
    assert [read.path.name for read in found] == ["a.glb", "b.glb", "c.glb"]
    assert [len(read.clips) for read in found] == [1, 0, 1]
    assert found[1].problem is not None and "b.glb" in found[1].problem.message


def test_without_a_blender_there_is_a_sentence(motion, tmp_path, monkeypatch):
    path = tmp_path / "none"
    path.write_text("#!/bin/sh\necho cannot >&2\nexit 1\n")
    path.chmod(0o755)
    save(motion, tmp_path / "a.glb")
    monkeypatch.setattr(blender_reader, "script_commands", lambda script: [])
    with pytest.raises(EngineError, match="none was found"):
        list(blender_reader.read([tmp_path / "a.glb"]))
    monkeypatch.setattr(blender_reader, "script_commands", lambda script: [[os.fspath(path)]])
    with pytest.raises(EngineError, match="did not start to read the files: cannot"):
        list(blender_reader.read([tmp_path / "a.glb"]))


def test_a_rig_that_is_none_is_told(this_blender, tmp_path):
    text = "HIERARCHY\nROOT tail\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    text += "End Site\n{\nOFFSET 0 9 0\n}\n}\n"
    (tmp_path / "fish.bvh").write_text(text + "MOTION\nFrames: 3\nFrame Time: 0.05\n0 0 0\n5 0 0\n9 0 0\n")
    (item,) = library.clips_of(tmp_path, ["fish.bvh"])
    assert isinstance(item.clip, EngineError) and "fish.bvh" in item.clip.message
    assert bvh.joint_names(tmp_path / "fish.bvh") == ["tail"]
