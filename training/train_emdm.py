# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM on latents, or on frames: a conditional denoising diffusion GAN (Zhou et al. 2024; Xiao et al. 2022).

At a random level t the generator sees x(t + 1) and names clean latents; the step back from them to x(t) is what the
discriminator compares with the x(t) that diffusion made. Beside the adversarial loss stand the reconstruction of the
latents and, through the frozen decoder, of joints, their velocities and standing feet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from motion_engine import skeleton
from motion_engine.runtime.torch.denoiser import guidance_embedding
from motion_engine.runtime.torch.emdm import EMDMConfig, Generator
from training.adversarial_loop import PairRates, train_pair
from training.config import Config, EMDMSection, EMDMTraining
from training.data.loader import Normaliser
from training.denoising_gan import Diffusion, balance, fake_loss, gradient_penalty, real_loss
from training.emdm_discriminator import LatentDiscriminator
from training.geometry import world_joints
from training.latents import Batch, batches
from training.loop import EMA, autocast, fill, pick_device, read_checkpoint
from training.low_rank import add_low_rank, merged
from training.motion_space import begin_in_motion_space
from training.train_lcm import load_lcm
from training.train_mld import LatentData, load_mld, masked_mean
from training.train_vae import load_vae, reconstruction_losses, weighted

STANDING = 0.01
"""Metres a frame: a foot that is not faster than this stands."""

WARM_STARTS = ("", "mld", "motionlcm")


def emdm_sections(config: Config) -> tuple[EMDMSection, EMDMTraining]:
    """Both sections of a configuration.

    Raises
    ------
    ValueError
        If one is missing, or asks for what cannot be.
    """
    networks, training = config.emdm, config.emdm_training
    for name, section in (("emdm", networks), ("emdm_training", training)):
        if section is None:
            raise ValueError(f"The configuration of {config.bundle.name} lacks the section [{name}].")
    assert networks is not None and training is not None
    if networks.levels < 1 or networks.noise_width < 1:
        raise ValueError(f"[emdm] levels and noise_width are 1 or more, not {networks}.")
    if config.vae.motion_space:
        if training.warm_start in ("mld", "motionlcm"):
            raise ValueError(
                "[emdm_training] warm_start names, with a [vae] of width 0, a bundle whose teacher has the layers to "
                f"begin with, or nothing; {training.warm_start!r} of the same run would be a network of frames."
            )
    elif training.warm_start not in WARM_STARTS:
        raise ValueError(
            f"[emdm_training] warm_start is one of {', '.join(map(repr, WARM_STARTS))}, not {training.warm_start!r}."
        )
    if len(training.reconstruction) != 2 or training.penalty_every < 1:
        raise ValueError("[emdm_training] reconstruction has two weights, and penalty_every is 1 or more.")
    return networks, training


def make_generator(config: Config) -> Generator:
    """An untrained generator of the configuration."""
    networks, _ = emdm_sections(config)
    return Generator(
        config.denoiser, config.vae.latent_channels, EMDMConfig(networks.levels, networks.noise_width)
    )


