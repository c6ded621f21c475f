# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle of the shipped layout with random weights, for trying the engine without a trained model.

``python -m training.export.random_bundle FOLDER`` writes ``FOLDER/random``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from motion_engine import features, skeleton
from motion_engine.motion import Motion
from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.data.loader import Normaliser
from training.export.bundle import write_bundle
from training.train_emdm import make_generator


def write_random_bundle(
    folder: Path, config: Config | None = None, samplers: Sequence[str] = ("motionlcm", "mld")
) -> Path:
    """Write ``FOLDER/random`` with the given samplers; its motions tremble around the T-pose."""
    config = config or Config.read("base")
    config = replace(
        config, bundle=replace(config.bundle, name="random", title="Random", description="Untrained.")
    )
    torch.manual_seed(0)
    rest = np.tile([1.0, 0.0, 0.0, 0.0], (3, skeleton.N_JOINTS, 1))
    standing = Motion.from_rotations(
        rest, np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (3, 1)), config.data.fps
    )
    mean = features.encode(standing)[0].astype(np.float32)
    normaliser = Normaliser(mean, np.full(features.N_FEATURES, 0.01, dtype=np.float32))
    channels = config.vae.latent_channels
    denoisers = {
        name: make_generator(config)
        if name == "emdm"
        else Denoiser(config.denoiser, channels, name == "motionlcm")
        for name in samplers
    }
    for denoiser in denoisers.values():
        torch.nn.init.normal_(denoiser.latent_out.weight, std=0.05)
    stats = np.zeros(channels, dtype=np.float32), np.ones(channels, dtype=np.float32)
    write_bundle(folder / "random", config, normaliser, stats, MotionVAE(config.vae), denoisers)
    return folder / "random"


if __name__ == "__main__":
    print(write_random_bundle(Path(sys.argv[1])))
