# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a paper's recipe: VAE, MLD, MotionLCM. Single precision throughout, as published."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.paper.denoiser import Denoiser
from motion_engine.runtime.torch.paper.vae import MotionVAE
from motion_engine.samplers.schedule import N_TRAIN
from training.ddim import guided_ddim_step
from training.loop import EMA, fill, pick_device, read_checkpoint, train
from training.paper.config import PaperConfig
from training.paper.data import PaperData, SentenceVectors
from training.paper.losses import kl_to_unit, vae_losses
from training.train_lcm import consistency, pseudo_huber
from training.train_mld import alpha_bar

Network = TypeVar("Network", bound=nn.Module)


class SteadyEMA(EMA):
    """An average whose decay is the same from the first step on; with decay 0 it is the network itself."""

    @torch.no_grad()
    def update(self, module: nn.Module, step: int | None = None) -> None:
        """Blend in the present parameters."""
        super().update(module, None)


def steps_of(config: PaperConfig, data: PaperData, stage: str) -> int:
    """Optimiser steps of a stage: its epochs over the items there are."""
    section = getattr(config, stage)
    return int(section.epochs * data.steps_an_epoch(section.batch))


def train_vae(config: PaperConfig, data: PaperData, vectors: SentenceVectors, folder: Path) -> None:
    """Stage one: features and joints by Smooth L1, KL to the unit Gaussian; writes ``vae.pt``."""
    settings, device = config.vae, pick_device()
    torch.manual_seed(0)
    vae = MotionVAE(config.networks.vae(config.data.features)).to(device)
    mean, std = (torch.from_numpy(values).to(device) for values in (data.mean, data.std))

    def losses(batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        motion, mask = (part.to(device) for part in batch[:2])
        latent_mean, latent_std = vae.encode(motion, mask)
        recovered = vae.decode(latent_mean + latent_std * torch.randn_like(latent_mean), mask)
        counted = mask if settings.mask_loss else None
        parts = vae_losses(recovered, motion, counted, lambda x: x * std + mean, config.data.joints)
        parts["kl"] = kl_to_unit(latent_mean, latent_std)
        parts["loss"] = (
            parts["feature"] + settings.joint_weight * parts["joint"] + settings.kl_weight * parts["kl"]
        )
        return parts

    train(
        vae,
        lambda first: data.batches(settings.batch, vectors, first),
        losses,
        folder=folder,
        name="vae",
        steps=steps_of(config, data, "vae"),
        learning_rate=settings.learning_rate,
        ema=SteadyEMA(vae, 0.0),
        warm_up=settings.warm_up,
        cosine=settings.cosine,
        betas=(0.9, 0.999),
    )


def train_mld(config: PaperConfig, data: PaperData, vectors: SentenceVectors, folder: Path) -> None:
    """Stage two: the noise in the latents of the frozen VAE is predicted; writes ``mld.pt``."""
    settings, device = config.mld, pick_device()
    torch.manual_seed(0)
    vae = load_vae(config, folder).to(device)
    denoiser = Denoiser(config.networks.denoiser(guided=False)).to(device)
    levels, empty = alpha_bar(device), vectors.empty.to(device)

    def losses(batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        latents, text = encode_batch(vae, batch, device)
        dropped = torch.rand(len(text), 1, 1, device=device) < settings.caption_drop
        time = torch.randint(0, N_TRAIN, (len(latents),), device=device)
        noise = torch.randn_like(latents)
        a = levels[time][:, None, None]
        noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
        return {"loss": F.mse_loss(denoiser(noisy, time, torch.where(dropped, empty, text)), noise)}

    train(
        denoiser,
        lambda first: data.batches(settings.batch, vectors, first),
        losses,
        folder=folder,
        name="mld",
        steps=steps_of(config, data, "mld"),
        learning_rate=settings.learning_rate,
        ema=SteadyEMA(denoiser, 0.0),
        warm_up=settings.warm_up,
        cosine=settings.cosine,
        betas=(0.9, 0.999),
    )


def train_motionlcm(config: PaperConfig, data: PaperData, vectors: SentenceVectors, folder: Path) -> None:
    """Stage three: latent consistency distillation of the teacher (algorithm 1 of MotionLCM); writes ``motionlcm.pt``.

    The teacher is called without the guidance embedding, with and without the caption; student and target get w.
    Unlike the published training, teacher and VAE run without dropout.
    """
    assert config.motionlcm is not None
    settings, device = config.motionlcm, pick_device()
    torch.manual_seed(0)
    vae, teacher = load_vae(config, folder).to(device), load_mld(config, folder).to(device)
    student = Denoiser(config.networks.denoiser(guided=True)).to(device)
    student.load_state_dict(teacher.state_dict(), strict=False)  # all but the map of w, which starts at zero
    target = SteadyEMA(student, settings.ema)
    levels, empty = alpha_bar(device), vectors.empty.to(device)
    stride = N_TRAIN // settings.grid
    low, high = settings.guidance_range

    def losses(batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        latents, text = encode_batch(vae, batch, device)
        count = len(latents)
        time = (torch.randint(0, settings.grid, (count,), device=device) + 1) * stride - 1
        earlier = (time - stride).clamp(min=0)
        w = torch.rand(count, device=device) * (high - low) + low
        a, a_next = levels[time][:, None, None], levels[earlier][:, None, None]
        noisy = a.sqrt() * latents + (1 - a).sqrt() * torch.randn_like(latents)
        with torch.no_grad():
            conditional = teacher(noisy, time, text)
            unconditional = teacher(noisy, time, empty.expand(count, -1, -1))
            stepped = guided_ddim_step(
                conditional, unconditional, noisy, w[:, None, None], a, a_next, "epsilon"
            )
            goal = target.module(stepped, earlier, text, w)
            goal = consistency(goal, stepped, earlier, levels, "epsilon")
        found = consistency(student(noisy, time, text, w), noisy, time, levels, "epsilon")
        return {"loss": pseudo_huber(found - goal, settings.huber).mean()}

    train(
        student,
        lambda first: data.batches(settings.batch, vectors, first),
        losses,
        folder=folder,
        name="motionlcm",
        steps=steps_of(config, data, "motionlcm"),
        learning_rate=settings.learning_rate,
        ema=target,
        warm_up=settings.warm_up,
        cosine=settings.cosine,
        betas=(settings.betas[0], settings.betas[1]),
    )


@torch.no_grad()
def encode_batch(vae: MotionVAE, batch: tuple[Tensor, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Sampled latents (B, L, C) of a batch, and its sentence vectors."""
    motion, mask, text = (part.to(device) for part in batch)
    mean, std = vae.encode(motion, mask)
    return mean + std * torch.randn_like(mean), text


def load_vae(config: PaperConfig, folder: Path) -> MotionVAE:
    """The trained VAE."""
    return _trained(MotionVAE(config.networks.vae(config.data.features)), folder / "vae.pt")


def load_mld(config: PaperConfig, folder: Path) -> Denoiser:
    """The trained teacher."""
    return _trained(Denoiser(config.networks.denoiser(guided=False)), folder / "mld.pt")


def load_motionlcm(config: PaperConfig, folder: Path) -> Denoiser:
    """The distilled student itself, which is what the papers' checkpoints hold, not its average."""
    return _trained(Denoiser(config.networks.denoiser(guided=True)), folder / "motionlcm.pt")


def _trained(network: Network, checkpoint: Path) -> Network:
    fill(network, read_checkpoint(checkpoint)["module"], checkpoint)
    return network.eval().requires_grad_(False)
