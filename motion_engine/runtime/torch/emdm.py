# SPDX-License-Identifier: GPL-3.0-or-later
"""Generator of EMDM in the latent space: the latent denoiser with a random vector (Zhou et al. 2024).

As published, it draws clean data from data at one of few noise levels. Three things differ: the data are latents
every few frames in place of frames, their number may be any, and the prompt is read word by word. Inside, the
transformer still speaks of velocity v (Salimans & Ho 2022), so that the weights of a diffusion teacher are a start
with which the generator already denoises: clean = sqrt(A) noisy - sqrt(1 - A) v.

A velocity holds the noise of every channel. Where there are more channels than the transformer is wide, as in motion
space, so much noise cannot pass it, and it names clean data directly (Li & He 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from motion_engine.runtime.torch.denoiser import TIME_WIDTH, Denoiser, DenoiserConfig, sinusoid
from motion_engine.samplers import emdm
from motion_engine.samplers.schedule import ALPHA_BAR

SLOPE = 0.2
"""Of the leaky ReLU on the way of z."""


@dataclass(frozen=True)
class EMDMConfig:
    """Noise levels T, and numbers of the random vector z."""

    levels: int
    noise_width: int


def teacher_times(levels: int) -> np.ndarray:
    """(T,) times of the diffusion teacher's schedule, between whole ones, with the noise of levels 1 to T."""

    def ratio(share: np.ndarray) -> np.ndarray:
        return np.log(share / (1.0 - share))

    steps = np.arange(len(ALPHA_BAR))
    # np.interp wants rising points; beyond the noisiest time it stays there
    found = np.interp(
        ratio(emdm.alpha_bar(levels)[1:]), ratio(ALPHA_BAR.astype(np.float64))[::-1], steps[::-1]
    )
    return found.astype(np.float32)


class Generator(Denoiser):
    """Clean latents (B, L, C) from noisy ones at t (B,), given text (B, S, text width) and z (B, noise width).

    z passes two layers and a linear map that starts at zero, and is added to the embedding of the time.
    """

    times: Tensor
    signal: Tensor
    sigma: Tensor

    def __init__(self, config: DenoiserConfig, channels: int, settings: EMDMConfig) -> None:
        super().__init__(config, channels)
        self.settings = settings
        self.names_clean = channels > config.width
        shares = emdm.alpha_bar(settings.levels)[1:]
        tables = {
            "times": teacher_times(settings.levels), "signal": np.sqrt(shares), "sigma": np.sqrt(1.0 - shares)
        }  # fmt: skip
        for name, values in tables.items():
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)
        last = nn.Linear(config.width, config.width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.noise = nn.Sequential(
            nn.Linear(settings.noise_width, config.width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(config.width, config.width),
            nn.LeakyReLU(SLOPE),
            last,
        )

    def forward(  # type: ignore[override]
        self,
        latents: Tensor,
        time: Tensor,
        text: Tensor,
        z: Tensor,
        mask: Tensor | None = None,
        text_mask: Tensor | None = None,
    ) -> Tensor:
        """Masks as those of `Denoiser`."""
        index = time.long()
        step = self.time(sinusoid(self.times[index], TIME_WIDTH)) + self.noise(z)
        found = self.through(latents, step, text, mask, text_mask)
        if self.names_clean:
            return found
        signal, sigma = self.signal[index][:, None, None], self.sigma[index][:, None, None]
        return signal * latents - sigma * found
