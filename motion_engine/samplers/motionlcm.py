# SPDX-License-Identifier: GPL-3.0-or-later
"""MotionLCM: multistep sampling of a latent consistency model (Dai et al. 2024; Luo et al. 2023).

Each step jumps from the present noise level straight to clean latents with the consistency function

    f(z, t) = c_skip(t) z + c_out(t) x0(z, t)
    c_skip = s² / ((10 t)² + s²),   c_out = 10 t / sqrt((10 t)² + s²),   s = 0.5

and, but for the last one, adds fresh noise of the next level. Guidance enters as an embedding of w = scale - 1: one
pass of the network a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from motion_engine.samplers.schedule import ALPHA_BAR, N_TRAIN, Prediction, Progress, clean_and_noise

Array = NDArray[np.floating]

Network = Callable[[Array, int, float], Array]
"""From noisy latents (B, L, C), time step and guidance weight w to the network's output (B, L, C)."""

SIGMA_DATA = 0.5
TIME_SCALING = 10.0


def boundary(time: int) -> tuple[float, float]:
    """c_skip and c_out at a time step: at 0 the consistency function is the identity."""
    scaled = time * TIME_SCALING
    return SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2), scaled / (scaled**2 + SIGMA_DATA**2) ** 0.5


def time_steps(steps: int, grid: int, lists: Mapping[str, Sequence[int]] | None = None) -> list[int]:
    """``steps`` times spread from high to low noise over the ``grid`` times that the student was trained at.

    ``lists`` holds chosen times by number of steps, as MotionLCM-V2 has them, which go before the rule.

    Raises
    ------
    ValueError
        If there are more steps than the grid has.
    """
    if not 1 <= steps <= grid:
        raise ValueError(f"MotionLCM takes 1 to {grid} steps, not {steps}.")
    if lists and str(steps) in lists:
        return list(lists[str(steps)])
    stride = N_TRAIN // grid
    levels = [(i + 1) * stride - 1 for i in range(grid)][::-1]
    return [levels[i * grid // steps] for i in range(steps)]


def sample(
    network: Network,
    noise: Array,
    fresh_noise: Callable[[], Array],
    times: Sequence[int],
    scale: float,
    prediction: Prediction,
    on_progress: Progress | None = None,
) -> Array:
    """Latents (B, L, C) from unit Gaussian ``noise`` of that shape.

    Parameters
    ----------
    fresh_noise : gives unit Gaussian noise of the same shape; called once between two steps.
    times : time steps from high to low noise; see `time_steps`.
    scale : guidance scale s; the network is told w = s - 1.
    """
    latents = noise
    for i, time in enumerate(times):
        output = network(latents, time, scale - 1.0)
        clean, _ = clean_and_noise(latents, output, time, prediction)
        c_skip, c_out = boundary(time)
        latents = np.float32(c_skip) * latents + np.float32(c_out) * clean
        if i + 1 < len(times):
            level = ALPHA_BAR[times[i + 1]]
            latents = np.float32(level**0.5) * latents + np.float32((1.0 - level) ** 0.5) * fresh_noise()
        if on_progress:
            on_progress(i + 1, len(times))
    return latents
