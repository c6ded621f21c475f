# SPDX-License-Identifier: GPL-3.0-or-later
"""The teacher's ways from noise to clean latents, worked out once: what distillation can aim at directly.

Consistency distillation learns the end of a way by agreeing with itself one step further on, and what the last step
knows needs many passes to reach the first one. Where a way is known as a whole, its end is a target for every point
on it. A way costs two passes of the teacher a step, but it serves again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.samplers.schedule import N_TRAIN
from training.config import Config
from training.ddim import guided_ddim_step
from training.latents import Batch
from training.loop import autocast
from training.text import CaptionFeatures
from training.train_mld import alpha_bar


@dataclass
class TeacherPath:
    """A batch of ways: latents (grid + 1, B, L, C) from noise to clean, half precision; guidance weights (B,); mask
    (B, L), text (B, S, width) in half precision and its mask (B, S)."""

    states: Tensor
    w: Tensor
    mask: Tensor
    text: Tensor
    text_mask: Tensor

    def to(self, device: torch.device) -> TeacherPath:
        """The same on another device."""
        return TeacherPath(*(getattr(self, field.name).to(device) for field in fields(self)))


@torch.no_grad()
def teacher_paths(
    teacher: Denoiser, drawn: Iterator[Batch], captions: CaptionFeatures, config: Config, file: Path
) -> list[TeacherPath]:
    """Ways of ``config.lcm_training.paths`` clips by DDIM on the grid, with guidance drawn from its range.

    Parameters
    ----------
    drawn : batches whose lengths and sentences are used.
    file : where they are kept, so that a resumed stage goes on with the same ones.
    """
    settings = config.lcm_training
    if file.exists():
        return [TeacherPath(**path) for path in torch.load(file, weights_only=True)]
    device = next(teacher.parameters()).device
    levels = alpha_bar(device)
    low, high = settings.guidance_range
    stride = N_TRAIN // settings.grid
    torch.manual_seed(1)
    found = []
    for _ in tqdm(range(-(-settings.paths // settings.batch)), desc="paths", mininterval=5):
        batch = next(drawn).to(device)
        count = len(batch.latents)
        w = torch.rand(count, device=device) * (high - low) + low
        empty, empty_mask = (t.to(device).expand(count, *t.shape[1:]) for t in captions.batch([""]))
        latents = torch.randn_like(batch.latents)
        states = [latents]
        for step in range(settings.grid):
            time = torch.full((count,), N_TRAIN - 1 - step * stride, device=device)
            following = (time - stride).clamp(min=0)
            with autocast(device):
                conditional = teacher(latents, time, batch.text, None, batch.mask, batch.text_mask).float()
                unconditional = teacher(latents, time, empty, None, batch.mask, empty_mask).float()
            latents = guided_ddim_step(
                conditional, unconditional, latents, w[:, None, None],
                levels[time][:, None, None], levels[following][:, None, None],
            )  # fmt: skip
            states.append(latents)
        # what the last step leaves of noise is negligible: level 0 is all but clean
        path = TeacherPath(torch.stack(states).half(), w, batch.mask, batch.text.half(), batch.text_mask)
        found.append(path.to(torch.device("cpu")))
    temporary = file.with_suffix(".part")
    torch.save([{f.name: getattr(path, f.name) for f in fields(path)} for path in found], temporary)
    temporary.replace(file)
    return found
