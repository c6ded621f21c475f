# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one: the motion VAE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine import features
from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.data.loader import Normaliser, crops
from training.data.motion_set import MotionSet
from training.geometry import pelvis_frame_joints, root_path
from training.loop import EMA, autocast, load_average, pick_device, train

CONTEXT = 30.0
"""Seconds around a caption's window that the VAE, which reads no captions, may look at: in effect the whole clip."""

# Few numbers carry the root and the contacts; without weight they would drown among 63 + 126 + 66 others.
_WEIGHTS = torch.ones(features.N_FEATURES)
_WEIGHTS[features.YAW_VELOCITY] = 10.0
_WEIGHTS[features.ROOT_VELOCITY] = 10.0
_WEIGHTS[features.ROOT_HEIGHT] = 10.0
_WEIGHTS[features.CONTACTS] = 2.0


def reconstruction_losses(
    recovered: Tensor, original: Tensor, mask: Tensor, mean: Tensor, std: Tensor
) -> dict[str, Tensor]:
    """Smooth L1 on normalised features, and in metres on joints by FK, their velocities, and the root's path.

    Shapes: features (B, T, 263) normalised, mask (B, T).
    """
    weight = mask[..., None].to(recovered)
    count = weight.sum()
    feature = (
        F.smooth_l1_loss(recovered, original, reduction="none") * weight * _WEIGHTS.to(recovered)
    ).sum() / (count * features.N_FEATURES)
    rows, target_rows = recovered * std + mean, original * std + mean
    joints = pelvis_frame_joints(rows)
    with torch.no_grad():
        target_joints = pelvis_frame_joints(target_rows)
    error = joints - target_joints
    pair = (mask[:, 1:] & mask[:, :-1])[..., None, None].to(recovered)
    joint = (error.abs() * weight[..., None]).sum() / (count * 66)
    velocity = ((error[:, 1:] - error[:, :-1]).abs() * pair).sum() / (pair.sum() * 66)
    path = ((root_path(rows) - root_path(target_rows)).abs() * weight).sum() / (count * 2)
    return {"feature": feature, "joint": joint, "velocity": velocity, "path": path}


def train_vae(config: Config, motion_set: MotionSet, folder: Path) -> None:
    """Train on random crops of the training clips; writes ``normaliser.npz`` and ``vae.pt``."""
    settings = config.vae_training
    device = pick_device()
    clips = list(motion_set.items("train", mirrored=True, context=CONTEXT))
    normaliser = Normaliser.fit(clips)
    folder.mkdir(parents=True, exist_ok=True)
    normaliser.save(folder / "normaliser.npz")
    mean, std = (torch.from_numpy(values).to(device) for values in (normaliser.mean, normaliser.std))
    torch.manual_seed(0)
    vae = MotionVAE(config.vae).to(device)

    def losses(batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        original, mask = (part.to(device) for part in batch)
        with autocast(device):
            recovered, latent_mean, log_variance = vae(original)
        latent_mean, log_variance = latent_mean.float(), log_variance.float()
        parts = reconstruction_losses(recovered.float(), original, mask, mean, std)
        parts["kl"] = 0.5 * (latent_mean**2 + log_variance.exp() - log_variance - 1).mean()
        parts["loss"] = (
            parts["feature"]
            + 4 * parts["joint"]
            + 8 * parts["velocity"]
            + parts["path"]
            + settings.kl_weight * parts["kl"]
        )
        return parts

    train(
        vae,
        crops(clips, normaliser, config.data.shares, settings.batch, settings.crop),
        losses,
        folder=folder,
        name="vae",
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        ema=EMA(vae, 0.999),
    )


@torch.no_grad()
def reconstruct(vae: MotionVAE, normaliser: Normaliser, rows: np.ndarray) -> np.ndarray:
    """Features (T, 263) through the VAE's mean and back; T is cut to a multiple of the downsampling."""
    length = len(rows) // vae.downsampling * vae.downsampling
    normalised = torch.from_numpy(normaliser.apply(rows[:length]).astype(np.float32))[None]
    recovered = vae.decode(vae.encode(normalised)[0])[0].numpy()
    return recovered * normaliser.std + normaliser.mean


def load_vae(config: Config, folder: Path) -> MotionVAE:
    """The trained VAE with averaged weights, in eval mode on the CPU."""
    vae = MotionVAE(config.vae)
    load_average(vae, folder / "vae.pt")
    return vae


def report_reconstruction(
    config: Config, motion_set: MotionSet, folder: Path, split: str = "val"
) -> dict[str, float]:
    """Mean joint error in millimetres of held-out windows, in the pelvis frame and in the world."""
    vae, normaliser = load_vae(config, folder), Normaliser.load(folder / "normaliser.npz")
    local, world = [], []
    for item in motion_set.items(split, mirrored=False):
        rows = item.features[: len(item.features) // vae.downsampling * vae.downsampling]
        if len(rows) == 0:
            continue
        original = features.decode(rows, motion_set.fps)
        recovered = features.decode(reconstruct(vae, normaliser, rows), motion_set.fps)
        error = recovered.joints - original.joints
        world.append(np.linalg.norm(error, axis=-1).mean())
        local.append(np.linalg.norm(error - error[:, :1], axis=-1).mean())
    return {"mpjpe_mm": 1000 * float(np.mean(local)), "mpjpe_world_mm": 1000 * float(np.mean(world))}
