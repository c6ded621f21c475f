# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM: few-step sampling with a conditional denoising diffusion GAN (Zhou et al. 2024; Xiao et al. 2022).

Between clean data (level 0) and noise (level T) lie few levels, so that a step back is large and its distribution no
Gaussian. A generator that also reads a random vector z is trained to draw clean data x0 from that distribution; the
step itself is then the known posterior of the diffusion,

    x(k) = c0 x0 + c1 x(j) + sqrt(v) noise,   k < j,
    a = A(j) / A(k),  c0 = (1 - a) sqrt(A(k)) / (1 - A(j)),  c1 = (1 - A(k)) sqrt(a) / (1 - A(j)),
    v = (1 - a) (1 - A(k)) / (1 - A(j)),

where A is the share of signal. The network is told t = j - 1. Guidance: uncond + scale (cond - uncond), with one z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from motion_engine.samplers.schedule import Progress

Array = NDArray[np.floating]

Network = Callable[[Array, int, bool, Array], Array]
"""From noisy data (B, ...), t, "with the prompt?" and the random vectors z to clean data (B, ...)."""

BETA_MIN, BETA_MAX = 0.1, 20.0
FIRST_TIME = 1e-3
"""Continuous time of level 0; that of level T is 1."""


@cache
def betas(levels: int) -> Array:
    """(T + 1,) variances of the noise between a level and the one below it; 0 for level 0.

    Variance-preserving SDE (Song et al. 2021, equation 33): log A(s) = -s² (b1 - b0) / 2 - s b0.
    """
    s = FIRST_TIME + (1.0 - FIRST_TIME) * np.arange(levels + 1) / levels
    shares = np.exp(-0.5 * s**2 * (BETA_MAX - BETA_MIN) - s * BETA_MIN)
    found = np.concatenate([[0.0], 1.0 - shares[1:] / shares[:-1]])
    found.setflags(write=False)
    return found


@cache
def alpha_bar(levels: int) -> Array:
    """(T + 1,) share of signal A: 1 at level 0."""
    found = np.cumprod(1.0 - betas(levels))
    found.setflags(write=False)
    return found


def posterior(levels: int, high: int, low: int) -> tuple[float, float, float]:
    """Weights c0 of clean and c1 of noisy data, and the variance v, of the step from level ``high`` to ``low``."""
    above, below = alpha_bar(levels)[high], alpha_bar(levels)[low]
    a = above / below
    return (
        float((1.0 - a) * below**0.5 / (1.0 - above)),
        float((1.0 - below) * a**0.5 / (1.0 - above)),
        float((1.0 - a) * (1.0 - below) / (1.0 - above)),
    )


def time_steps(steps: int, levels: int) -> list[int]:
    """``steps`` of the ``levels`` times T - 1, ..., 0 that the generator was trained at, from high noise to low.

    With all of them it is EMDM as published; with fewer, a step goes over several levels at once.

    Raises
    ------
    ValueError
        If there are more steps than levels, or none.
    """
    if not 1 <= steps <= levels:
        plural = "1 step" if levels == 1 else f"1 to {levels} steps"
        raise ValueError(f"This EMDM generator takes {plural}, not {steps}.")
    return [levels - 1 - i * levels // steps for i in range(steps)]


def sample(
    network: Network,
    noise: Array,
    latent_noise: Callable[[], Array],
    fresh_noise: Callable[[], Array],
    times: Sequence[int],
    levels: int,
    scale: float,
    on_progress: Progress | None = None,
) -> Array:
    """Clean data from unit Gaussian ``noise``, both (B, ...).

    Parameters
    ----------
    latent_noise : gives the random vectors z of a step, unit Gaussian.
    fresh_noise : gives unit Gaussian noise of the data's shape; called once between two steps.
    times : see `time_steps`.
    levels : T, the number of noise levels that the generator was trained with.
    """
    data = noise
    for i, time in enumerate(times):
        z = latent_noise()
        clean = network(data, time, True, z)
        if scale != 1.0:
            unconditional = network(data, time, False, z)
            clean = unconditional + np.float32(scale) * (clean - unconditional)
        if i + 1 < len(times):
            of_clean, of_noisy, variance = posterior(levels, time + 1, times[i + 1] + 1)
            data = np.float32(of_clean) * clean + np.float32(of_noisy) * data
            data = data + np.float32(variance**0.5) * fresh_noise()
        else:
            data = clean  # level 0: c0 = 1, c1 = v = 0
        if on_progress:
            on_progress(i + 1, len(times))
    return data
