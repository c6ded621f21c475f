# SPDX-License-Identifier: GPL-3.0-or-later
"""Small operations on signals over time that the kinematic measures are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


def smooth(signal: Array, width: int) -> Array:
    """Moving average over ``width`` frames of axis 0 (T, ...); the ends continue point-symmetrically.

    A straight line stays one up to its ends, so velocities at the ends are not underestimated.
    """
    half = min(width // 2, len(signal) - 1)
    if half < 1:
        return signal
    before = 2 * signal[:1] - signal[half:0:-1]
    after = 2 * signal[-1:] - signal[-2 : -half - 2 : -1]
    total = np.cumsum(np.concatenate([before, signal, after]), axis=0)
    window = 2 * half + 1
    total = np.concatenate([np.zeros_like(total[:1]), total])
    return (total[window:] - total[:-window]) / window


def velocity(signal: Array, fps: float) -> Array:
    """Rate of change a second, central differences; (T, ...) in and out, zero for a single frame."""
    if len(signal) < 2:
        return np.zeros_like(signal)
    return np.gradient(signal, 1.0 / fps, axis=0)


def spans(mask: Mask, shortest: int = 1) -> list[tuple[int, int]]:
    """Runs of True as (first, one past the last), those of at least ``shortest`` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [
        (int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= max(shortest, 1)
    ]


def extrema(signal: Array, swing: float) -> tuple[list[int], list[int]]:
    """Frames of the maxima and of the minima of a signal (T,) that swings by at least ``swing`` between them.

    Smaller wiggles are passed over (hysteresis), so the two kinds alternate. The first and the last value count as
    an extremum where the signal leaves or reaches it by ``swing``.
    """
    maxima: list[int] = []
    minima: list[int] = []
    high = low = 0
    rising: bool | None = None
    for i, value in enumerate(signal.tolist()):
        if value > signal[high]:
            high = i
        if value < signal[low]:
            low = i
        if rising is not False and signal[high] - value >= swing:
            maxima.append(high)
            rising, low = False, i
        elif rising is not True and value - signal[low] >= swing:
            minima.append(low)
            rising, high = True, i
    if rising is True:
        maxima.append(high)
    elif rising is False:
        minima.append(low)
    return maxima, minima


def main_axis(points: Array) -> Array:
    """Coordinates (T,) of points (T, 3) along the direction in which they vary most."""
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, -1]
