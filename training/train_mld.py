# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage two: motion latent diffusion (MLD), the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.samplers.schedule import ALPHA_BAR, N_TRAIN
from training.config import Config
from training.data.loader import Normaliser
from training.data.motion_set import MotionSet
from training.data.training_items import training_items
from training.latents import Batch, LatentWindow, batches, encode_windows
from training.loop import EMA, autocast, fill, load_average, pick_device, read_checkpoint, train
from training.low_rank import add_low_rank, merged
from training.text import CaptionFeatures
from training.train_vae import load_vae


@dataclass
class LatentData:
    """Training windows in the latent space and the features of their captions."""

    windows: list[LatentWindow]
    captions: CaptionFeatures
    centre: np.ndarray
    scale: np.ndarray


def latent_data(config: Config, motion_set: MotionSet, folder: Path) -> LatentData:
    """Encode the training windows with the trained VAE; captions are cached in ``captions.npz``.

    A folder that holds ``latent_stats.npz`` already, as one made of a bundle does, keeps that scale of the latents:
    the networks trained before know no other.
    """
    vae = load_vae(config, folder).to(pick_device())
    normaliser = Normaliser.load(folder / "normaliser.npz")
    found = training_items(motion_set, config.data)
    windows, centre, scale = encode_windows(vae, normaliser, found, config.data.max_frames)
    captions = CaptionFeatures(
        (caption for item in found for caption in item.captions),
        config.bundle.text_encoder,
        folder / "captions.npz",
    )
    stats = folder / "latent_stats.npz"
    if stats.exists():
        with np.load(stats) as known:
            windows = rescaled(windows, (centre, scale), (known["mean"], known["std"]))
            centre, scale = known["mean"], known["std"]
    else:
        np.savez(stats, mean=centre, std=scale)
    return LatentData(windows, captions, centre, scale)


def rescaled(
    windows: Sequence[LatentWindow], old: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray]
) -> list[LatentWindow]:
    """Windows normalised by the statistics ``old``, mean and deviation (C,), as ``new`` ones would have it."""
    factor = torch.from_numpy((old[1] / new[1]).astype(np.float32))
    shift = torch.from_numpy(((old[0] - new[0]) / new[1]).astype(np.float32))
    return [
        replace(window, mean=window.mean * factor + shift, deviation=window.deviation * factor)
        for window in windows
    ]


def alpha_bar(device: torch.device) -> Tensor:
    """(1000,) the schedule of the samplers, float32."""
    return torch.tensor(ALPHA_BAR, dtype=torch.float32, device=device)


def diffuse(clean: Tensor, noise: Tensor, time: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """Noisy latents at ``time`` (B,) and the target v = sqrt(a) noise - sqrt(1 - a) clean."""
    a = levels[time][:, None, None]
    signal, sigma = a.sqrt(), (1 - a).sqrt()
    return signal * clean + sigma * noise, signal * noise - sigma * clean


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` (B, L, C) where ``mask`` (B, L) is True."""
    weight = mask[..., None].to(values)
    return (values * weight).sum() / (weight.sum() * values.shape[-1])


def train_mld(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Velocity prediction with uniform time steps; writes ``mld.pt``.

    Parameters
    ----------
    start_from : folder of another run whose teacher's weights this one begins with. With ``[adapter]`` in the
        configuration they stay, and low-rank matrices beside them are trained (`training.low_rank`).

    Raises
    ------
    ValueError
        If there is nothing that an adapter could be added to.
    """
    settings = config.mld_training
    device = pick_device()
    torch.manual_seed(0)
    denoiser = Denoiser(config.denoiser, config.vae.latent_channels).to(device)
    if start_from is not None:
        load_average(denoiser, start_from / "mld.pt").train()
    if config.adapter is not None:
        if start_from is None:
            raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
        add_low_rank(denoiser, config.adapter.rank)
    levels = alpha_bar(device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        noise = torch.randn_like(batch.latents)
        time = torch.randint(0, N_TRAIN, (len(noise),), device=device)
        noisy, target = diffuse(batch.latents, noise, time, levels)
        with autocast(device):
            output = denoiser(noisy, time, batch.text, None, batch.mask, batch.text_mask)
        return {"loss": masked_mean((output.float() - target) ** 2, batch.mask)}

    train(
        denoiser,
        lambda first: batches(
            data.windows, data.captions, config, settings.batch, settings.caption_drop, first=first
        ),
        losses,
        folder=folder,
        name="mld",
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=0.01,
        ema=EMA(denoiser, 0.999),
    )


def load_mld(config: Config, folder: Path) -> Denoiser:
    """The trained teacher with averaged weights, an adapter's merged in."""
    denoiser = Denoiser(config.denoiser, config.vae.latent_channels)
    fill(denoiser, merged(read_checkpoint(folder / "mld.pt")["ema"]), folder / "mld.pt")
    return denoiser.eval()
