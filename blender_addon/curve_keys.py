# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of one F-curve as arrays: read, cut without changing the shape, joined, written at once."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat

Array = NDArray[np.floating]

_WIDTHS = {"co": 2, "handle_left": 2, "handle_right": 2, "amplitude": 1, "back": 1, "period": 1}
_ENUMS = ("interpolation", "easing", "handle_left_type", "handle_right_type", "type")
_FLAGS = ("select_control_point", "select_left_handle", "select_right_handle")
_FILL = {
    "amplitude": 0.8, "back": 1.70158, "period": 4.1, "interpolation": compat.LINEAR,
    "handle_left_type": compat.AUTO_CLAMPED, "handle_right_type": compat.AUTO_CLAMPED,
}  # fmt: skip


@dataclass(frozen=True)
class CurveKeys:
    """Keys in the order of time.

    Attributes
    ----------
    data : property of ``bpy.types.Keyframe`` -> one row a key.
    """

    data: dict[str, NDArray]

    def __len__(self) -> int:
        return len(self.data["co"])

    @property
    def frames(self) -> Array:
        return self.data["co"][:, 0]

    @classmethod
    def read(cls, curve: bpy.types.FCurve) -> CurveKeys:
        """All that Blender keeps of an F-curve's keys."""
        count = len(curve.keyframe_points)
        data = _blank(count)
        for name, column in data.items():
            flat = column.reshape(-1)
            curve.keyframe_points.foreach_get(name, flat)
            data[name] = flat.reshape(column.shape)
        return cls(data)

    @classmethod
    def through(cls, frames: Array, values: Array, slopes: Array | None = None) -> CurveKeys:
        """Keys at frames (K,) with values (K,): joined by straight lines, or by Hermite splines with slopes (K,).

        A handle at a third of the way makes a Bezier curve the cubic Hermite spline of its slopes.
        """
        data = _blank(len(frames))
        data["co"][:, 0], data["co"][:, 1] = frames, values
        thirds = np.diff(frames) / 3.0
        before, after = np.append(1.0, thirds)[: len(frames)], np.append(thirds, 1.0)
        slope = np.zeros(len(frames)) if slopes is None else slopes
        data["handle_left"][:] = np.stack([frames - before, values - slope * before], axis=-1)
        data["handle_right"][:] = np.stack([frames + after, values + slope * after], axis=-1)
        if slopes is not None:
            data["interpolation"][:] = compat.BEZIER
            data["handle_left_type"][:] = data["handle_right_type"][:] = compat.ALIGNED
        return cls(data)

    def write(self, curve: bpy.types.FCurve) -> None:
        """Make these the only keys of an F-curve."""
        points = curve.keyframe_points
        points.clear()
        points.add(len(self))
        for name, column in self.data.items():
            points.foreach_set(name, column.reshape(-1))
        curve.update()

    def part(self, which: NDArray[np.bool_] | slice) -> CurveKeys:
        """Some of the keys."""
        return CurveKeys({name: column[which] for name, column in self.data.items()})

    def join(self, other: CurveKeys) -> CurveKeys:
        """These keys and then the others."""
        return CurveKeys(
            {name: np.concatenate([column, other.data[name]]) for name, column in self.data.items()}
        )

    def until(self, frame: float, value: float) -> CurveKeys:
        """The keys before ``frame`` and one at it; the curve up to there keeps its shape.

        Parameters
        ----------
        value : the curve there.
        """
        return self._cut(frame, value)[0]

    def since(self, frame: float, value: float) -> CurveKeys:
        """A key at ``frame`` and the keys after it; the curve from there keeps its shape."""
        return self._cut(frame, value)[1]

    def _cut(self, frame: float, value: float) -> tuple[CurveKeys, CurveKeys]:
        head, tail = self.part(self.frames < frame).frozen(-1), self.part(self.frames > frame).frozen(0)
        key = CurveKeys.through(np.array([frame]), np.array([value]))
        if len(head) and len(tail):
            kind = int(head.data["interpolation"][-1])
            key.data["interpolation"][:] = kind
            if kind == compat.BEZIER:
                _split(head, key, tail, frame)
        elif len(head) and head.data["interpolation"][-1] == compat.BEZIER:
            head.data["interpolation"][-1] = compat.LINEAR  # it was held from there, whatever its handle
        return head.join(key), key.join(tail)

    def frozen(self, index: int) -> CurveKeys:
        """The same with handles at one key that stay as they are when its neighbours change."""
        near = self.data["interpolation"][-2:] if index else self.data["interpolation"][:2]
        if not len(self) or compat.BEZIER not in near:
            return self
        data = {name: column.copy() for name, column in self.data.items()}
        for side in ("handle_left_type", "handle_right_type"):
            kind = data[side][index]
            if kind in (compat.AUTO, compat.AUTO_CLAMPED):
                data[side][index] = compat.ALIGNED
            elif kind == compat.VECTOR:
                data[side][index] = compat.FREE
        return CurveKeys(data)


def _blank(count: int) -> dict[str, NDArray]:
    data: dict[str, NDArray] = {}
    for name, width in _WIDTHS.items():
        shape = (count, width) if width > 1 else (count,)
        data[name] = np.full(shape, _FILL.get(name, 0.0), dtype=np.float32)
    for name in _ENUMS:
        data[name] = np.full(count, _FILL.get(name, 0), dtype=np.int32)
    for name in _FLAGS:
        data[name] = np.zeros(count, dtype=bool)
    return data


def _split(head: CurveKeys, key: CurveKeys, tail: CurveKeys, frame: float) -> None:
    """Give the three keys the handles of the two halves of a Bezier piece (de Casteljau)."""
    a, d = head.data["co"][-1].astype(float), tail.data["co"][0].astype(float)
    # as Blender does, a handle never reaches over the next key
    b, c = head.data["handle_right"][-1].astype(float) - a, tail.data["handle_left"][0].astype(float) - d
    length = d[0] - a[0]
    b, c = (h * min(1.0, length / abs(h[0])) if h[0] else h for h in (b, c))
    b, c = a + b, d + c
    low, high = 0.0, 1.0
    for _ in range(50):
        t = 0.5 * (low + high)
        ab, bc, cd = a + t * (b - a), b + t * (c - b), c + t * (d - c)
        abc, bcd = ab + t * (bc - ab), bc + t * (cd - bc)
        if (abc + t * (bcd - abc))[0] < frame:
            low = t
        else:
            high = t
    head.data["handle_right"][-1], tail.data["handle_left"][0] = ab, cd
    key.data["handle_left"][0], key.data["handle_right"][0] = abc, bcd
    key.data["handle_left_type"][:] = key.data["handle_right_type"][:] = compat.FREE
