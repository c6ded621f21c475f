# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise schedule that MLD and MotionLCM share, and what a network's output says about clean data and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Prediction = Literal["epsilon", "v"]

N_TRAIN = 1000
BETA_START, BETA_END = 0.00085, 0.012


def _betas() -> Array:
    """The square roots are evenly spaced in single precision, counted from the nearer end, as torch spaces them."""
    low, high = np.float32(BETA_START**0.5), np.float32(BETA_END**0.5)
    step = float((high - low) / np.float32(N_TRAIN - 1))
    index = np.arange(N_TRAIN)
    up, down = float(low) + step * index, float(high) - step * (N_TRAIN - 1 - index)
    return np.where(index < N_TRAIN // 2, up, down).astype(np.float32) ** 2


BETAS: Array = _betas()
ALPHA_BAR: Array = np.cumprod(np.float32(1.0) - BETAS, dtype=np.float64).astype(np.float32)
"""(1000,) "scaled linear" schedule of latent diffusion (Rombach et al. 2022).

Single precision to the last bit as the published models have it: 1 / sqrt(ALPHA_BAR) magnifies at high noise.
"""

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all); may raise to stop the loop."""


def clean_and_noise(latents: Array, output: Array, time: int, prediction: Prediction) -> tuple[Array, Array]:
    """Clean latents x0 and noise epsilon that a network's ``output`` at ``time`` stands for.

    For "v" (Salimans & Ho 2022): v = sqrt(a) epsilon - sqrt(1 - a) x0.
    """
    signal = np.float32(np.sqrt(ALPHA_BAR[time]))
    sigma = np.float32(np.sqrt(1.0 - ALPHA_BAR[time]))
    if prediction == "v":
        return signal * latents - sigma * output, sigma * latents + signal * output
    return (latents - sigma * output) / signal, output
