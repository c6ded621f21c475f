# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from clips import swinging

from motion_engine import formats
from motion_engine.formats import bvh, npz


@pytest.mark.parametrize(("module", "suffix"), [(npz, ".npz"), (bvh, ".bvh")])
def test_a_written_file_comes_back(tmp_path, module, suffix):
    motion = swinging()
    motion.provenance = {"prompt": "a body swings", "seed": 3}
    path = tmp_path / f"clip{suffix}"
    formats.save(motion, path)
    back = module.load(path)
    np.testing.assert_allclose(back.joints, motion.joints, atol=1e-3)
    assert back.fps == pytest.approx(motion.fps)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_npz_is_in_the_layout_of_amass(tmp_path):
    motion = swinging()
    motion.provenance = {"prompt": "a body swings"}
    npz.save(motion, tmp_path / "clip.npz")
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as data:
        assert data["poses"].shape == (motion.n_frames, 156)
        assert data["trans"].shape == (motion.n_frames, 3)
        assert float(data["mocap_framerate"]) == motion.fps
        assert str(data["text"]) == "a body swings"
        # +Z is up there
        np.testing.assert_allclose(
            data["trans"][:, 2] - data["trans"][0, 2], motion.root[:, 1] - motion.root[0, 1], atol=1e-6
        )


def test_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.npz.*\.bvh.*\.glb"):
        formats.save(swinging(), tmp_path / "clip.mp3")


ONE_JOINT = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n}\nMOTION\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("hello", "no MOTION"),
        (ONE_JOINT + "Frames: 2\nFrame Time: 0.05\n1 2 3\n", "damaged"),
        (ONE_JOINT + "Frames: 1\nFrame Time: 0.05\n1 nan 3\n", "NaN"),
        (ONE_JOINT + "Frames: many\n", "damaged"),
    ],
)
def test_damaged_bvh_is_refused_with_its_name(tmp_path, content, sentence):
    (tmp_path / "bad.bvh").write_text(content)
    with pytest.raises(ValueError, match=rf"bad\.bvh.*{sentence}"):
        bvh.read(tmp_path / "bad.bvh")


def test_truncated_npz_is_refused(tmp_path):
    npz.save(swinging(), tmp_path / "clip.npz")
    whole = (tmp_path / "clip.npz").read_bytes()
    (tmp_path / "clip.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"clip\.npz"):
        npz.load(tmp_path / "clip.npz")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "clip.bvh"
    formats.save(swinging(), path)
    before = path.read_bytes()
    monkeypatch.setattr(bvh.quat, "to_euler", lambda *_: (_ for _ in ()).throw(RuntimeError("disk")))
    with pytest.raises(RuntimeError):
        formats.save(swinging(seed=1), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip.bvh"]
