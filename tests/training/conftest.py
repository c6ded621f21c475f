# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learning side needs the extra `train`")

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.formats import bvh
from motion_engine.motion import Motion

TINY = """
[bundle]
name = "tiny"
title = "Tiny"
version = "0.0.1"
description = "For tests."
licence = "CC0-1.0"
text_encoder = "all-MiniLM-L6-v2"
smoothing = 0.6
attribution = ["made by formula"]
[data]
fps = 20.0
max_frames = 196
sources = ["waves", "walks"]
tempo_jitter = 0.1
joined = 4
layered = 4
repeated = 4
paced = 4
strikes = 2
rarity = 0.5

[data.shares]
waves = 0.5
walks = 0.5
[vae]
width = 32
latent_channels = 4
downsampling = 4
blocks = 1
[denoiser]
width = 32
layers = 3
heads = 2
feed_forward = 64
dropout = 0.0
text_width = 384
[vae_training]
steps = 12
batch = 4
crop = 32
learning_rate = 1e-3
kl_weight = 1e-4
[mld_training]
steps = 12
batch = 4
learning_rate = 1e-3
caption_drop = 0.1
[lcm_training]
steps = 6
batch = 4
learning_rate = 1e-4
guidance_range = [1.0, 8.0]
grid = 10
huber = 0.5
ema = 0.95
paths = 8
path_share = 0.5
[presets.motionlcm]
steps = 4
guidance = 4.0
[presets.mld]
steps = 50
guidance = 4.0
"""

EMDM = """
[emdm]
levels = 4
noise_width = 8
discriminator_width = 32
discriminator_layers = 1
[emdm_training]
steps = 6
batch = 4
learning_rate = 1e-4
discriminator_rate = 1e-4
caption_drop = 0.1
penalty = 0.02
penalty_every = 3
reconstruction = [4.0, 20.0]
geometric = 1.0
foot = 8.0
geometric_clips = 2
ema = 0.999
warm_start = "mld"
[presets.emdm]
steps = 4
guidance = 2.5
"""


def gesture(seed: int, n_frames: int = 90, fps: float = 30.0) -> Motion:
    """A standing body whose limbs swing; differs by seed."""
    random = np.random.default_rng(seed)
    time = np.arange(n_frames)[:, None] / fps
    swing = np.stack([0.2 * np.sin(time * random.uniform(1, 3, 22)) for _ in range(3)], axis=-1)
    root = np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (n_frames, 1))
    root[:, 2] += 0.4 * time[:, 0]
    return Motion.from_rotations(quat.from_axis_angle(swing), root, fps)


@pytest.fixture
def make_gesture():
    """`gesture`, for tests that need clips of their own."""
    return gesture


@pytest.fixture(scope="session")
def config_text() -> str:
    """The tiny configuration as it is written."""
    return TINY


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """The tiny configuration."""
    from training.config import Config

    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return Config.read(path)


@pytest.fixture(scope="session")
def emdm_config(tmp_path_factory):
    """The tiny configuration with the sections of EMDM."""
    from training.config import Config

    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY + EMDM)
    return Config.read(path)


@pytest.fixture(scope="session")
def mocap_folder(tmp_path_factory) -> Path:
    """Six captioned BVH clips of two sources, one damaged file, one that is too short, one caption without a file."""
    folder = tmp_path_factory.mktemp("mocap")
    lines = []
    for i, (source, split) in enumerate(
        [("waves", "train"), ("walks", "train")] * 2 + [("waves", "val"), ("walks", "test")]
    ):
        (folder / source).mkdir(exist_ok=True)
        clip = f"{source}/take_{i}"
        bvh.save(gesture(i), folder / f"{clip}.bvh")
        captions = [f"a person waves the left hand {i}", "someone moves"]
        lines.append({"clip": clip, "start": 0.0, "end": 3.0, "split": split, "captions": captions})
    (folder / "waves" / "damaged.bvh").write_text("HIERARCHY\n")
    bvh.save(gesture(9, 8), folder / "waves" / "short.bvh")
    lines += [
        {"clip": f"waves/{name}", "start": 0, "end": 1, "captions": ["x"]}
        for name in ("damaged", "short", "absent")
    ]
    (folder / "captions.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder
