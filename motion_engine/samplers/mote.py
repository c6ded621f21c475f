# SPDX-License-Identifier: GPL-3.0-or-later
"""MoTe: one diffusion model of motion and text (Wu et al. 2024), sampled with DDIM.

Motion and text are tokens, each with a noise level of its own (Bao et al. 2023, "One transformer fits all
distributions"). What is known is given at level 0; what is to be left open is pure noise at the last level. So one
network and one loop serve every distribution:

=========================  ====================  ===================
distribution               motion                text
=========================  ====================  ===================
text given motion          given                 sampled
motion given text          sampled               given
motion and text, jointly   sampled               sampled
motion alone (marginal)    sampled               open
text alone (marginal)      open                  sampled
=========================  ====================  ===================

Guidance: output = open + scale (output - open), where "open" is the output with the other modality as pure noise. The
network predicts v of both (Salimans & Ho 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine.samplers.schedule import ALPHA_BAR, N_TRAIN, Progress, clean_and_noise

Array = NDArray[np.floating]

Network = Callable[[Array, Array, int, int], tuple[Array, Array]]
"""From motion (B, l, d), text (B, s, M) and their time steps to v of motion and v of text."""

GIVEN, OPEN = 0, N_TRAIN - 1


@dataclass(frozen=True)
class Side:
    """One modality.

    Attributes
    ----------
    tokens : (B, n, width) what is given, or unit Gaussian noise.
    is_given : the tokens are data, and stay as they are.
    is_sampled : the noise becomes data; else it stays noise.
    scale : of the guidance by the other modality; 1 is none.
    open : (B, n, width) unit Gaussian noise that stands for this modality where it is left open; ``tokens`` when None.
    """

    tokens: Array
    is_given: bool = False
    is_sampled: bool = False
    scale: float = 1.0
    open: Array | None = None

    @property
    def noise(self) -> Array:
        """What stands for this modality where it is left open."""
        return self.tokens if self.open is None else self.open


def time_steps(steps: int) -> list[int]:
    """Trailing spacing (Lin et al. 2024): 999, 749, 499, 249 for 4 steps, so that the first sees pure noise.

    Raises
    ------
    ValueError
        If ``steps`` is not between 1 and 1000.
    """
    if not 1 <= steps <= N_TRAIN:
        raise ValueError(f"MoTe takes 1 to {N_TRAIN} steps, not {steps}.")
    return [N_TRAIN - 1 - i * N_TRAIN // steps for i in range(steps)]


def sample(
    network: Network, motion: Side, text: Side, steps: int, on_progress: Progress | None = None
) -> tuple[Array, Array]:
    """Tokens of motion and text behind the last step; those that are not sampled come back as they were.

    Where both are sampled, their noise levels go down together.
    """
    z_motion, z_text = motion.tokens, text.tokens
    times = time_steps(steps)
    for i, time in enumerate(times):
        of_motion, of_text = _time(motion, time), _time(text, time)
        v_motion, v_text = network(z_motion, z_text, of_motion, of_text)
        if motion.is_sampled and motion.scale != 1.0:
            alone = network(z_motion, text.noise, of_motion, OPEN)[0]
            v_motion = alone + np.float32(motion.scale) * (v_motion - alone)
        if text.is_sampled and text.scale != 1.0:
            alone = network(motion.noise, z_text, OPEN, of_text)[1]
            v_text = alone + np.float32(text.scale) * (v_text - alone)
        below = times[i + 1] if i + 1 < len(times) else None
        if motion.is_sampled:
            z_motion = _step(z_motion, v_motion, time, below)
        if text.is_sampled:
            z_text = _step(z_text, v_text, time, below)
        if on_progress:
            on_progress(i + 1, len(times))
    return z_motion, z_text


def _time(side: Side, time: int) -> int:
    return GIVEN if side.is_given else time if side.is_sampled else OPEN


def _step(tokens: Array, v: Array, time: int, below: int | None) -> Array:
    """DDIM without noise (Song et al. 2021, equation 12 with eta = 0); behind the last step lie clean data."""
    clean, epsilon = clean_and_noise(tokens, v, time, "v")
    if below is None:
        return clean
    level = ALPHA_BAR[below]
    stepped: Array = np.float32(level**0.5) * clean + np.float32((1.0 - level) ** 0.5) * epsilon
    return stepped
