# SPDX-License-Identifier: GPL-3.0-or-later
"""The travel of a clip on a root bone or on the object, and the pose as it is seen from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

from .channels import Channel, rotation_channel
from .rest import Root

Array = NDArray[np.floating]


@dataclass(frozen=True)
class RootMotion:
    """A rigid motion of armature space: a turn about the vertical through ``pivot``, then ``path``.

    Attributes
    ----------
    pivot : (3,) where the root bone stands at rest.
    path : (T, 3) horizontal.
    turn : (T, 4) rotation about the vertical.
    channels : what plays it on the root bone or the object.
    """

    pivot: Array
    path: Array
    turn: Array
    channels: list[Channel]

    def seen_from(self, points: Array) -> Array:
        """Points (T, 3) of armature space as they are without this motion."""
        return quat.rotate(quat.conjugate(self.turn), points - self.path - self.pivot) + self.pivot


def root_motion(root: Root, path: Array, yaw: Array, up: Array) -> RootMotion:
    """Bring a path (T, 3) and a heading (T,), radians about ``up``, onto the root."""
    turn = quat.from_axis_angle(up * yaw[:, None])
    if root.bone:
        pivot, axes = root.rest[:3, 3], root.rest[:3, :3]
        frame = quat.from_matrix(axes / np.linalg.norm(axes, axis=0))
        location = path @ np.linalg.inv(axes).T
        local = quat.multiply(quat.conjugate(frame), quat.multiply(turn, frame))
    else:
        pivot = np.zeros(3)
        axes = root.rest[:3, :3] @ quat.to_matrix(turn) / root.scale
        if not np.allclose(np.swapaxes(axes, 1, 2) @ axes, np.eye(3), atol=1e-5):
            # scale that differs across the ground would shear the body as it turns: the hips turn instead
            turn = np.tile(quat.IDENTITY, (len(path), 1))
            axes = np.broadcast_to(root.rest[:3, :3] / root.scale, (len(path), 3, 3))
        location = path @ root.rest[:3, :3].T + root.rest[:3, 3] - root.delta[:3, 3]
        local = quat.from_matrix(root.delta[:3, :3].T @ axes)
    channels = [Channel(root.bone, "location", location), rotation_channel(root.bone, root.mode, local)]
    return RootMotion(pivot, path, turn, channels)