def make_discriminator(config: Config) -> LatentDiscriminator:
    """An untrained discriminator of the configuration; its heads are as wide as the denoiser's."""
    networks, _ = emdm_sections(config)
    width = networks.discriminator_width
    heads = max(width * config.denoiser.heads // config.denoiser.width, 1)
    if width % heads:
        raise ValueError(
            f"[emdm] discriminator_width is a multiple of {heads}, its number of heads, not {width}."
        )
    sizes = replace(
        config.denoiser,
        width=width,
        layers=networks.discriminator_layers,
        heads=heads,
        feed_forward=2 * width,
        dropout=0.0,
    )
    return LatentDiscriminator(sizes, config.vae.latent_channels)


@torch.no_grad()
def warm_start(generator: Generator, config: Config, folder: Path, name: str) -> None:
    """Begin with the weights of ``mld.pt`` or ``motionlcm.pt`` of a run: at noise of their level all speak of velocity.

    The student's guidance is the one of its preset from then on: what its map of w adds to every time moves into the
    bias behind it.
    """
    if name == "mld":
        weights = load_mld(config, folder).state_dict()
    else:
        student = load_lcm(config, folder)
        first = student.time[0]
        assert student.guidance is not None and isinstance(first, nn.Linear)
        w = torch.tensor([config.presets["motionlcm"]["guidance"] - 1.0])
        first.bias.add_(first.weight @ student.guidance(guidance_embedding(w))[0])
        weights = student.state_dict()
        del weights["guidance.weight"]
    missing, unexpected = generator.load_state_dict(weights, strict=False)
    assert not unexpected and all(key.startswith("noise.") for key in missing)


class FrozenDecoder(nn.Module):
    """The VAE's decoder with its statistics: what a clip of clean latents looks like."""

    latent_mean: Tensor
    latent_std: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: Config, data: LatentData, folder: Path) -> None:
        super().__init__()
        self.vae = load_vae(config, folder)
        normaliser = Normaliser.load(folder / "normaliser.npz")
        named = {
            "latent_mean": data.centre, "latent_std": data.scale, "mean": normaliser.mean, "std": normaliser.std,
        }  # fmt: skip
        for key, values in named.items():
            self.register_buffer(key, torch.from_numpy(np.asarray(values, dtype=np.float32)))
        self.requires_grad_(False).eval()

    def rows(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Normalised features (B, T, 263); behind its length a clip is padded with zeros, as at its end it is."""
        latents = (latents * self.latent_std + self.latent_mean) * mask[..., None]
        with autocast(latents.device):
            rows = self.vae.decode(latents)
        return rows.float()

    def losses(self, clean: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction of the decoded clip as the VAE's training weighs it, and the slide of standing feet.

        Latents (B, L, C) normalised, mask (B, L). The second is the mean speed in metres a frame.
        """
        frames = mask.repeat_interleave(self.vae.downsampling, dim=1)
        found = self.rows(clean, mask)
        with torch.no_grad():
            wanted = self.rows(target, mask)
        parts = reconstruction_losses(found, wanted, frames, self.mean, self.std)
        return weighted(parts), foot_slide(
            found * self.std + self.mean, wanted * self.std + self.mean, frames
        )


def foot_slide(rows: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean speed, metres a frame, of ankles and toes of ``rows`` (B, T, 263) where those of ``target`` stand."""
    feet = list(skeleton.FOOT_JOINTS)
    speed = torch.diff(world_joints(rows)[..., feet, :], dim=1).square().sum(dim=-1).add(1e-10).sqrt()
    with torch.no_grad():
        before = torch.diff(world_joints(target)[..., feet, :], dim=1).norm(dim=-1)
        standing = (before <= STANDING) & (mask[:, 1:] & mask[:, :-1])[..., None]
    return (speed * standing).sum() / standing.sum().clamp_min(1)


def train_emdm(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Train generator and discriminator; writes ``emdm.pt``.

    Unlike the published code, both networks know how long a clip is, one pass of the generator serves all losses of a
    step, and where the caption is dropped the discriminator does not see it either.

    Parameters
    ----------
    start_from : folder of another run whose generator is trained further, and its discriminator where it has one: a
        run that `training.restore` made has none, and a new one begins. With ``[adapter]`` in the configuration the
        generator's weights stay, and low-rank matrices beside them are trained (`training.low_rank`).

    Raises
    ------
    ValueError
        If there is nothing that an adapter could be added to.
    """
    networks, settings = emdm_sections(config)
    device = pick_device()
    torch.manual_seed(0)
    generator, discriminator = make_generator(config), make_discriminator(config)
    if start_from is not None and (start_from / "emdm.pt").exists():
        state = read_checkpoint(start_from / "emdm.pt")
        fill(generator, merged(state["ema"]), start_from / "emdm.pt")
        if "discriminator" in state:
            fill(discriminator, state["discriminator"], start_from / "emdm.pt")
    elif config.adapter is not None:
        raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
    elif settings.warm_start and not (folder / "emdm.pt").exists():
        if config.vae.motion_space:
            begin_in_motion_space(generator, config, data, folder)
        else:
            warm_start(generator, config, folder, settings.warm_start)
    if config.adapter is not None:
        add_low_rank(generator, config.adapter.rank)
    generator, discriminator = generator.to(device), discriminator.to(device)
    decoder = FrozenDecoder(config, data, folder).to(device)
    diffusion = Diffusion(networks.levels).to(device)
    at_noise, at_clean = settings.reconstruction

    def losses(batch: Batch, step: int) -> Iterator[dict[str, Tensor]]:
        batch = batch.to(device)
        latents, text = batch.latents, (batch.text, batch.mask, batch.text_mask)
        count = len(latents)
        time = torch.randint(0, networks.levels, (count,), device=device)
        earlier, later = diffusion.pair(latents, time, torch.randn_like(latents), torch.randn_like(latents))
        z = torch.randn(count, networks.noise_width, device=device)
        with autocast(device):
            clean = generator(later, time, batch.text, z, batch.mask, batch.text_mask).float()
        made = diffusion.step_back(clean, later, time, torch.randn_like(latents))

        penalised = step % settings.penalty_every == 0
        with nullcontext() if penalised else autocast(device):  # a second derivative wants all its digits
            real = discriminator(earlier.requires_grad_(penalised), later, time, *text).float()
        with autocast(device):
            fake = discriminator(made.detach(), later, time, *text).float()
        told = {"loss": real_loss(real) + fake_loss(fake), **balance(real.detach(), fake.detach())}
        if penalised:
            told["r1"] = gradient_penalty(real, earlier)
            told["loss"] = told["loss"] + 0.5 * settings.penalty * told["r1"]
        yield told

        with autocast(device):
            adversarial = real_loss(discriminator(made, later, time, *text).float())
        share = (diffusion.signal[time + 1] ** 2)[:, None, None]
        error = (clean - latents) ** 2
        parts = {
            "adversarial": adversarial,
            "reconstruction": masked_mean((at_noise + (at_clean - at_noise) * share) * error, batch.mask),
        }
        parts["loss"] = parts["adversarial"] + parts["reconstruction"]
        if settings.geometric_clips and (settings.geometric or settings.foot):
            some = slice(settings.geometric_clips)
            length = int(batch.mask[some].sum(dim=1).max())
            parts["geometric"], parts["foot"] = decoder.losses(
                clean[some, :length], latents[some, :length], batch.mask[some, :length]
            )
            parts["loss"] = parts["loss"] + settings.geometric * parts["geometric"]
            parts["loss"] = parts["loss"] + settings.foot * parts["foot"]
        yield parts

    def drawn(first: int) -> Iterator[Batch]:
        return batches(
            data.windows, data.captions, config, settings.batch, settings.caption_drop, seed=2, first=first
        )

    train_pair(
        generator,
        discriminator,
        drawn,
        losses,
        folder=folder,
        name="emdm",
        steps=settings.steps,
        rates=PairRates(settings.learning_rate, settings.discriminator_rate),
        ema=EMA(generator, settings.ema),
    )


def load_emdm(config: Config, folder: Path) -> Generator:
    """The trained generator with averaged weights, an adapter's merged in."""
    generator = make_generator(config)
    fill(generator, merged(read_checkpoint(folder / "emdm.pt")["ema"]), folder / "emdm.pt")
    return generator.eval()
