# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as Blender stores them on a pose bone: quaternion, axis and angle, or one of six Euler orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Channel:
    """One animated property of a pose bone.

    Attributes
    ----------
    bone : name of the bone.
    property : ``location``, ``rotation_quaternion``, ``rotation_axis_angle`` or ``rotation_euler``.
    values : (T, k) one column an F-curve.
    frames : (T,) scene frames after the first one, or None for one value a frame.
    slopes : (T, k) change of the values in a frame, for a curve with handles; None for straight lines.
    """

    bone: str
    property: str
    values: Array
    frames: Array | None = None
    slopes: Array | None = None


def rotation_channel(bone: str, mode: str, local: Array) -> Channel:
    """Rotations (T, 4) in the bone's rest frame as the channel of its rotation mode, without jumps."""
    local = quat.make_continuous(quat.normalize(local))
    if local[0, 0] < 0:
        local = -local
    if mode == "QUATERNION":
        return Channel(bone, "rotation_quaternion", local)
    if mode == "AXIS_ANGLE":
        return Channel(bone, "rotation_axis_angle", axis_angle(local))
    return Channel(bone, "rotation_euler", euler(local, mode))


def axis_angle(local: Array) -> Array:
    """Continuous quaternions (T, 4) to Blender's (angle, x, y, z); where nothing turns the axis is kept."""
    sine = np.linalg.norm(local[:, 1:], axis=-1)
    angle = 2.0 * np.arctan2(sine, local[:, 0])
    axis = np.tile(np.array([0.0, 1.0, 0.0]), (len(local), 1))
    turned = sine > 1e-6
    if turned.any():
        # the last frame with an axis, or the first one for frames before it
        last = np.maximum.accumulate(np.where(turned, np.arange(len(local)), 0))
        last = np.where(turned[last], last, int(np.argmax(turned)))
        axis = local[last, 1:] / sine[last, None]
    flips = np.sum(axis[1:] * axis[:-1], axis=-1) < 0
    sign = np.concatenate([[1.0], np.where(np.cumsum(flips) % 2 == 1, -1.0, 1.0)])
    return np.concatenate([np.unwrap(angle * sign)[:, None], axis * sign[:, None]], axis=-1)


def euler(local: Array, order: str) -> Array:
    """Quaternions (T, 4) to Blender's Euler angles (T, 3), always x, y, z columns, nearest to the frame before.

    Blender's ``XYZ`` turns about X first, in the parent's axes: the engine's intrinsic order read backwards.
    """
    columns = ["XYZ".index(letter) for letter in reversed(order)]
    first, middle, last = quat.to_euler(local, order[::-1]).T
    direct = np.stack([first, middle, last], axis=-1)
    other = np.stack([first + np.pi, np.pi - middle, last + np.pi], axis=-1)
    both = np.stack([direct, other], axis=1)
    path = np.empty_like(direct)
    previous = np.zeros(3)
    for frame, pair in enumerate(both):
        near = pair - 2 * np.pi * np.round((pair - previous) / (2 * np.pi))
        previous = near[int(np.argmin(np.abs(near - previous).sum(axis=-1)))]
        path[frame] = previous
    angles = np.empty_like(path)
    angles[:, columns] = path
    return angles


def quaternions(kind: str, mode: str, values: Array) -> Array:
    """Rotations (T, 4) of a rotation channel's values (T, k); the inverse of `rotation_channel`."""
    if kind == "rotation_quaternion":
        return quat.normalize(values)
    if kind == "rotation_axis_angle":
        return quat.from_axis_angle(values[..., :1] * quat.normalize(values[..., 1:]))
    columns = ["XYZ".index(letter) for letter in reversed(mode)]
    return quat.from_euler(values[..., columns], mode[::-1])
