# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls inside a sampler's loop: after each clean estimate of the base network comes the control network's say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.control import Targets
from motion_engine.control_hints import hint_features
from motion_engine.samplers.motionlcm import Network
from motion_engine.samplers.schedule import ALPHA_BAR, Prediction, clean_and_noise

Array = NDArray[np.floating]

FRAME_ROUNDS = 2
"""Corrections of the decoded frames."""

LAST_ROUNDS = 2
"""Corrections in the last step: what the first one leaves is small, and the second one sees it."""


def controlled(
    base: Network,
    correct: Callable[[Array, Array, int], Array],
    decode: Callable[[Array], Array],
    targets: Targets,
    times: tuple[int, ...],
    fps: float,
    prediction: Prediction,
) -> Network:
    """The network ``base`` with its clean estimates corrected towards ``targets``.

    Parameters
    ----------
    base : from noisy latents (B, L, C), time and guidance weight to the output (B, L, C).
    correct : the control network, from clean latents (B, L, C), hints (B, T, N_HINTS) and time to a change of them.
    decode : from clean latents to features (B, T, 263).
    times : of the sampler.
    """

    def network(latents: Array, time: int, w: float) -> Array:
        clean, _ = clean_and_noise(latents, base(latents, time, w), time, prediction)
        for _ in range(LAST_ROUNDS if time == times[-1] else 1):
            rows = decode(clean)
            joints = np.stack([features.decode(sample, fps).joints for sample in rows])
            positions, mask = _on_frames(targets, joints.shape)
            clean = clean + correct(clean, hint_features(joints, positions, mask), time)
        # told as the output that stands for this clean estimate
        signal, sigma = (np.float32(np.sqrt(level)) for level in (ALPHA_BAR[time], 1.0 - ALPHA_BAR[time]))
        if prediction == "v":
            return (signal * latents - clean) / sigma
        return (latents - signal * clean) / sigma

    return network


def corrected_frames(
    rows: Array,
    correct: Callable[[Array, Array], Array],
    targets: Targets,
    fps: float,
    mean: Array,
    std: Array,
) -> Array:
    """Features (B, T, 263) after the control network's second half, which brings single frames to their targets.

    Parameters
    ----------
    correct : from normalised features (B, T, 263) and hints (B, T, N_HINTS) to a change of them.
    mean, std : (263,) that normalise.
    """
    normalised: Array = ((rows - mean) / std).astype(np.float32)
    for _ in range(FRAME_ROUNDS):
        joints = np.stack([features.decode(sample, fps).joints for sample in normalised * std + mean])
        positions, mask = _on_frames(targets, joints.shape)
        normalised = normalised + correct(normalised, hint_features(joints, positions, mask))
    return normalised * std + mean


def _on_frames(targets: Targets, shape: tuple[int, ...]) -> tuple[Array, NDArray[np.bool_]]:
    """Targets for all clips of a batch, over the frames of whole latents."""
    positions, mask = np.zeros(shape), np.zeros(shape, dtype=bool)
    positions[:, : len(targets.mask)], mask[:, : len(targets.mask)] = targets.positions, targets.mask
    return positions, mask
