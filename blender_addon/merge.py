# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a motion into the Action that an armature already plays: over its own frames and bones, nothing else.

Inside the range the old keys of the mapped channels give way to the new ones. Where the old motion goes on before or
after it, the first and last frames mix both, and the curve outside keeps its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

from . import compat, switches
from .curve_keys import CurveKeys
from .keyframes import add_credit, channel_path
from .retarget.channels import Channel, local_rotation, rotation_channel

Array = NDArray[np.floating]
Thin = Callable[[Sequence[Channel]], list[Channel]]


@dataclass(frozen=True)
class Range:
    """Frames that a motion takes, and what of the old one remains around them.

    Attributes
    ----------
    first, last : scene frames of its first and last key.
    before, after : whether the old motion has keys up to its start, from its end on.
    blend_in, blend_out : frames over which old and new are mixed.
    """

    first: int
    last: int
    before: bool
    after: bool
    blend_in: int
    blend_out: int

    def weights(self) -> Array:
        """Share (T,) of the new motion, eased in and out; 0 at a blended end, so that nothing jumps there."""
        frames = np.arange(self.last - self.first + 1)
        share = np.ones(len(frames))
        if self.blend_in:
            share = np.minimum(share, frames / self.blend_in)
        if self.blend_out:
            share = np.minimum(share, frames[::-1] / self.blend_out)
        return share * share * (3.0 - 2.0 * share)

    @property
    def sentence(self) -> str:
        parts = [
            f"{way} over {frames} frame{'s' if frames > 1 else ''}"
            for way, frames in (("in", self.blend_in), ("out", self.blend_out))
            if frames
        ]
        return f"Blended {' and '.join(parts)}." if parts else ""


@dataclass(frozen=True)
class Merge:
    """New keys of an Action, worked out but not written: (data path, index, bone) -> keys."""

    curves: dict[tuple[str, int, str], CurveKeys]
    range: Range

    def write(self, writer: compat.CurveWriter) -> None:
        """Write all curves, or none."""
        before: list[tuple[str, int, CurveKeys | None]] = []
        try:
            for (path, index, bone), keys in self.curves.items():
                curve = writer.find(path, index)
                before.append((path, index, CurveKeys.read(curve) if curve is not None else None))
                keys.write(curve if curve is not None else writer.new(path, index, bone))
        except BaseException:
            for path, index, old in before:
                curve = writer.find(path, index)
                if old is not None:
                    old.write(curve)
                elif curve is not None:
                    writer.remove(curve)
            raise


def plan(
    target: bpy.types.Object,
    channels: Sequence[Channel],
    start: int,
    blend: tuple[int, int],
    thin: Thin,
    once: dict[switches.Key, float],
) -> Merge:
    """Work out the keys that put channels into the armature's current Action. Changes nothing.

    Parameters
    ----------
    channels : one value a scene frame each.
    start : frame of the first one.
    blend : frames to mix at the beginning and at the end; what does not fit is shortened.
    thin : takes keys away after the mixing.
    once : (bone, path below it) -> value while the motion lasts.

    Raises
    ------
    RuntimeError
        If the Action cannot be changed.
    """
    action = target.animation_data.action
    if action.library is not None or not action.is_editable:
        raise RuntimeError(f"Its action '{action.name}' is linked from another file. Write to a new action.")
    old = _Old(target, action)
    frames = len(channels[0].values)
    around = old.range([channel_path(channel) for channel in channels], start, frames, blend)
    mixed = [_mixed(channel, old, around, target) for channel in channels]
    curves: dict[tuple[str, int, str], CurveKeys] = {}
    for channel, dense in zip(thin(mixed), mixed, strict=True):
        at = np.arange(frames) if channel.frames is None else channel.frames
        path = channel_path(channel)
        outside = {
            frame: old.values(path, channel, np.array([frame]))[0]
            for frame in (around.first - 1, around.last + 1)
        }
        turns = around.after and _jumps(dense, outside[around.last + 1])
        for number, index in enumerate(channel.indices):
            slopes = None if channel.slopes is None else channel.slopes[:, number]
            new = CurveKeys.through(start + at.astype(float), channel.values[:, number], slopes)
            # another sign or another turn names the same pose, but nothing may be interpolated on the way to it
            new.data["interpolation"][-1] = compat.CONSTANT if turns else compat.LINEAR
            curves[path, index, channel.bone] = _spliced(
                old.keys(path, index), new, around, {frame: row[number] for frame, row in outside.items()}
            )
    for key, value in once.items():
        path, bone = switches.path(key), key[0]
        new = CurveKeys.through(np.array([float(start)]), np.array([value]))
        static = float(switches.get(target, key))
        outside = {frame: old.value(path, 0, frame, static) for frame in (around.first - 1, around.last + 1)}
        curves[path, 0, bone] = _held(_spliced(old.keys(path, 0), new, around, outside), around)
    return Merge(curves, around)


