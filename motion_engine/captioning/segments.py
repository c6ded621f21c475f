# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to cut a long clip: at moments of rest and where the motion becomes another one.

The clip is cut into parts of `SHORTEST` to `LONGEST` seconds so that the sum of the costs of its cuts is smallest,
found by dynamic programming over all ways to cut. A cut costs more the more the body moves at that moment and less
the more what follows differs from what came before.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motion_engine.filters import gaussian_filter

Array = NDArray[np.floating]

SHORTEST = 2.0
LONGEST = 9.8
"""Seconds of a part; a clip of up to `LONGEST` is one."""

AROUND = 1.0
"""Seconds before and after a cut that are compared."""

EVERY_CUT = 0.4
"""What a cut costs for itself, so that none is made without need or reason."""


def motion_energy(joints: Array, fps: float) -> Array:
    """Mean speed (T,) in m/s of joints (T, 22, 3), smoothed over a quarter of a second."""
    if len(joints) < 2:
        return np.zeros(len(joints))
    speed = np.linalg.norm(np.gradient(joints.astype(float), 1.0 / fps, axis=0), axis=-1).mean(axis=-1)
    return gaussian_filter(speed[:, None], 0.25 * fps / 2)[:, 0]


def novelty(values: Array, around: int) -> Array:
    """How different ``values`` (T, C) are in the ``around`` steps behind and before each step: (T,) from 0 to 1."""
    count = len(values)
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values.astype(float), axis=0)])
    at = np.arange(count)
    first, last = np.maximum(at - around, 0), np.minimum(at + around, count)
    before = (total[at] - total[first]) / np.maximum(at - first, 1)[:, None]
    after = (total[last] - total[at]) / np.maximum(last - at, 1)[:, None]
    change = np.linalg.norm(after - before, axis=-1)
    change[at == 0] = 0.0
    return change / max(float(change.max()), 1e-9)


def cut(energy: Array, latents: Array, rate: float) -> list[tuple[int, int]]:
    """Parts of a clip as (first, one past the last) steps.

    Parameters
    ----------
    energy : (L,) motion energy; its scale does not matter.
    latents : (L, C) what the clip is like at each step.
    rate : steps a second of both.
    """
    count = len(energy)
    shortest, longest = math.ceil(SHORTEST * rate), math.floor(LONGEST * rate + 1e-6)
    if count <= longest:
        return [(0, count)]
    usual = max(float(np.median(energy)), 1e-9)
    cost = EVERY_CUT + np.minimum(energy / usual, 2.0) - novelty(latents, max(round(AROUND * rate), 1))
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    came_from = np.zeros(count + 1, dtype=int)
    for end in range(shortest, count + 1):
        starts = np.arange(max(end - longest, 0), end - shortest + 1)
        value = best[starts] + (cost[end] if end < count else 0.0)
        chosen = int(np.argmin(value))
        best[end], came_from[end] = value[chosen], starts[chosen]
    parts: list[tuple[int, int]] = []
    end = count
    while end > 0:
        parts.append((int(came_from[end]), end))
        end = int(came_from[end])
    return parts[::-1]
