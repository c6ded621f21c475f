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
    bone : name of the bone, empty for the armature object itself.
    property : ``location``, ``rotation_quaternion``, ``rotation_axis_angle`` or ``rotation_euler``.
    values : (T, k) one column an F-curve.
    columns : index of the property's component that each column is for; all of them in order when None.
    frames : (T,) scene frames after the first one, or None for one value a frame.
    slopes : (T, k) change of the values in a frame, for a curve with handles; None for straight lines.
    """

    bone: str
    property: str
    values: Array
    columns: tuple[int, ...] | None = None
    frames: Array | None = None
    slopes: Array | None = None

    @property
    def indices(self) -> tuple[int, ...]:
        """Component of the property that each column is for."""
        return self.columns if self.columns is not None else tuple(range(self.values.shape[1]))


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


def locked_rotation(
    bone: str, mode: str, local: Array, locks: NDArray[np.bool_], own: Array
) -> tuple[Channel | None, Array]:
    """The channel of a bone with locked axes of rotation, and the rotations (T, 4) that it really makes.

    Parameters
    ----------
    locks : bool (3,), x, y, z. As Blender does it, they are axes of Euler angles in every rotation mode.
    own : (4,) the bone's rotation, which the locked angles are taken from.

    Returns
    -------
    channel, None when all three are locked; rotations.
    """
    if locks.all():
        return None, np.broadcast_to(own, local.shape)
    order = mode if len(mode) == 3 else "XYZ"
    angles = euler(local, order)
    angles[:, locks] = euler(own[None], order)[0, locks]
    columns = ["XYZ".index(letter) for letter in reversed(order)]
    made = quat.from_euler(angles[:, columns], order[::-1])
    if order != mode:
        return rotation_channel(bone, mode, made), made
    free = tuple(int(axis) for axis in np.flatnonzero(~locks))
    return Channel(bone, "rotation_euler", angles[:, free], free), made


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
    path = _without_pole_jumps(quat.to_euler(local, order[::-1]), order[::-1])
    # the same rotation in other angles; from frame to frame the nearer of the two is taken
    other = path * (1.0, -1.0, 1.0) + np.pi
    stay, change = _distance(path[1:], path[:-1]), _distance(other[1:], path[:-1])
    start = _distance(other[:1], np.zeros(3)) < _distance(path[:1], np.zeros(3))
    use_other = np.cumsum(np.concatenate([start, change < stay])) % 2 == 1
    path = np.unwrap(np.where(use_other[:, None], other, path), axis=0)
    path -= 2 * np.pi * np.round(path[0] / (2 * np.pi))
    angles = np.empty_like(path)
    angles[:, columns] = path
    return angles


def local_rotation(mode: str, values: Array) -> Array:
    """Rotations (..., 4) from the values (..., 3 or 4) of a rotation channel; inverse of `rotation_channel`."""
    if mode == "QUATERNION":
        length = np.linalg.norm(values, axis=-1, keepdims=True)
        return np.where(length > 0, values / np.where(length > 0, length, 1.0), quat.IDENTITY)
    if mode == "AXIS_ANGLE":
        return quat.from_axis_angle(quat.normalize(values[..., 1:]) * values[..., :1])
    columns = ["XYZ".index(letter) for letter in reversed(mode)]
    return quat.from_euler(values[..., columns], mode[::-1])


CHANNEL_OF_MODE = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
"""The property that holds a pose bone's rotation by its mode; Euler orders have ``rotation_euler``."""


def _distance(a: Array, b: Array) -> Array:
    """Sum (T,) of the differences of three angles, each the shorter way round."""
    return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi).sum(axis=-1)


def _without_pole_jumps(angles: Array, order: str) -> Array:
    """Angles (T, 3) of `quat.to_euler` in which frames at a pole keep the last angle of the frame before.

    There, only the sum or the difference of first and last angle is determined, and all of it came as the first.
    """
    parity = 1.0 if ("XYZ".index(order[1]) - "XYZ".index(order[0])) % 3 == 1 else -1.0
    sine = np.sin(angles[:, 1])
    at_pole = np.flatnonzero(np.abs(sine) > 1.0 - 1e-9)
    if not len(at_pole):
        return angles
    angles = angles.copy()
    elsewhere = np.flatnonzero(np.abs(sine) <= 1.0 - 1e-9)
    for frame in at_pole:
        # frames at a pole at the beginning look ahead to the first that is not
        last = angles[frame - 1, 2] if frame > 0 else angles[elsewhere[0], 2] if len(elsewhere) else 0.0
        angles[frame, 0] -= parity * np.sign(sine[frame]) * last
        angles[frame, 2] = last
    return angles
