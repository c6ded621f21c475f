# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage four: Motion ControlNet on the distilled student (MotionLCM; Dai et al. 2024, section 3.4).

The base networks are frozen. Per batch a time of the grid and a guidance weight are drawn as in distillation; the
student's clean estimate is decoded, the hints are told as what is missing from it, and the control network's
correction is judged in metres through the frozen decoder. Half of the batches have noisy latents of measured clips,
whose clean latents are known; the other half has what the student makes of pure noise, corrected once and noised
again, which is what a later step of sampling will see.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from motion_engine import features, skeleton
from motion_engine import quaternion as quat
from motion_engine.control_hints import hint_features
from motion_engine.runtime.torch.control import ControlConfig, ControlNet
from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.runtime.torch.vae import MotionVAE
from motion_engine.samplers.schedule import N_TRAIN
from training.config import Config
from training.data.loader import BalancedSampler, Normaliser
from training.data.motion_set import Item, MotionSet
from training.data.training_items import training_items
from training.decoded_joints import decoded_joints
from training.loop import EMA, autocast, fill, pick_device, read_checkpoint, train
from training.low_rank import add_low_rank, merged
from training.random_hints import random_mask
from training.text import CaptionFeatures
from training.train_lcm import load_lcm
from training.train_mld import alpha_bar
from training.train_vae import load_vae

BUCKET = 8
"""Batches that are drawn together and sorted by length; each is cut to its shortest clip, so nothing is padded."""

SHORTEST = 6
"""Latents: shorter windows leave nothing to control."""

CROP_SHARE = 0.5
LATENT_WEIGHT = 1.0
CHANGE_WEIGHT = 0.05
CONTROL_WEIGHT = 4.0


@dataclass
class ControlBatch:
    """Clean latents (B, L, C), joints (B, T, 22, 3), hint mask (B, T, 22, 3), text (B, S, width) and its mask."""

    latents: Tensor
    joints: Tensor
    hinted: Tensor
    text: Tensor
    text_mask: Tensor

    def _fields(self) -> tuple[Tensor, ...]:
        return self.latents, self.joints, self.hinted, self.text, self.text_mask

    def chunk(self, parts: int) -> list[ControlBatch]:
        """The batch in ``parts`` smaller ones."""
        return [ControlBatch(*part) for part in zip(*(t.chunk(parts) for t in self._fields()), strict=True)]

    def to(self, device: torch.device) -> ControlBatch:
        """The batch on another device."""
        return ControlBatch(*(t.to(device) for t in self._fields()))


@dataclass
class ControlWindow:
    """A training window: normalised latents (L, C) and their deviations, joints (T, 22, 3), captions, source."""

    mean: Tensor
    deviation: Tensor
    joints: np.ndarray
    captions: tuple[str, ...]
    source: str


class FrozenBase(nn.Module):
    """Student, decoder and statistics: from noisy latents to a clean estimate and its joints."""

    levels: Tensor
    latent_mean: Tensor
    latent_std: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: Config, folder: Path) -> None:
        super().__init__()
        self.student: Denoiser = load_lcm(config, folder)
        self.vae: MotionVAE = load_vae(config, folder)
        normaliser = Normaliser.load(folder / "normaliser.npz")
        with np.load(folder / "latent_stats.npz") as stats:
            named = {"latent_mean": stats["mean"], "latent_std": stats["std"]}
        named |= {"mean": normaliser.mean, "std": normaliser.std}
        for name, values in named.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(values, dtype=np.float32)))
        self.register_buffer("levels", alpha_bar(torch.device("cpu")))
        self.requires_grad_(False).eval()

    def estimate(self, noisy: Tensor, time: Tensor, text: Tensor, w: Tensor, text_mask: Tensor) -> Tensor:
        """Clean latents (B, L, C) that the student sees in noisy ones."""
        a = self.levels[time][:, None, None]
        with autocast(noisy.device):
            output = self.student(noisy, time, text, w, None, text_mask)
        output = output.float()
        return a.sqrt() * noisy - (1 - a).sqrt() * output

    def rows(self, clean: Tensor) -> Tensor:
        """Normalised features (B, T, 263) of clean latents."""
        with autocast(clean.device):
            rows = self.vae.decode(clean * self.latent_std + self.latent_mean)
        return rows.float()

    def joints(self, clean: Tensor) -> Tensor:
        """Joints (B, T, 22, 3) in metres of clean latents."""
        # kinematics in single precision: half of it would cost centimetres over a path
        return decoded_joints(self.rows(clean) * self.std + self.mean)

    def noised(self, clean: Tensor, time: Tensor) -> Tensor:
        """Clean latents with fresh noise of level ``time`` (B,)."""
        a = self.levels[time][:, None, None]
        return a.sqrt() * clean + (1 - a).sqrt() * torch.randn_like(clean)


