# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one: the motion VAE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine import features, skeleton
from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.data.compose import composed_items
from training.data.loader import Normaliser, crops
from training.data.motion_set import Item, MotionSet
from training.geometry import heading_angle, pelvis_frame_joints, root_path, world_joints
from training.loop import EMA, autocast, load_average, pick_device, save_checkpoint, train

CONTEXT = 30.0
"""Seconds around a caption's window that the VAE, which reads no captions, may look at: in effect the whole clip."""

# Few numbers carry the root and the contacts; without weight they would drown among 63 + 126 + 66 others.
_WEIGHTS = torch.ones(features.N_FEATURES)
_WEIGHTS[features.YAW_VELOCITY] = 10.0
_WEIGHTS[features.ROOT_VELOCITY] = 10.0
_WEIGHTS[features.ROOT_HEIGHT] = 10.0
_WEIGHTS[features.CONTACTS] = 2.0

_JOINT_WEIGHTS = torch.ones(skeleton.N_JOINTS)
_JOINT_WEIGHTS[skeleton.FOOT_JOINTS] = 4.0


def reconstruction_losses(
    recovered: Tensor, original: Tensor, mask: Tensor, mean: Tensor, std: Tensor
) -> dict[str, Tensor]:
    """Smooth L1 on normalised features; L1 in metres on joints by FK, relative to the pelvis, on their velocities in
    the world (feet count more: a foot that should stand must not slide) and the root's path; in radians on the heading.

    Shapes: features (B, T, 263) normalised, mask (B, T).
    """
    weight = mask[..., None].to(recovered)
    count = weight.sum()
    feature = (
        F.smooth_l1_loss(recovered, original, reduction="none") * weight * _WEIGHTS.to(recovered)
    ).sum() / (count * features.N_FEATURES)
    rows, target_rows = recovered * std + mean, original * std + mean
    joints, world = pelvis_frame_joints(rows), world_joints(rows)
    with torch.no_grad():
        target_joints, target_world = pelvis_frame_joints(target_rows), world_joints(target_rows)
    # once in the pelvis' frame, once with its orientation: the pose, and where it leans and looks
    turned = (world - world[..., :1, :]) - (target_world - target_world[..., :1, :])
    joint = ((joints - target_joints).abs() + 0.5 * turned.abs()).mul(weight[..., None]).sum() / (count * 66)
    pair = (mask[:, 1:] & mask[:, :-1])[..., None, None].to(recovered)
    drift = torch.diff(world - target_world, dim=1).abs() * pair
    velocity = (drift * _JOINT_WEIGHTS.to(drift)[:, None]).sum() / (pair.sum() * 3 * _JOINT_WEIGHTS.sum())
    path = ((root_path(rows) - root_path(target_rows)).abs() * weight).sum() / (count * 2)
    heading = ((heading_angle(rows) - heading_angle(target_rows)).abs() * mask).sum() / count
    return {"feature": feature, "joint": joint, "velocity": velocity, "path": path, "heading": heading}


def weighted(parts: dict[str, Tensor]) -> Tensor:
    """Sum of what `reconstruction_losses` found, each with its weight."""
    return parts["feature"] + 4 * parts["joint"] + 8 * parts["velocity"] + parts["path"] + parts["heading"]


def train_vae(
    config: Config,
    motion_set: MotionSet,
    folder: Path,
    start_from: Path | None = None,
    decoder_only: bool = False,
) -> None:
    """Train on random crops of the training clips; writes ``normaliser.npz`` and ``vae.pt``.

    A VAE of width 0 has nothing to train: its checkpoint is empty.

    Parameters
    ----------
    start_from : folder of another run whose weights, and whose statistics of the features, this one begins with.
    decoder_only : leave the encoder as it is, and with it the latents that other networks know.

    Raises
    ------
    ValueError
        If only a decoder shall be trained, and there is no encoder to begin with.
    """
    if decoder_only and config.vae.motion_space:
        raise ValueError("A VAE of width 0 has no decoder that could be trained.")
    if decoder_only and start_from is None:
        raise ValueError("A decoder alone is trained over an encoder: name its run with --start-from.")
    settings = config.vae_training
    device = pick_device()
    data = config.data
    torch.manual_seed(0)
    vae = MotionVAE(config.vae).to(device)
    clips: list[Item] = []
    if start_from is None or not vae.motion_space:
        clips += motion_set.items("train", mirrored=True, context=CONTEXT)
        clips += composed_items(motion_set, data.joined, data.layered, data.max_frames)
    normaliser = (
        Normaliser.fit(clips) if start_from is None else Normaliser.load(start_from / "normaliser.npz")
    )
    folder.mkdir(parents=True, exist_ok=True)
    normaliser.save(folder / "normaliser.npz")
    if vae.motion_space:
        nothing: dict[str, Tensor] = {}
        save_checkpoint(
            folder / "vae.pt",
            {"module": nothing, "ema": nothing, "optimiser": nothing, "step": settings.steps},
        )
        return
    mean, std = (torch.from_numpy(values).to(device) for values in (normaliser.mean, normaliser.std))
    if start_from is not None:
        load_average(vae, start_from / "vae.pt").train()
    if decoder_only:
        vae.encoder.requires_grad_(False)

    def losses(batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        original, mask = (part.to(device) for part in batch)
        with autocast(device):
            recovered, latent_mean, log_variance = vae(original)
        latent_mean, log_variance = latent_mean.float(), log_variance.float()
        parts = reconstruction_losses(recovered.float(), original, mask, mean, std)
        parts["kl"] = 0.5 * (latent_mean**2 + log_variance.exp() - log_variance - 1).mean()
        parts["loss"] = weighted(parts) + settings.kl_weight * parts["kl"]
        return parts

    train(
        vae,
        lambda first: crops(clips, normaliser, data, settings.batch, settings.crop, first),
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
