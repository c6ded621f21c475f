# SPDX-License-Identifier: GPL-3.0-or-later
"""One guided DDIM step of the teacher, in torch."""

from __future__ import annotations

from torch import Tensor

from motion_engine.samplers.schedule import Prediction


def clean_and_noise(
    output: Tensor, noisy: Tensor, a: Tensor, prediction: Prediction
) -> tuple[Tensor, Tensor]:
    """Clean latents and noise that ``output`` stands for; see `motion_engine.samplers.schedule.clean_and_noise`."""
    signal, sigma = a.sqrt(), (1 - a).sqrt()
    if prediction == "v":
        return signal * noisy - sigma * output, sigma * noisy + signal * output
    return (noisy - sigma * output) / signal, output


def guided_ddim_step(
    conditional: Tensor,
    unconditional: Tensor,
    noisy: Tensor,
    w: Tensor,
    a: Tensor,
    a_next: Tensor,
    prediction: Prediction = "v",
) -> Tensor:
    """One DDIM step of the teacher, guided by (1 + w) cond - w uncond, from level ``a`` to ``a_next``.

    Levels and ``w`` are (B, 1, 1). Guiding outputs, or clean latents and noise apart, is the same: both are linear.
    """
    guided = (1 + w) * conditional - w * unconditional
    clean, epsilon = clean_and_noise(guided, noisy, a, prediction)
    return a_next.sqrt() * clean + (1 - a_next).sqrt() * epsilon