@torch.no_grad()
def control_windows(
    base: FrozenBase, normaliser: Normaliser, items: list[Item], max_frames: int
) -> list[ControlWindow]:
    """Latents and joints of the training items that are long enough."""
    step = base.vae.downsampling
    device = base.mean.device
    found = []
    for item in items:
        length = min(len(item.features), max_frames) // step * step
        if length < SHORTEST * step:
            continue
        rows = torch.from_numpy(normaliser.apply(item.features[:length])).to(device)[None]
        mean, log_variance = base.vae.encode(rows)
        found.append(
            ControlWindow(
                ((mean[0] - base.latent_mean) / base.latent_std).cpu(),
                ((0.5 * log_variance[0]).exp() / base.latent_std).cpu(),
                features.recover_joints(item.features[:length]).astype(np.float32),
                item.captions,
                item.source,
            )
        )
    return found


def from_first_frame(joints: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) moved and turned so that frame 0 is at the origin and faces +Z."""
    front = skeleton.facing(joints[:1].astype(float))[0]
    turn = quat.about_axis(1, -np.arctan2(front[0], front[2]))
    return quat.rotate(turn, joints - joints[0, 0] * np.array([1.0, 0.0, 1.0])).astype(np.float32)


def control_batches(
    windows: list[ControlWindow],
    captions: CaptionFeatures,
    shares: dict[str, float],
    batch: int,
    downsampling: int,
    first: int = 0,
) -> Iterator[ControlBatch]:
    """Endless batches from number ``first`` on, each of clips of one length with random hints.

    Batch i is the same in every run.
    """
    sampler = BalancedSampler([window.source for window in windows], shares)
    skipped = first % BUCKET
    for bucket in itertools.count(first // BUCKET):
        random = np.random.default_rng((3, bucket))
        drawn = [windows[i] for i in sampler.draw(batch * BUCKET, random)]
        wanted = []
        for window in drawn:
            length = len(window.mean)
            if random.random() < CROP_SHARE:
                length = int(random.integers(min(SHORTEST, length), length + 1))
            wanted.append(length)
        order = np.argsort(wanted, kind="stable")
        for group in random.permutation(BUCKET)[skipped:]:
            members = order[group * batch : (group + 1) * batch]
            length = wanted[members[0]]
            parts = [_crop(drawn[i], length, downsampling, random) for i in members]
            text, text_mask = captions.batch([caption for *_, caption in parts])
            yield ControlBatch(
                torch.stack([latents for latents, *_ in parts]),
                torch.from_numpy(np.stack([joints for _, joints, _, _ in parts])),
                torch.from_numpy(np.stack([mask for _, _, mask, _ in parts])),
                text,
                text_mask,
            )
        skipped = 0


def _crop(
    window: ControlWindow, length: int, downsampling: int, random: np.random.Generator
) -> tuple[Tensor, np.ndarray, np.ndarray, str]:
    noise = random.standard_normal(window.mean.shape, dtype=np.float32)
    latents = window.mean + window.deviation * torch.from_numpy(noise)
    start = int(random.integers(0, len(latents) - length + 1))
    joints = window.joints[start * downsampling : (start + length) * downsampling]
    mask = random_mask(len(joints), random)
    caption = "" if random.random() < 0.1 else str(random.choice(window.captions))
    return latents[start : start + length], from_first_frame(joints), mask, caption


def control_error(joints: Tensor, targets: Tensor, hinted: Tensor) -> Tensor:
    """Mean distance in metres over the joints and frames with a target, over the coordinates that have one."""
    missing = (joints - targets) * hinted
    distance = (missing**2).sum(dim=-1).add(1e-6).sqrt()
    weight = hinted.any(dim=-1).to(distance)
    # clip by clip, so that a clip with one target counts as much as one with thousands
    return ((distance * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp_min(1.0)).mean()


def train_control(
    config: Config, motion_set: MotionSet, folder: Path, start_from: Path | None = None
) -> None:
    """Train on the hints of random windows; writes ``control.pt``.

    Parameters
    ----------
    start_from : folder of another run; its control network, where it has one, is trained further. With ``[adapter]`` in
        the configuration its weights stay, and low-rank matrices beside them are trained (`training.low_rank`).

    Raises
    ------
    ValueError
        If no window is long enough, or there is nothing that an adapter could be added to.
    """
    settings = config.control_training
    if settings is None:
        raise ValueError(f"The configuration of {config.bundle.name} lacks the section [control_training].")
    device = pick_device()
    base = FrozenBase(config, folder).to(device)
    items = training_items(motion_set, config.data)
    captions = CaptionFeatures(
        (caption for item in items for caption in item.captions),
        config.bundle.text_encoder,
        folder / "captions.npz",
    )
    normaliser = Normaliser.load(folder / "normaliser.npz")
    windows = control_windows(base, normaliser, items, config.data.max_frames)
    del items  # the features of a large set, which nobody needs any more
    if not windows:
        raise ValueError("No training window is long enough to learn control from.")
    torch.manual_seed(0)
    control = make_control(config)
    control.copy_base(base.student)
    if start_from is not None and (start_from / "control.pt").exists():
        fill(control, merged(read_checkpoint(start_from / "control.pt")["ema"]), start_from / "control.pt")
    elif config.adapter is not None:
        raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
    if config.adapter is not None:
        add_low_rank(control, config.adapter.rank)
    control = control.to(device)
    stride = N_TRAIN // config.lcm_training.grid
    low, high = config.lcm_training.guidance_range

    def correct(clean: Tensor, time: Tensor, batch: ControlBatch) -> tuple[Tensor, Tensor]:
        """The change of clean latents, and the joints before it."""
        with torch.no_grad():
            now = base.joints(clean)
            given = (part.cpu().numpy() for part in (now, batch.joints, batch.hinted))
            hints = hint_features(*given)
        with autocast(device):
            found = control(
                clean, torch.from_numpy(hints).to(device), time, batch.text, None, batch.text_mask
            )
        return found.float(), now

    def losses(batch: ControlBatch) -> dict[str, Tensor]:
        batch = batch.to(device)
        count = len(batch.latents)
        time = (torch.randint(0, config.lcm_training.grid, (count,), device=device) + 1) * stride - 1
        w = torch.rand(count, device=device) * (high - low) + low
        measured = bool(torch.rand(()) < 0.5)
        with torch.no_grad():
            if measured:
                clean = base.estimate(base.noised(batch.latents, time), time, batch.text, w, batch.text_mask)
            else:
                top = torch.full_like(time, N_TRAIN - 1)
                noise = torch.randn_like(batch.latents)
                clean = base.estimate(noise, top, batch.text, w, batch.text_mask)
                clean = clean + correct(clean, top, batch)[0]
                if torch.rand(()) < 0.7:  # else: corrected twice in one step
                    clean = base.estimate(base.noised(clean, time), time, batch.text, w, batch.text_mask)
        change, now = correct(clean, time, batch)
        found = clean + change
        before = control_error(now, batch.joints, batch.hinted)
        after = control_error(base.joints(found), batch.joints, batch.hinted)
        level = base.levels[time][:, None, None]
        least = ((1 - level) * change**2).mean()
        latent = (level * (found - batch.latents) ** 2).mean() if measured else torch.zeros_like(least)
        loss = CONTROL_WEIGHT * after + LATENT_WEIGHT * latent + CHANGE_WEIGHT * least
        return {"loss": loss, "before_m": before, "after_m": after, "latent": latent, "change": least}

    def drawn(step: int) -> Iterator[ControlBatch]:
        return control_batches(
            windows, captions, config.data.shares, settings.batch, config.vae.downsampling, step
        )

    train(
        control,
        drawn,
        losses,
        folder=folder,
        name="control",
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        ema=EMA(control, 0.995),
    )


def make_control(config: Config) -> ControlNet:
    """An untrained control network of the configuration."""
    settings = config.control_training
    if settings is None:
        raise ValueError(f"The configuration of {config.bundle.name} lacks the section [control_training].")
    return ControlNet(
        ControlConfig(settings.hint_width, settings.layers),
        config.denoiser,
        config.vae.latent_channels,
        config.vae.downsampling,
    )


def load_control(config: Config, folder: Path) -> ControlNet:
    """The trained control network with averaged weights, an adapter's merged in."""
    control = make_control(config)
    fill(control, merged(read_checkpoint(folder / "control.pt")["ema"]), folder / "control.pt")
    return control.eval()
