# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's folder from a bundle, so that its networks can be trained further or measured without the run itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion_engine.bundle import Bundle
from motion_engine.runtime.torch.backend import stored_weights
from motion_engine.runtime.torch.vae import MotionVAE, VAEConfig
from training.data.loader import Normaliser
from training.train_captioner import NAME as CAPTIONER
from training.train_mote import MOTION_TOKENS
from training.vocabulary import NAME as WORDS

_STAGES = ("mld", "motionlcm", "control", "control_frames", "emdm", "mote")
_PARTS = {
    CAPTIONER: {"motion": "caption_encoder", "text": "text_reader", "decoder": "text_decoder"},
    MOTION_TOKENS: {"encoder": "motion_encoder", "decoder": "motion_decoder"},
}
"""Stages whose networks a bundle holds apart, by the name of the part."""


def restore(bundle: Bundle, run: Path) -> list[str]:
    """Write ``normaliser.npz``, ``latent_stats.npz`` and a checkpoint of each network of ``bundle`` to ``run``.

    The weights are those that ship, most of them rounded to 8 bits; a few hundred steps bring back what that cost.
    A bundle without ``encoder`` gives a VAE whose encoder is untrained, one with adapters the adapted weights.

    Returns
    -------
    list of str
        Names of the stages restored.

    Raises
    ------
    ValueError
        If the folder has checkpoints already, or the bundle was made of a paper's networks.
    """
    settings = bundle.manifest["networks"]
    if settings.get("design") == "paper":
        raise ValueError(f"{bundle.name} holds a paper's networks: import its checkpoint instead.")
    if any(run.glob("*.pt")):
        raise ValueError(f"{run} has checkpoints already: name an empty folder.")
    run.mkdir(parents=True, exist_ok=True)
    with np.load(bundle.file("stats.npz")) as stats:
        Normaliser(stats["mean"], stats["std"]).save(run / "normaliser.npz")
        np.savez(run / "latent_stats.npz", mean=stats["latent_mean"], std=stats["latent_std"])
    torch.manual_seed(0)
    vae = MotionVAE(VAEConfig(**settings["vae"]))
    vae.decoder.load_state_dict(stored_weights(bundle, "decoder"))
    if "encoder.safetensors" in bundle.files:
        vae.encoder.load_state_dict(stored_weights(bundle, "encoder"))
    _save(vae.state_dict(), run / "vae.pt")
    restored = ["vae"]
    for stage in _STAGES:
        if f"{stage}.safetensors" in bundle.files:
            _save(stored_weights(bundle, stage), run / f"{stage}.pt")
            restored.append(stage)
    for stage, parts in _PARTS.items():
        if all(f"{name}.safetensors" in bundle.files for name in parts.values()):
            weights = {
                f"{part}.{key}": value
                for part, name in parts.items()
                for key, value in stored_weights(bundle, name).items()
            }
            _save(weights, run / f"{stage}.pt")
            restored.append(stage)
    if CAPTIONER in restored:
        (run / WORDS).write_bytes(bundle.file(WORDS).read_bytes())
    return restored


def _save(weights: dict[str, Tensor], file: Path) -> None:
    temporary = file.with_suffix(".part")
    torch.save({"module": weights, "ema": weights, "optimiser": {}, "step": 0}, temporary)
    temporary.replace(file)
