# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage four of MotionLCM: the Motion ControlNet, with everything else frozen (Dai et al. 2024, section 3.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.formats.atomic import replacing
from motion_engine.runtime.torch.paper.control import (
    ControlNet,
    ControlSizes,
    TrajectoryEncoder,
    TrajectorySizes,
)
from motion_engine.samplers.schedule import N_TRAIN
from training.ddim import clean_and_noise
from training.loop import pick_device, train
from training.paper.config import PaperConfig
from training.paper.data import PaperData, SentenceVectors
from training.paper.losses import control_loss, recover_joints
from training.paper.stages import (
    SteadyEMA,
    encode_batch,
    load_motionlcm,
    load_vae,
    steps_of,
)
from training.train_mld import alpha_bar


class ControlBranch(nn.Module):
    """What is trained: the trajectory encoder and the control copy of the denoiser."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        assert config.control is not None
        networks = config.networks
        self.traj_encoder = TrajectoryEncoder(
            TrajectorySizes(3 * config.data.joints, networks.latents, networks.channels, networks.stack)
        )
        self.controlnet = ControlNet(
            ControlSizes(networks.denoiser(guided=True), config.control.width, networks.version == "v2")
        )


def joint_statistics(data: PaperData, folder: Path) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (J, 3) of the joints of all items, kept in ``joint_stats.npz``."""
    cache = folder / "joint_stats.npz"
    if not cache.exists():
        joints = np.concatenate(
            [
                recover_joints(torch.from_numpy(item.features)[None], data.settings.joints)[0].numpy()
                for item in data.items
            ]
        )
        with replacing(cache) as file:
            np.savez(file, mean=joints.mean(axis=0), std=np.maximum(joints.std(axis=0), 1e-6))
    with np.load(cache) as stored:
        return torch.from_numpy(stored["mean"]).float(), torch.from_numpy(stored["std"]).float()


def random_hints(mask: Tensor, n_joints: int) -> Tensor:
    """(B, T, J, 1), 1 where a joint is given: one joint a clip, at 1 to T - 1 of its frames."""
    given = torch.zeros(*mask.shape, n_joints, 1, device=mask.device)
    for i, length in enumerate(mask.sum(dim=1).tolist()):
        count = int(torch.randint(1, max(length, 2), ()))
        frames = torch.randperm(length)[:count]
        given[i, frames, int(torch.randint(n_joints, ()))] = 1.0
    return given


def train_control(config: PaperConfig, data: PaperData, vectors: SentenceVectors, folder: Path) -> None:
    """Squared error of the clean latents plus Smooth L1 of the given joints in metres; writes ``control.pt``."""
    assert config.control is not None
    settings, device = config.control, pick_device()
    torch.manual_seed(0)
    vae, denoiser = load_vae(config, folder).to(device), load_motionlcm(config, folder).to(device)
    branch = ControlBranch(config).to(device)
    branch.controlnet.load_state_dict(
        {key: value for key, value in denoiser.state_dict().items() if not key.startswith("encoder.norm.")},
        strict=False,  # the maps of the trajectory and of the residuals are the branch's own
    )
    levels, stride = alpha_bar(device), N_TRAIN // settings.grid
    low, high = settings.guidance_range
    mean, std = (torch.from_numpy(values).to(device) for values in (data.mean, data.std))
    joint_mean, joint_std = (part.to(device) for part in joint_statistics(data, folder))

    def losses(batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        latents, text = encode_batch(vae, batch, device)
        motion, mask = (part.to(device) for part in batch[:2])
        wanted = recover_joints(motion * std + mean, config.data.joints)
        given = random_hints(mask, config.data.joints)
        hint = (wanted - joint_mean) / joint_std * given
        count = len(latents)
        time = (torch.randint(0, settings.grid, (count,), device=device) + 1) * stride - 1
        w = torch.rand(count, device=device) * (high - low) + low
        a = levels[time][:, None, None]
        noisy = a.sqrt() * latents + (1 - a).sqrt() * torch.randn_like(latents)
        trajectory = branch.traj_encoder(hint, given.expand_as(hint))
        residuals = branch.controlnet.residuals(noisy, time, text, w, trajectory)
        clean, _ = clean_and_noise(denoiser(noisy, time, text, w, residuals), noisy, a, "epsilon")
        found = recover_joints(vae.decode(clean, mask) * std + mean, config.data.joints)
        parts = {
            "latent": F.mse_loss(clean, latents),
            "joint": control_loss(found, wanted, given, "l1_smooth", "mask"),
        }
        parts["loss"] = parts["latent"] + settings.weight * parts["joint"]
        return parts

    train(
        branch,
        lambda first: data.batches(settings.batch, vectors, first),
        losses,
        folder=folder,
        name="control",
        steps=steps_of(config, data, "control"),
        learning_rate=settings.learning_rate,
        ema=SteadyEMA(branch, 0.0),
        warm_up=settings.warm_up,
        cosine=settings.cosine,
        betas=(0.9, 0.999),
    )
