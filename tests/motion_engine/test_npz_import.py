# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the layouts of AMASS, and of joints alone, become motions."""

from __future__ import annotations

import numpy as np
import pytest
from clips import swinging

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.cli import main
from motion_engine.formats import bvh, npz


def amass(motion, width, rate_name):
    """Arrays as AMASS lays them out: axis-angle with +Z up, the body's own place of the pelvis taken off."""
    turned = motion.rotations.astype(float)
    up = quat.about_axis(0, np.pi / 2)
    turned[:, 0] = quat.multiply(up, turned[:, 0])
    poses = np.zeros((motion.n_frames, width))
    poses[:, :66] = quat.to_axis_angle(turned).reshape(motion.n_frames, 66)
    x, y, z = motion.root.astype(float).T
    return {
        "poses": poses,
        "trans": np.stack([x, -z, y], axis=-1) - npz.SMPL_PELVIS,
        "betas": np.random.default_rng(0).normal(size=16),
        "gender": np.array(b"female", dtype=object),  # a pickle, as in AMASS; never opened
        rate_name: np.array(120.0),
    }


@pytest.mark.parametrize(
    ("width", "rate_name"),
    [(66, "mocap_framerate"), (72, "mocap_framerate"), (156, "mocap_framerate"), (165, "mocap_frame_rate")],
)
def test_amass_to_bvh(tmp_path, width, rate_name):
    motion = swinging(60, fps=120.0)
    np.savez(tmp_path / "in.npz", **amass(motion, width, rate_name))
    assert main(["convert", str(tmp_path / "in.npz"), str(tmp_path / "out.bvh")]) == 0
    back = bvh.load(tmp_path / "out.bvh")
    assert back.fps == pytest.approx(120)
    np.testing.assert_allclose(back.joints, motion.joints, atol=1e-3)


def test_joints_alone_are_met_to_a_millimetre(tmp_path):
    motion = swinging(196)
    np.savez(tmp_path / "joints.npz", joints=motion.joints, fps=20.0, text="a body swings")
    back = npz.load(tmp_path / "joints.npz")
    assert np.linalg.norm(back.joints - motion.joints, axis=-1).max() < 1e-3
    assert back.fps == 20
    assert back.provenance["prompt"] == "a body swings"
    assert main(["convert", str(tmp_path / "joints.npz"), str(tmp_path / "out.bvh")]) == 0


def test_joints_of_a_larger_body_keep_their_directions(tmp_path):
    motion = swinging(40)
    np.savez(tmp_path / "joints.npz", joints=np.pad(motion.joints * 1.2, ((0, 0), (0, 2), (0, 0))), fps=20.0)
    back = npz.load(tmp_path / "joints.npz")
    np.testing.assert_allclose(back.joints, motion.joints, atol=1e-3)
    assert back.joints.shape[1] == skeleton.N_JOINTS


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"trans": np.zeros((2, 3)), "fps": 20.0}, "poses missing"),
        ({"joints": np.ones((2, 22, 3))}, "mocap_framerate missing"),
        ({"joints": np.ones((2, 22, 3)), "fps": 20.0}, "no length"),
        ({"joints": np.ones((2, 21, 3)), "fps": 20.0}, "22 or more"),
        ({"poses": np.zeros((2, 60)), "trans": np.zeros((2, 3)), "fps": 20.0}, "66 or more"),
        ({"poses": np.zeros((2, 66)), "trans": np.zeros((3, 3)), "fps": 20.0}, "trans"),
        ({"poses": np.full((2, 66), np.nan), "trans": np.zeros((2, 3)), "fps": 20.0}, "NaN"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, arrays, sentence, capsys):
    np.savez(tmp_path / "in.npz", **arrays)
    assert main(["convert", str(tmp_path / "in.npz"), str(tmp_path / "out.bvh")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out.bvh").exists()
