# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage three: latent consistency distillation (MotionLCM; Dai et al. 2024, algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.samplers.motionlcm import SIGMA_DATA, TIME_SCALING
from motion_engine.samplers.schedule import N_TRAIN, Prediction
from training.config import Config
from training.ddim import clean_and_noise, guided_ddim_step
from training.latents import Batch, batches
from training.loop import EMA, autocast, fill, load_average, pick_device, read_checkpoint, train
from training.low_rank import add_low_rank, load_adapter, merged, split_low_rank
from training.teacher_paths import TeacherPath, teacher_paths
from training.train_mld import LatentData, alpha_bar, load_mld, masked_mean


def consistency(
    output: Tensor, noisy: Tensor, time: Tensor, levels: Tensor, prediction: Prediction = "v"
) -> Tensor:
    """f(z, t) = c_skip z + c_out x0; see `motion_engine.samplers.motionlcm`."""
    clean, _ = clean_and_noise(output, noisy, levels[time][:, None, None], prediction)
    scaled = (time * TIME_SCALING)[:, None, None]
    bottom = scaled**2 + SIGMA_DATA**2
    return SIGMA_DATA**2 / bottom * noisy + scaled / bottom.sqrt() * clean


def pseudo_huber(difference: Tensor, c: float) -> Tensor:
    """sqrt(d² + c²) - c, element by element."""
    return (difference**2 + c**2).sqrt() - c


def train_lcm(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Distil ``mld.pt`` into a student that jumps to clean latents in one step; writes ``motionlcm.pt``.

    Per batch a time of the solver's grid and a guidance weight are drawn; the student at the noisier end must agree
    with its own average at the other end of one guided DDIM step of the teacher. The teacher runs without dropout.
    With ``paths`` in the configuration, a share of the batches asks instead that the student, anywhere on one of the
    teacher's paths, names the path's end: what agreement step by step leads to, but only after many more steps.

    Parameters
    ----------
    start_from : folder of another run with teacher and student. What distillation changed there, student minus
        teacher, is added to this run's teacher: an "acceleration vector" in the sense of LCM-LoRA (Luo et al. 2023).
        With ``[adapter]`` in the configuration the student there stays as it is, and low-rank matrices are trained,
        which begin as those of this run's teacher where that has some.

    Raises
    ------
    ValueError
        If there is nothing that an adapter could be added to.
    """
    settings = config.lcm_training
    device = pick_device()
    torch.manual_seed(0)
    teacher = load_mld(config, folder).to(device).requires_grad_(False)
    student = Denoiser(config.denoiser, config.vae.latent_channels, guided=True).to(device)
    student.load_state_dict(
        teacher.state_dict(), strict=False
    )  # all but the guidance map, which starts at zero
    if config.adapter is not None:
        if start_from is None:
            raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
        load_average(student, start_from / "motionlcm.pt").train()
        add_low_rank(student, config.adapter.rank)
        load_adapter(student, split_low_rank(read_checkpoint(folder / "mld.pt")["ema"])[1])
    elif start_from is not None:
        _add_acceleration(student, load_mld(config, start_from), load_lcm(config, start_from))
    target = EMA(student, settings.ema)
    levels = alpha_bar(device)
    stride = N_TRAIN // settings.grid
    low, high = settings.guidance_range

    def drawn(first: int) -> Iterator[Batch]:
        return batches(
            data.windows, data.captions, config, settings.batch, caption_drop=0.0, seed=1, first=first
        )

    paths = []
    if settings.paths:
        paths = teacher_paths(teacher, drawn(0), data.captions, config, folder / "paths.pt")

    def to_the_end(path: TeacherPath) -> dict[str, Tensor]:
        """How far the student is from the end of a path, at one time of the grid for each clip."""
        path = path.to(device)
        rows = torch.arange(len(path.w), device=device)
        at = torch.randint(0, settings.grid, (len(path.w),), device=device)
        time = N_TRAIN - 1 - at * stride
        noisy = path.states[at, rows].float()
        with autocast(device):
            output = student(noisy, time, path.text.float(), path.w, path.mask, path.text_mask).float()
        found = consistency(output, noisy, time, levels)
        return {"loss": masked_mean(pseudo_huber(found - path.states[-1].float(), settings.huber), path.mask)}

    def losses(batch: Batch) -> dict[str, Tensor]:
        if paths and torch.rand(()) < settings.path_share:
            return to_the_end(paths[int(torch.randint(0, len(paths), ()))])
        batch = batch.to(device)
        count = len(batch.latents)
        time = (torch.randint(0, settings.grid, (count,), device=device) + 1) * stride - 1
        next_time = (time - stride).clamp(min=0)
        w = torch.rand(count, device=device) * (high - low) + low
        noise = torch.randn_like(batch.latents)
        a, a_next = levels[time][:, None, None], levels[next_time][:, None, None]
        noisy = a.sqrt() * batch.latents + (1 - a).sqrt() * noise
        empty, empty_mask = data.captions.batch([""])
        empty, empty_mask = empty.to(device).expand(count, -1, -1), empty_mask.to(device).expand(count, -1)
        with autocast(device):
            with torch.no_grad():
                conditional = teacher(noisy, time, batch.text, None, batch.mask, batch.text_mask).float()
                unconditional = teacher(noisy, time, empty, None, batch.mask, empty_mask).float()
                earlier = guided_ddim_step(conditional, unconditional, noisy, w[:, None, None], a, a_next)
                goal = target.module(earlier, next_time, batch.text, w, batch.mask, batch.text_mask).float()
                goal = consistency(goal, earlier, next_time, levels)
            output = student(noisy, time, batch.text, w, batch.mask, batch.text_mask).float()
        found = consistency(output, noisy, time, levels)
        return {"loss": masked_mean(pseudo_huber(found - goal, settings.huber), batch.mask)}

    train(
        student,
        drawn,
        losses,
        folder=folder,
        name="motionlcm",
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        ema=target,
    )


@torch.no_grad()
def _add_acceleration(student: Denoiser, other_teacher: Denoiser, other_student: Denoiser) -> None:
    before, after = other_teacher.state_dict(), other_student.state_dict()
    for name, weights in student.state_dict().items():
        weights += (after[name] - before.get(name, torch.zeros_like(after[name]))).to(weights)


def load_lcm(config: Config, folder: Path) -> Denoiser:
    """The distilled student with averaged weights, an adapter's merged in."""
    student = Denoiser(config.denoiser, config.vae.latent_channels, guided=True)
    fill(student, merged(read_checkpoint(folder / "motionlcm.pt")["ema"]), folder / "motionlcm.pt")
    return student.eval()