class _Old:
    """What an Action does to an armature now."""

    def __init__(self, target: bpy.types.Object, action: bpy.types.Action) -> None:
        self._target = target
        self._curves = {
            (curve.data_path, curve.array_index): curve for curve in compat.curves_on(target, action)
        }
        self._keys: dict[tuple[str, int], CurveKeys] = {}

    def keys(self, path: str, index: int) -> CurveKeys | None:
        """The keys of a curve, or None when there is none."""
        curve = self._curves.get((path, index))
        if curve is None or not len(curve.keyframe_points):
            return None
        if (path, index) not in self._keys:
            self._keys[path, index] = CurveKeys.read(curve)
        return self._keys[path, index]

    def value(self, path: str, index: int, frame: float, static: float) -> float:
        """The value at a frame; that of the pose when it is not animated."""
        return self._curves[path, index].evaluate(frame) if self.keys(path, index) is not None else static

    def values(self, path: str, channel: Channel, frames: Array) -> Array:
        """Values (n, k) of a channel at frames (n,)."""
        owner = _owner(self._target, channel)
        static = np.array(getattr(owner, channel.property), dtype=float)
        columns = [
            [self.value(path, index, float(frame), static[index]) for frame in frames]
            for index in channel.indices
        ]
        return np.array(columns, dtype=float).T

    def range(self, paths: Sequence[str], start: int, frames: int, blend: tuple[int, int]) -> Range:
        """Where the motion lies in the old one on these channels."""
        wanted = set(paths)
        last = start + frames - 1
        spans = [
            (keys.frames[0], keys.frames[-1])
            for path, index in self._curves
            if path in wanted and (keys := self.keys(path, index)) is not None
        ]
        before = any(low <= start for low, _ in spans)
        after = any(high >= last for _, high in spans)
        blend_in, blend_out = blend[0] * before, blend[1] * after
        room = max(frames - 1, 0)
        if blend_in + blend_out > room:
            blend_in = int(room * blend_in / (blend_in + blend_out))
            blend_out = min(blend_out, room - blend_in)
        return Range(start, last, before, after, blend_in, blend_out)


def _mixed(channel: Channel, old: _Old, around: Range, target: bpy.types.Object) -> Channel:
    """The channel with the old motion mixed in, beginning in the turn and with the sign that the old one ends in."""
    path, weights = channel_path(channel), around.weights()
    values = channel.values.astype(float)
    soft = np.flatnonzero(weights < 1.0)
    before = old.values(path, channel, around.first + soft)
    if channel.property == "location" or channel.columns is not None:  # locked axes: angle by angle
        values = values.copy()
        values[soft] = before + weights[soft, None] * (values[soft] - before)
        return replace(channel, values=values)
    mode = _owner(target, channel).rotation_mode
    if len(soft):
        turns = local_rotation(mode, values)
        turns[soft] = quat.slerp(local_rotation(mode, before), turns[soft], weights[soft])
        values = rotation_channel(channel.bone, mode, turns).values
    if around.before:
        values = _near(channel.property, values, old.values(path, channel, np.array([around.first - 1]))[0])
    return replace(channel, values=values)


def _near(kind: str, values: Array, goal: Array) -> Array:
    """The same rotations (T, k), named so that the first one lies near ``goal`` (k,)."""
    if kind == "rotation_euler":
        return values + 2.0 * np.pi * np.round((goal - values[0]) / (2.0 * np.pi))
    axes = slice(None) if kind == "rotation_quaternion" else slice(1, None)
    values = -values if values[0, axes] @ goal[axes] < 0 else values
    if kind == "rotation_axis_angle":
        values = values.copy()
        values[:, 0] += 2.0 * np.pi * np.round((goal[0] - values[0, 0]) / (2.0 * np.pi))
    return values


def _jumps(channel: Channel, goal: Array) -> bool:
    """Whether the way from the last values to ``goal`` would lead through a turn that nobody meant."""
    last = channel.values[-1]
    if channel.property == "rotation_quaternion":
        return bool(last @ goal < 0)
    return channel.property != "location" and bool(np.abs(goal - last).max() > np.pi)


def _spliced(old: CurveKeys | None, new: CurveKeys, around: Range, outside: dict[int, float]) -> CurveKeys:
    """Old keys before, new ones within, old ones after; a key is added at the border where the old curve goes on."""
    old = old if old is not None else new.part(slice(0, 0))
    first, last = around.first - 1, around.last + 1
    head, tail = old.part(old.frames < around.first), old.part(old.frames > around.last)
    if around.before:
        head = old.until(first, outside[first]) if not np.any(head.frames >= first) else head.frozen(-1)
    if around.after:
        tail = old.since(last, outside[last]) if not np.any(tail.frames <= last) else tail.frozen(0)
    return head.join(new).join(tail)


def _held(keys: CurveKeys, around: Range) -> CurveKeys:
    """A switch does not fade: its own keys hold until the next one."""
    own = (keys.frames >= around.first - 1) & (keys.frames <= around.last)
    keys.data["interpolation"][own] = compat.CONSTANT
    return keys


def _owner(target: bpy.types.Object, channel: Channel) -> Any:
    """The pose bone, or the armature object itself, that has the channel."""
    return target.pose.bones[channel.bone] if channel.bone else target


def note(action: bpy.types.Action, around: Range, provenance: dict[str, Any]) -> None:
    """Keep in the Action what was put where."""
    seed = f" (seed {provenance['seed']})" if provenance.get("seed") is not None else ""
    line = f"{around.first}-{around.last}: {provenance.get('prompt', 'motion')}{seed}"
    action["merged"] = [*action.get("merged", []), line]
    add_credit(action, provenance)
