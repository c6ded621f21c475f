# SPDX-License-Identifier: GPL-3.0-or-later
"""MLD: deterministic DDIM sampling of a latent diffusion model with classifier-free guidance (Chen et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from motion_engine.samplers.schedule import ALPHA_BAR, N_TRAIN, Prediction, Progress, clean_and_noise

Array = NDArray[np.floating]

Network = Callable[[Array, int, bool], Array]
"""From noisy latents (B, L, C), time step and "with the prompt?" to the network's output (B, L, C)."""


def time_steps(steps: int) -> list[int]:
    """Leading spacing with offset 1: 981, 961, ..., 1 for 50 steps.

    Raises
    ------
    ValueError
        If ``steps`` is not between 1 and 1000.
    """
    if not 1 <= steps <= N_TRAIN:
        raise ValueError(f"MLD takes 1 to {N_TRAIN} steps, not {steps}.")
    stride = N_TRAIN // steps
    return [min(i * stride + 1, N_TRAIN - 1) for i in range(steps)][::-1]


def sample(
    network: Network,
    noise: Array,
    times: Sequence[int],
    scale: float,
    prediction: Prediction,
    on_progress: Progress | None = None,
) -> Array:
    """Latents (B, L, C) from unit Gaussian ``noise`` of that shape.

    Guidance: output = uncond + scale (cond - uncond). DDIM (Song et al. 2021, equation 12 with eta = 0): the clean
    estimate is taken back to the level of the next time with the estimated noise; behind the last time lies level 0.
    """
    latents = noise
    for i, time in enumerate(times):
        output = network(latents, time, True)
        if scale != 1.0:
            unconditional = network(latents, time, False)
            output = unconditional + np.float32(scale) * (output - unconditional)
        clean, epsilon = clean_and_noise(latents, output, time, prediction)
        level = ALPHA_BAR[times[i + 1]] if i + 1 < len(times) else ALPHA_BAR[0]
        latents = np.float32(level**0.5) * clean + np.float32((1.0 - level) ** 0.5) * epsilon
        if on_progress:
            on_progress(i + 1, len(times))
    return latents
