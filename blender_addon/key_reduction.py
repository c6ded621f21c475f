# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys, none further off than a stated error: curves with handles instead of a key a frame.

Between two keys an F-curve is the cubic Hermite spline through their values with the motion's own slopes. As in the
algorithm of Ramer (1972) and of Douglas and Peucker (1973), a piece that is off by too much gets a key where it is
off most; then keys that turn out not to be needed are taken away again. All bones and pieces are looked at at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

from .retarget.channels import Channel, local_rotation

Array = NDArray[np.floating]
Metric = Callable[[Array, Array], Array]
"""Errors (B, T) of values (B, T, k) against others."""

_ROUNDING = 0.99
"""Share of the allowed error that is used: F-curves keep single precision."""


@dataclass(frozen=True)
class Reduced:
    """Channels with fewer keys and what that cost.

    Attributes
    ----------
    channels : in the order they came, with ``frames`` and ``slopes``.
    kept, before : numbers of keys on all curves.
    rotation : largest angle in radians by which a bone is off at any frame.
    location : largest distance in metres.
    """

    channels: list[Channel]
    kept: int
    before: int
    rotation: float
    location: float

    @property
    def sentence(self) -> str:
        """For the status line."""
        degrees, millimetres = np.degrees(self.rotation), self.location * 1e3
        return f"{self.kept:,} of {self.before:,} keys are left, at most {degrees:.2f}° and {millimetres:.1f} mm off."


def reduce(channels: Sequence[Channel], rotation: float, location: float, unit: float = 1.0) -> Reduced:
    """Take away keys as long as every frame stays within both errors.

    All curves of a channel share their key frames, so a rotation is never cut in half.

    Parameters
    ----------
    channels : one value a frame, all of the same length.
    rotation : angle in radians by which a bone may be off, against its parent.
    location : distance in metres by which a bone may be off.
    unit : metres in one unit of the location channels.
    """
    out = list(channels)
    worst = {"rotation": 0.0, "location": 0.0}
    # channels with locked axes have fewer columns than others
    kinds = [(channel.property, channel.values.shape[1]) for channel in channels]
    for name, width in dict.fromkeys(kinds):
        metric = _METRICS.get(name)
        chosen = [i for i, kind in enumerate(kinds) if kind == (name, width)]
        if metric is None or len(channels[chosen[0]].values) < 3:
            continue
        is_location = name == "location"
        limit = location / unit if is_location else rotation
        values = np.stack([channels[i].values for i in chosen]).astype(float)
        keys, slopes, error = _select(values, metric, limit * _ROUNDING)
        kind = "location" if is_location else "rotation"
        worst[kind] = max(worst[kind], error * (unit if is_location else 1.0))
        for row, index in enumerate(chosen):
            at = np.flatnonzero(keys[row])
            out[index] = replace(channels[index], values=values[row, at], frames=at, slopes=slopes[row, at])
    return Reduced(out, _count(out), _count(channels), worst["rotation"], worst["location"])


def interpolate(values: Array, slopes: Array, keys: NDArray[np.bool_]) -> Array:
    """Cubic Hermite splines through the keys, at every frame.

    Parameters
    ----------
    values, slopes : (B, T, k), used at the keys only.
    keys : (B, T), true at the first and the last frame.
    """
    frames = np.arange(keys.shape[1])
    left = np.maximum.accumulate(np.where(keys, frames, 0), axis=1)
    right = np.minimum.accumulate(np.where(keys, frames, frames[-1])[:, ::-1], axis=1)[:, ::-1]
    span = np.maximum(right - left, 1)[..., None]
    s = (frames - left)[..., None] / span
    rows = np.arange(len(keys))[:, None]
    first, second = values[rows, left], values[rows, right]
    out, into = slopes[rows, left] * span, slopes[rows, right] * span
    rise = second - first
    return first + s * (out + s * (3 * rise - 2 * out - into + s * (out + into - 2 * rise)))


def _select(values: Array, metric: Metric, limit: float) -> tuple[NDArray[np.bool_], Array, float]:
    """Keys (B, T), slopes (B, T, k) and the largest error that is left."""
    slopes = np.gradient(values, axis=1)
    keys = np.zeros(values.shape[:2], dtype=bool)
    keys[:, [0, -1]] = True

    def errors(of: NDArray[np.bool_]) -> Array:
        return metric(interpolate(values, slopes, of), values)

    error = errors(keys)
    while error.max() > limit:
        keys |= _worst_of_pieces(keys, error, limit)
        error = errors(keys)
    for _ in range(4):
        before = int(keys.sum())
        for parity in (0, 1):
            keys = _without_needless(keys, parity, errors, limit)
        if int(keys.sum()) == before:
            break
    return keys, slopes, float(errors(keys).max())


def _worst_of_pieces(keys: NDArray[np.bool_], error: Array, limit: float) -> NDArray[np.bool_]:
    """The frame with the largest error of each piece between keys that is off by more than ``limit``."""
    flat = error.ravel()
    starts = np.flatnonzero(keys)
    lengths = np.diff(np.append(starts, flat.size))
    most = np.repeat(np.maximum.reduceat(flat, starts), lengths)
    piece = np.repeat(np.arange(len(starts)), lengths)
    found = np.flatnonzero((flat == most) & (most > limit))
    _, first = np.unique(piece[found], return_index=True)
    chosen = np.zeros(flat.size, dtype=bool)
    chosen[found[first]] = True
    return chosen.reshape(keys.shape)


def _without_needless(
    keys: NDArray[np.bool_], parity: int, errors: Callable[[NDArray[np.bool_]], Array], limit: float
) -> NDArray[np.bool_]:
    """Leave out every second inner key whose neighbours can bridge it."""
    order = np.cumsum(keys, axis=1)
    inner = keys.copy()
    inner[:, [0, -1]] = False
    tried = keys & ~(inner & (order % 2 == parity))
    flat = errors(tried).ravel()
    starts = np.flatnonzero(tried)
    bad = np.maximum.reduceat(flat, starts) > limit
    back = np.repeat(bad, np.diff(np.append(starts, flat.size))).reshape(keys.shape)
    return tried | (keys & back)


def _count(channels: Sequence[Channel]) -> int:
    return sum(channel.values.size for channel in channels)


def _angle(a: Array, b: Array) -> Array:
    """Angles between rotations given as quaternions of any length."""
    a, b = quat.normalize(a), quat.normalize(b)
    return 4.0 * np.arcsin(np.minimum(np.linalg.norm(a - b, axis=-1) / 2.0, 1.0))


def _axis_angle(a: Array, b: Array) -> Array:
    return _angle(local_rotation("AXIS_ANGLE", a), local_rotation("AXIS_ANGLE", b))


_METRICS: dict[str, Metric] = {
    "location": lambda a, b: np.linalg.norm(a - b, axis=-1),
    "rotation_quaternion": _angle,
    "rotation_axis_angle": _axis_angle,
    # a turn about each axis in succession is off by no more than all three together
    "rotation_euler": lambda a, b: np.abs(a - b).sum(axis=-1),
}
