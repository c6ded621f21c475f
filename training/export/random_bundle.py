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
from training.export.captions import CaptionSide
from training.train_captioner import make_captioner
from training.train_emdm import make_generator
from training.train_mote import make_mote, make_motion_tokens
from training.vocabulary import Vocabulary

SENTENCES = (
    "a person walks forward, then turns to the left and sits down",
    "someone jumps twice and waves with the right hand",
    "the man raises both arms over the head in a t-pose",
)
"""Whose words an untrained captioner writes."""


def write_random_bundle(
    folder: Path,
    config: Config | None = None,
    samplers: Sequence[str] = ("motionlcm", "mld"),
    captions: bool = False,
) -> Path:
    """Write ``FOLDER/random`` with the given samplers, and the caption side if wished.

    Its motions tremble around the T-pose, its captions are words in any order.
    """
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
    write_bundle(
        folder / "random",
        config,
        normaliser,
        stats,
        MotionVAE(config.vae),
        denoisers,
        captions=random_caption_side(config) if captions else None,
    )
    return folder / "random"


def random_caption_side(config: Config) -> CaptionSide | None:
    """Untrained networks over the words of `SENTENCES`; None where the configuration has no caption side."""
    if config.captioner is None or config.mote is None:
        return None
    vocabulary = Vocabulary.of(SENTENCES, config.bundle.text_encoder)
    mote = make_mote(config)
    for last in (mote.motion_out, mote.text_out):
        torch.nn.init.normal_(last.weight, std=0.05)
    return CaptionSide(
        make_captioner(config, len(vocabulary)), vocabulary, make_motion_tokens(config), mote, config.mote
    )


if __name__ == "__main__":
    print(write_random_bundle(Path(sys.argv[1]), captions=True))
