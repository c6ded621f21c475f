# SPDX-License-Identifier: GPL-3.0-or-later
"""MoTe: the motion encoder-decoder, then the diffusion model of motion and text tokens (facts: MoTe 2024).

Both time steps are drawn apart (UniDiffuser, Bao et al. 2023), and more often than chance has it where sampling goes:
one side clean, one side noise alone, both alike.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from motion_engine.runtime.torch.mote import MoTeConfig, MotionTextDenoiser, MotionTokens
from motion_engine.samplers.schedule import N_TRAIN
from training.config import Config, MoTeTraining
from training.latents import Batch, batches
from training.loop import EMA, autocast, load_average, pick_device, train
from training.train_captioner import captioner_sections, load_captioner
from training.train_mld import LatentData, alpha_bar, diffuse, masked_mean

MOTION_TOKENS, DENOISER = "mote_motion", "mote"

CLEAN, ALONE, ALIKE = 0.5, 0.15, 0.15
"""Shares of the batch in which one side is clean, one is noise alone, and both have the same time."""


def mote_sections(config: Config) -> tuple[MoTeConfig, MoTeTraining]:
    """Both sections of a configuration; ValueError if one is missing."""
    networks, training = config.mote, config.mote_training
    for name, section in (("mote", networks), ("mote_training", training)):
        if section is None:
            raise ValueError(f"The configuration of {config.bundle.name} lacks the section [{name}].")
    assert networks is not None and training is not None
    return networks, training


def make_motion_tokens(config: Config) -> MotionTokens:
    """An untrained motion encoder-decoder."""
    networks, _ = mote_sections(config)
    return MotionTokens(networks, config.vae.latent_channels, captioner_sections(config)[0].token_width)


def make_mote(config: Config) -> MotionTextDenoiser:
    """An untrained diffusion model of motion and text."""
    networks, _ = mote_sections(config)
    captioner, _ = captioner_sections(config)
    return MotionTextDenoiser(networks, captioner.token_width, captioner.text_tokens)


def train_motion_tokens(
    config: Config, data: LatentData, folder: Path, start_from: Path | None = None
) -> None:
    """Reconstruction of the latents through l tokens with a little noise; writes ``mote_motion.pt``."""
    _, settings = mote_sections(config)
    device = pick_device()
    torch.manual_seed(0)
    tokens = make_motion_tokens(config)
    if start_from is not None:
        load_average(tokens, start_from / f"{MOTION_TOKENS}.pt").train()
    tokens = tokens.to(device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        with autocast(device):
            found = tokens(batch.latents, batch.mask, settings.token_noise)
        return {"loss": masked_mean((found.float() - batch.latents) ** 2, batch.mask)}

    train(
        tokens,
        lambda first: batches(
            data.windows, data.captions, config, settings.motion_batch, caption_drop=0.0, seed=4, first=first
        ),
        losses,
        folder=folder,
        name=MOTION_TOKENS,
        steps=settings.motion_steps,
        learning_rate=settings.motion_rate,
        ema=EMA(tokens, 0.998),
    )


def draw_times(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Times (count,) of motion and text; see `CLEAN`, `ALONE` and `ALIKE`."""
    motion, text = torch.randint(0, N_TRAIN, (2, count), device=device)
    kind, side = torch.rand(count, device=device), torch.rand(count, device=device) < 0.5
    for low, share, value in ((0.0, CLEAN, 0), (CLEAN, ALONE, N_TRAIN - 1)):
        chosen = (kind >= low) & (kind < low + share)
        motion = torch.where(chosen & side, value, motion)
        text = torch.where(chosen & ~side, value, text)
    return motion, torch.where(kind >= 1.0 - ALIKE, motion, text)


def train_mote(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Velocities of the tokens of motion and text; writes ``mote.pt``."""
    _, settings = mote_sections(config)
    device = pick_device()
    torch.manual_seed(0)
    denoiser = make_mote(config)
    if start_from is not None:
        load_average(denoiser, start_from / f"{DENOISER}.pt").train()
    denoiser = denoiser.to(device)
    encoder = load_motion_tokens(config, folder).encoder.requires_grad_(False).to(device)
    reader = load_captioner(config, folder)[0].text.requires_grad_(False).to(device)
    levels = alpha_bar(device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        with torch.no_grad(), autocast(device):
            motion = encoder(batch.latents, batch.mask).float()
            text = reader(batch.text, batch.text_mask)[:, 1:].float()
        times = draw_times(len(motion), device)
        noisy, targets = zip(
            *(
                diffuse(clean, torch.randn_like(clean), time, levels)
                for clean, time in zip((motion, text), times, strict=True)
            ),
            strict=True,
        )
        with autocast(device):
            found = denoiser(*noisy, *times).float()
        count = motion.shape[1]
        # a side that was given clean has nothing to be learned from
        weights = [(time > 0).float()[:, None, None] for time in times]
        motion_error = (weights[0] * (found[:, :count] - targets[0]) ** 2).mean()
        text_error = (weights[1] * (found[:, count:] - targets[1]) ** 2).mean()
        return {"motion": motion_error, "text": text_error, "loss": motion_error + text_error}

    train(
        denoiser,
        # a side that is noise alone takes the place of a dropped caption
        lambda first: batches(
            data.windows, data.captions, config, settings.batch, caption_drop=0.0, seed=5, first=first
        ),
        losses,
        folder=folder,
        name=DENOISER,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=0.01,
        ema=EMA(denoiser, 0.999),
    )


def load_motion_tokens(config: Config, folder: Path) -> MotionTokens:
    """The trained motion encoder-decoder with averaged weights."""
    tokens = make_motion_tokens(config)
    load_average(tokens, folder / f"{MOTION_TOKENS}.pt")
    return tokens


def load_mote(config: Config, folder: Path) -> MotionTextDenoiser:
    """The trained diffusion model with averaged weights."""
    denoiser = make_mote(config)
    load_average(denoiser, folder / f"{DENOISER}.pt")
    return denoiser
