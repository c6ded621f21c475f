# SPDX-License-Identifier: GPL-3.0-or-later
"""Generator of EMDM in the latent space: the latent denoiser with a random vector (Zhou et al. 2024).

As published, it draws clean data from data at one of few noise levels. Three things differ: the data are latents
every few frames in place of frames, their number may be any, and the prompt is read word by word. Inside, the
transformer still speaks of velocity v (Salimans & Ho 2022), so that the weights of a diffusion teacher are a start
with which the generator already denoises: clean = sqrt(A) noisy - sqrt(1 - A) v.

A velocity holds the noise of every channel. Where there are more channels than the transformer is wide, as in motion
space, so much noise cannot pass it, and it names clean data directly (Li & He 2025). No decoder joins the frames of one
token to those of the next there: the map out blends them (`WindowsOut`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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


class WindowsOut(nn.Linear):
    """Each token's numbers, blended with what its neighbours say of them: (B, L, width) to (B, L, C).

    A token stands for C numbers in the order of time. It speaks of a window twice as long, half a token further at each
    end, and two windows fade into each other where they overlap: no step lies between the frames of two tokens.
    """

    share: Tensor

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, 2 * channels)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        place = (torch.arange(channels) + 0.5) / channels
        self.register_buffer("share", (place - 0.5).abs(), persistent=False)

    def blended(self, said: Tensor, mask: Tensor | None) -> Tensor:
        """``mask`` (B, L) as that of `Denoiser`; at the ends of a clip its first and last token speak alone."""
        half = self.out_features // 4
        before, own, behind = self(said).split([half, 2 * half, half], dim=-1)
        there = torch.ones_like(before) if mask is None else mask[..., None].expand_as(before).to(before)

        def around(of_earlier: Tensor, of_later: Tensor) -> Tensor:
            """For each token what the one before it, and the one behind it, have there."""
            return torch.cat(
                [F.pad(of_earlier, (0, 0, 1, 0))[:, :-1], F.pad(of_later, (0, 0, 0, 1))[:, 1:]], dim=-1
            )

        others, known = around(behind, before), around(there, there)
        return own + self.share * known * (others - own)


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
        if self.names_clean:
            self.latent_out: nn.Linear = WindowsOut(config.width, channels)
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

    def put_out(self, said: Tensor, mask: Tensor | None) -> Tensor:
        """Of clean data where it names them, else of the velocity."""
        if isinstance(self.latent_out, WindowsOut):
            return self.latent_out.blended(said, mask)
        return super().put_out(said, mask)
