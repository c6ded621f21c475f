# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls inside a sampler's loop: each clean estimate of the base network is brought to its targets.

Two means take turns. The control network goes first: it knows what goes with a target, a body that stands up slowly and
not in the time in which a correction fades. The projection then puts the decoded motion onto what is missing, and the
encoder makes latents of it: what the decoder makes of these is near the targets, and moves as motions do, but its path,
which is summed up from velocities, drifts. In the end the control network takes the drift out. The sampler adds noise
and goes on from there, so that the motion around the targets grows to them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.control import Targets
from motion_engine.control_hints import hint_features
from motion_engine.control_refine import approach
from motion_engine.samplers.motionlcm import Network
from motion_engine.samplers.schedule import ALPHA_BAR, Prediction, clean_and_noise

Array = NDArray[np.floating]

FRAME_ROUNDS = 2
"""Corrections of the decoded frames."""

LAST_ROUNDS = 2
"""Corrections and projections in the last step, and corrections after them: what the first one leaves is small, and the
second one sees it."""


def controlled(
    base: Network,
    correct: Callable[[Array, Array, int], Array],
    decode: Callable[[Array], Array],
    targets: Targets,
    times: tuple[int, ...],
    fps: float,
    prediction: Prediction,
    encode: Callable[[Array], Array] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Network:
    """The network ``base`` with its clean estimates brought to ``targets``.

    Parameters
    ----------
    base : from noisy latents (B, L, C), time and guidance weight to the output (B, L, C).
    correct : the control network, from clean latents (B, L, C), hints (B, T, N_HINTS) and time to a change of them.
    decode : from clean latents to features (B, T, 263).
    times : of the sampler.
    encode : from features to clean latents; without it there is no projection.
    check : called before each decoding; may raise to stop.
    """

    def corrected(clean: Array, time: int) -> Array:
        check()
        joints = np.stack([features.decode(sample, fps).joints for sample in decode(clean)])
        positions, mask = _for_batch(targets, joints)
        return clean + correct(clean, hint_features(joints, positions, mask), time)

    def projected(clean: Array) -> Array:
        if encode is None:
            return clean
        check()
        return encode(np.stack([_on_targets(sample, targets, fps) for sample in decode(clean)]))

    def network(latents: Array, time: int, w: float) -> Array:
        clean, _ = clean_and_noise(latents, base(latents, time, w), time, prediction)
        is_last = time == times[-1]
        for _ in range(LAST_ROUNDS if is_last else 1):
            clean = projected(corrected(clean, time))
        for _ in range(LAST_ROUNDS if is_last and encode is not None else 0):
            clean = corrected(clean, time)
        # told as the output that stands for this clean estimate
        signal, sigma = (np.float32(np.sqrt(level)) for level in (ALPHA_BAR[time], 1.0 - ALPHA_BAR[time]))
        if prediction == "v":
            return (signal * latents - clean) / sigma
        return (latents - signal * clean) / sigma

    return network


def _on_targets(rows: Array, targets: Targets, fps: float) -> Array:
    """Features (T, 263) of the motion of ``rows`` put onto its targets; feet are locked after the sampler."""
    motion = features.decode(rows, fps)
    made = features.encode(approach(motion, targets.over(motion.n_frames))).astype(np.float32)
    # a row is a step from one frame to the next: the last frame has none of its own
    return np.concatenate([made, np.repeat(made[-1:], len(rows) - len(made), axis=0)])


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
        positions, mask = _for_batch(targets, joints)
        normalised = normalised + correct(normalised, hint_features(joints, positions, mask))
    return normalised * std + mean


def _for_batch(targets: Targets, joints: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Positions and mask of the targets for joints (B, T, 22, 3) of a batch, over the frames of whole latents."""
    wanted = targets.over(joints.shape[1])
    shape = (len(joints), *wanted.positions.shape)
    return np.broadcast_to(wanted.positions, shape), np.broadcast_to(wanted.mask, shape)
