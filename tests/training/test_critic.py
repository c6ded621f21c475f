# SPDX-License-Identifier: GPL-3.0-or-later
"""The critic of distillation: what it looks at, and that the student cannot change it."""

from __future__ import annotations

import pytest
import torch

from training.critic import Critic, hinge, lightly_noised
from training.train_lcm import _Fixed


@pytest.fixture
def critic() -> Critic:
    torch.manual_seed(0)
    return Critic(channels=4, text_width=6, width=16)


def test_padding_is_not_looked_at(critic):
    latents, text = torch.randn(2, 9, 4), torch.randn(2, 3, 6)
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 5:] = False
    words = torch.tensor([[True, True, False], [True, True, True]])
    before = critic(latents, mask, text, words)
    latents[0, 5:], text[0, 2] = 100.0, -50.0
    after = critic(latents, mask, text, words)
    torch.testing.assert_close(before[mask], after[mask])


def test_it_learns_to_tell_two_kinds_apart_by_the_sentence(critic):
    """The latents of both clips are measured ones; only the sentence under them is wrong."""
    clips = torch.cat([torch.ones(8, 6, 4), -torch.ones(8, 6, 4)])
    right = torch.cat([torch.ones(8, 2, 6), -torch.ones(8, 2, 6)])
    mask, words = torch.ones(16, 6, dtype=torch.bool), torch.ones(16, 2, dtype=torch.bool)
    optimiser = torch.optim.Adam(critic.parameters(), 1e-2)
    for _ in range(60):
        seen = clips + 0.1 * torch.randn_like(clips)
        loss = hinge(critic(seen, mask, right, words), critic(seen, mask, -right, words), mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.2


def test_the_student_cannot_change_the_critic(critic):
    latents = torch.randn(1, 5, 4, requires_grad=True)
    mask, words = torch.ones(1, 5, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    _Fixed(critic)(latents, mask, torch.randn(1, 2, 6), words).sum().backward()
    assert latents.grad is not None and latents.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.parameters())


def test_light_noise_keeps_the_variance():
    levels = torch.linspace(1.0, 0.0, 1000)
    latents, noise = torch.ones(2, 50, 4), torch.randn(2, 50, 4)
    out = lightly_noised(latents, levels, torch.tensor([0, 250]), noise)
    torch.testing.assert_close(out[0], latents[0])
    torch.testing.assert_close(out[1], levels[250].sqrt() * latents[1] + (1 - levels[250]).sqrt() * noise[1])
