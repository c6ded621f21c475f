# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage five: the half of the control network that works on decoded frames
(`motion_engine.runtime.torch.frame_control`).

Latents come as in stage four: what the student sees in noisy latents of measured clips, corrected by the control
network. They are decoded, smoothed as the engine does, told what is missing, and corrected twice. The loss is the
distance to the hints in metres, and how much was changed for it: a correction should be small, fade smoothly, and not
set planted feet in motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion_engine import features, skeleton
from motion_engine.control_hints import hint_features
from motion_engine.control_sampling import FRAME_ROUNDS
from motion_engine.runtime.torch.frame_control import FrameControl, FrameControlConfig
from motion_engine.samplers.schedule import N_TRAIN
from training.config import Config
from training.data.loader import Normaliser
from training.data.motion_set import MotionSet
from training.data.training_items import training_items
from training.decoded_joints import decoded_joints
from training.loop import EMA, autocast, load_average, pick_device, train
from training.text import CaptionFeatures
from training.train_control import (
    ControlBatch,
    FrozenBase,
    control_batches,
    control_error,
    control_windows,
    load_control,
)

ERROR_WEIGHT = 10.0
CHANGE_WEIGHT = 0.05
SMOOTH_WEIGHT = 0.3
SLIDE_WEIGHT = 0.5
LATENT_CORRECTION_SHARE = 0.7


def train_frame_control(
    config: Config, motion_set: MotionSet, folder: Path, start_from: Path | None = None
) -> None:
    """Train on the hints of random windows; writes ``control_frames.pt``. Needs ``control.pt``.

    Parameters
    ----------
    start_from : folder of another run; its network, where it has one, is trained further.
    """
    settings = config.frame_control_training
    if settings is None:
        raise ValueError(
            f"The configuration of {config.bundle.name} lacks the section [frame_control_training]."
        )
    device = pick_device()
    base = FrozenBase(config, folder).to(device)
    latent_control = load_control(config, folder).to(device).requires_grad_(False)
    items = training_items(motion_set, config.data)
    captions = CaptionFeatures(
        (caption for item in items for caption in item.captions),
        config.bundle.text_encoder,
        folder / "captions.npz",
    )
    windows = control_windows(base, Normaliser.load(folder / "normaliser.npz"), items, config.data.max_frames)
    del items
    torch.manual_seed(0)
    control = make_frame_control(config)
    if start_from is not None and (start_from / "control_frames.pt").exists():
        load_average(control, start_from / "control_frames.pt").train()
    control = control.to(device)
    stride = N_TRAIN // config.lcm_training.grid
    low, high = config.lcm_training.guidance_range

    def hints_for(rows: Tensor, batch: ControlBatch) -> tuple[Tensor, Tensor]:
        """Joints of normalised features (B, T, 263), and how far they are from their targets."""
        joints = decoded_joints(rows * base.std + base.mean)
        given = (part.detach().cpu().numpy() for part in (joints, batch.joints, batch.hinted))
        return joints, torch.from_numpy(hint_features(*given)).to(device)

    def decoded(batch: ControlBatch) -> Tensor:
        """Normalised features as the engine has them before it corrects frames."""
        count = len(batch.latents)
        time = (torch.randint(0, config.lcm_training.grid, (count,), device=device) + 1) * stride - 1
        w = torch.rand(count, device=device) * (high - low) + low
        clean = base.estimate(base.noised(batch.latents, time), time, batch.text, w, batch.text_mask)
        if torch.rand(()) < LATENT_CORRECTION_SHARE:
            _, hints = hints_for(base.rows(clean), batch)
            with autocast(device):
                clean = clean + latent_control(clean, hints, time, batch.text, None, batch.text_mask).float()
        rows = base.rows(clean)
        smoothed = [features.smooth(sample, config.bundle.smoothing) for sample in rows.cpu().numpy()]
        return torch.from_numpy(np.stack(smoothed).astype(np.float32)).to(device)

    def losses(batch: ControlBatch) -> dict[str, Tensor]:
        batch = batch.to(device)
        with torch.no_grad():
            start = decoded(batch)
            joints, hints = hints_for(start, batch)
        rows, errors, moved = start, [control_error(joints, batch.joints, batch.hinted)], joints
        for round_number in range(FRAME_ROUNDS):
            with autocast(device):
                change = control(rows, hints)
            rows = rows.detach() + change.float()
            last = round_number == FRAME_ROUNDS - 1
            moved, hints = hints_for(rows, batch)
            errors.append(control_error(moved, batch.joints, batch.hinted))
            if last:
                break
        changed = ((rows - start) ** 2).mean()
        smooth, slide = _disturbance(joints, moved, start * base.std + base.mean)
        loss = (
            ERROR_WEIGHT * sum(errors[1:], torch.zeros(()).to(changed))
            + CHANGE_WEIGHT * changed
            + SMOOTH_WEIGHT * smooth
            + SLIDE_WEIGHT * slide
        )
        return {
            "loss": loss, "before_m": errors[0], "after_m": errors[-1], "change": changed, "smooth": smooth,
            "slide": slide,
        }  # fmt: skip

    def drawn(step: int) -> Iterator[ControlBatch]:
        return control_batches(
            windows, captions, config.data.shares, settings.batch, config.vae.downsampling, step
        )

    train(
        control, drawn, losses, folder=folder, name="control_frames", steps=settings.steps,
        learning_rate=settings.learning_rate, ema=EMA(control, 0.995),
    )  # fmt: skip


def _disturbance(before: Tensor, after: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What a correction adds: acceleration of joints, and motion of touching feet."""
    added = after - before  # in metres, over frames of a twentieth of a second
    smooth = torch.diff(added, n=2, dim=1).abs().mean()
    feet = list(skeleton.FOOT_JOINTS)
    touching = (rows[..., features.CONTACTS] > 0.5).to(added)[:, 1:]
    step = torch.diff(added[:, :, feet], dim=1)[..., [0, 2]].norm(dim=-1)
    return 20.0 * smooth, 20.0 * (step * touching).sum() / touching.sum().clamp_min(1.0)


def make_frame_control(config: Config) -> FrameControl:
    """An untrained network of the configuration."""
    settings = config.frame_control_training
    if settings is None:
        raise ValueError(
            f"The configuration of {config.bundle.name} lacks the section [frame_control_training]."
        )
    return FrameControl(FrameControlConfig(settings.width, settings.blocks))


def load_frame_control(config: Config, folder: Path) -> FrameControl:
    """The trained network with averaged weights."""
    control = make_frame_control(config)
    load_average(control, folder / "control_frames.pt")
    return control
