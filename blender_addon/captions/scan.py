# SPDX-License-Identifier: GPL-3.0-or-later
"""Look through the keys of an Action before it is read: are they numbers, how long is it, has it changed."""

from __future__ import annotations

import hashlib
import time

import bpy
import numpy as np

from motion_engine.captioning.canonical import MAX_SECONDS

from .. import compat
from ..status import UserError
from .sources import Source

LEAST_RATE = 20.0
"""Frames a second below which nothing is left out."""


class Scan:
    """One pass over the curves of a source's Action, in portions."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = hashlib.blake2b(digest_size=12)
        self._at = 0

    @property
    def digest(self) -> str:
        """Changes with any key, and with the frames and the rate that are read."""
        return self._hash.hexdigest()

    def step(self, seconds: float) -> bool:
        """Look on for about so long; True when all is seen.

        Raises
        ------
        UserError
            If there is nothing to read; the sentence names the Action.
        """
        until = time.perf_counter() + seconds
        found = self._source.find()
        if found is None:
            raise UserError(f"'{self._source.title}' was deleted while it was read.")
        action = found if isinstance(found, bpy.types.Action) else found.action
        curves = list(compat.action_curves(action))
        while self._at < len(curves):
            self._look(curves[self._at])
            self._at += 1
            if time.perf_counter() > until:
                return False
        self._measure(found)
        return True

    def _look(self, curve: bpy.types.FCurve) -> None:
        points = curve.keyframe_points
        values = {}
        for name, kind, size in (("co", np.float32, 2), ("interpolation", np.int32, 1)):
            values[name] = np.empty(size * len(points), dtype=kind)
            points.foreach_get(name, values[name])
        if (values["interpolation"] == compat.BEZIER).any():
            for name in ("handle_left", "handle_right"):
                values[name] = np.empty(2 * len(points), dtype=np.float32)
                points.foreach_get(name, values[name])
        bad = np.flatnonzero(~np.isfinite(values["co"].reshape(-1, 2)).all(axis=1))
        if len(bad):
            raise UserError(
                f"'{self._source.title}' has a key that is no number (NaN): key {int(bad[0]) + 1} of "
                f"'{curve.data_path}' [{curve.array_index}]. Delete that key in the Graph Editor, then try again."
            )
        settings = (curve.data_path, curve.array_index, curve.mute, curve.extrapolation, len(curve.modifiers))
        self._hash.update(repr(settings).encode())
        for array in values.values():
            self._hash.update(array.tobytes())

    def _measure(self, found: bpy.types.Action | bpy.types.NlaStrip) -> None:
        is_action = isinstance(found, bpy.types.Action)
        first, last = found.frame_range if is_action else (found.frame_start, found.frame_end)
        render = bpy.context.scene.render
        rate = render.fps / render.fps_base
        self._hash.update(repr((first, last, rate)).encode())
        title = self._source.title
        if last - first < 1:
            raise UserError(
                f"'{title}' has one frame: a pose, not a motion. Give it keys at other frames too."
            )
        seconds = (last - first) / rate
        if seconds > MAX_SECONDS:
            length = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
            raise UserError(
                f"'{title}' is {length} long; at most {MAX_SECONDS:.0f} seconds can be read. Set a Manual Frame Range "
                "for it in the Action Editor's sidebar, or split it."
            )


def thinned(times: np.ndarray, rate: float) -> np.ndarray:
    """Frames (T,) of a source without those that the engine, which works at 20 frames a second, has no use for."""
    return times[:: max(1, int(rate / LEAST_RATE))]
