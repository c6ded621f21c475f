# SPDX-License-Identifier: GPL-3.0-or-later
"""An adapter that brings the student nearer to the ends of its teacher's paths.

Consistency models that are compared by a perceptual metric are far better than those compared number by number (Song et
al. 2023, figure 3). LPIPS is of pictures; here the encoder of the caption side, which learned to tell motions apart by
what people say of them, reads both ends, and what each of its layers makes of them is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine.runtime.torch.captioner import MotionReader
from motion_engine.samplers.schedule import N_TRAIN
from training.config import Config, LCMEnds
from training.latents import Batch, batches
from training.loop import EMA, autocast, pick_device, train
from training.low_rank import add_low_rank
from training.teacher_paths import TeacherPath, teacher_paths
from training.train_captioner import load_captioner
from training.train_lcm import consistency, load_lcm, pseudo_huber
from training.train_mld import LatentData, alpha_bar, load_mld, masked_mean

NAME = "motionlcm_ends"


def ends_section(config: Config) -> LCMEnds:
    """The settings of this stage.

    Raises
    ------
    ValueError
        If the configuration has none, or asks for no adapter.
    """
    if config.lcm_ends is None:
        raise ValueError(f"The configuration of {config.bundle.name} lacks the section [lcm_ends].")
    if config.adapter is None:
        raise ValueError("This stage trains an adapter of the student: say with --rank how large it is.")
    return config.lcm_ends


def perceptual_distance(reader: MotionReader, found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """How differently the encoder reads two batches of latents (B, L, C); the mask (B, L) is that of both.

    Mean squared difference of each layer's states over their variance, mean over the layers, plus one less the cosine
    in the joint space.
    """
    seen = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)
    with torch.no_grad():
        goals, direction = reader.states(wanted, mask), reader(wanted, mask)[:, 0]
    layers = [
        masked_mean((state.float() - goal.float()) ** 2, seen) / goal.float()[seen].var()
        for state, goal in zip(reader.states(found, mask), goals, strict=True)
    ]
    cosine = F.cosine_similarity(reader(found, mask)[:, 0].float(), direction.float(), dim=-1)
    return torch.stack(layers).mean() + (1.0 - cosine).mean()


def train_lcm_ends(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Train low-rank matrices beside the student of ``start_from``; writes ``motionlcm_ends.pt``.

    Every batch is of one teacher path each: the student, at one of its states, is to name its end.

    Raises
    ------
    ValueError, FileNotFoundError
        Without ``start_from``, or without student, teacher and caption side in it.
    """
    settings = ends_section(config)
    if start_from is None:
        raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
    assert config.adapter is not None
    device = pick_device()
    torch.manual_seed(0)
    teacher = load_mld(config, start_from).to(device).requires_grad_(False)
    student = load_lcm(config, start_from).to(device)
    add_low_rank(student, config.adapter.rank)
    reader = load_captioner(config, start_from)[0].motion.to(device).requires_grad_(False).eval()
    levels = alpha_bar(device)
    grid = config.lcm_training.grid

    def drawn(first: int) -> Iterator[Batch]:
        return batches(
            data.windows, data.captions, config, settings.batch, caption_drop=0.0, seed=7, first=first
        )

    paths = teacher_paths(
        teacher, drawn(0), data.captions, settings, grid, folder / "end_paths.pt", settings.finer
    )

    def chosen(first: int) -> Iterator[TeacherPath]:
        step = first
        while True:
            random = torch.Generator().manual_seed(step)
            yield paths[int(torch.randint(0, len(paths), (), generator=random))]
            step += 1

    def losses(path: TeacherPath) -> dict[str, Tensor]:
        path = path.to(device)
        rows = torch.arange(len(path.w), device=device)
        at = torch.randint(0, grid, rows.shape, device=device)
        at[torch.rand(rows.shape, device=device) < settings.first_share] = 0
        time = N_TRAIN - 1 - at * (N_TRAIN // grid)
        noisy, end = path.states[at, rows].float(), path.states[-1].float()
        with autocast(device):
            output = student(noisy, time, path.text.float(), path.w, path.mask, path.text_mask).float()
        found = consistency(output, noisy, time, levels)
        parts = {"latents": masked_mean(pseudo_huber(found - end, settings.huber), path.mask)}
        with autocast(device):
            parts["perceptual"] = perceptual_distance(reader, found, end, path.mask)
        return {"loss": parts["latents"] + settings.perceptual * parts["perceptual"], **parts}

    train(
        student,
        chosen,
        losses,
        folder=folder,
        name=NAME,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        ema=EMA(student, settings.ema),
    )
