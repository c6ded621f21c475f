# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways of a teacher whose end is known: one that always sees the same clean latents."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from training.latents import Batch
from training.teacher_paths import teacher_paths
from training.train_mld import alpha_bar

CLEAN = 0.7


class SureTeacher(nn.Module):
    """Velocity towards latents that are 0.7 everywhere; more guidance changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, latents, time, text, guidance, mask, text_mask):
        self.calls += 1
        a = alpha_bar(latents.device)[time][:, None, None]
        return (a.sqrt() * latents - CLEAN) / (1 - a).sqrt()


class Words:
    def batch(self, captions):
        return torch.zeros(1, 1, 6), torch.ones(1, 1, dtype=torch.bool)


@pytest.fixture
def settings(config):
    return replace(config, lcm_training=replace(config.lcm_training, paths=5, batch=4))


def drawn():
    while True:
        mask = torch.ones(4, 6, dtype=torch.bool)
        yield Batch(
            torch.zeros(4, 6, 3),
            mask,
            torch.zeros(4, 2, 6),
            torch.ones(4, 2, dtype=torch.bool),
            ("",) * 4,
            torch.arange(4),
        )


def test_a_way_leads_from_noise_to_what_the_teacher_sees(settings, tmp_path):
    found = teacher_paths(SureTeacher(), drawn(), Words(), settings, tmp_path / "paths.pt")
    assert len(found) == 2  # whole batches: at least as many as asked for
    grid = settings.lcm_training.grid
    for path in found:
        assert path.states.shape == (grid + 1, 4, 6, 3)
        assert path.states[0].float().std() == pytest.approx(1.0, abs=0.3)
        torch.testing.assert_close(path.states[-1].float().mean(), torch.tensor(CLEAN), atol=0.05, rtol=0)
        low, high = settings.lcm_training.guidance_range
        assert ((path.w >= low) & (path.w <= high)).all()
    assert not torch.equal(found[0].states[0], found[1].states[0])


def test_a_resumed_stage_goes_on_with_the_same_ways(settings, tmp_path):
    teacher = SureTeacher()
    first = teacher_paths(teacher, drawn(), Words(), settings, tmp_path / "paths.pt")
    calls = teacher.calls
    again = teacher_paths(teacher, drawn(), Words(), settings, tmp_path / "paths.pt")
    assert teacher.calls == calls
    assert all(torch.equal(a.states, b.states) for a, b in zip(first, again, strict=True))
    assert not list(tmp_path.glob("*.part"))
