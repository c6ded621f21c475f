# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a motion begins that is put into an Action: at the place and with the heading that the character has there.

In the rig's own space, so that the object's place does not matter. Under a root bone that travels, the motion begins
at the root bone of that frame too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine.motion import Motion

from . import compat
from .keyframes import channel_path
from .retarget import solver
from .retarget.channels import Channel, local_rotation, rotation_channel
from .retarget.rest import RestRig, Root
from .sampling.clip import Reader

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Start:
    """Where the old motion is at a frame.

    Attributes
    ----------
    place : (3,) metres on the ground and heading in radians, of the body, in the engine's axes and size and seen from
        the root bone where one travels.
    yaw : see ``place``.
    root : the root bone that travels, or None.
    root_path, root_turn : horizontal (3,) and rotation (4,) about the vertical of that bone at the frame, as
        `retarget.root_motion` has them.
    """

    place: Array
    yaw: float
    root: Root | None = None
    root_path: Array | None = None
    root_turn: Array | None = None

    def moved(self, motion: Motion) -> Motion:
        """The motion from here on."""
        return motion.placed(self.place, self.yaw)

    def carried(self, channels: Sequence[Channel]) -> list[Channel]:
        """Channels of a rig, with the root bone going on from where it is."""
        if self.root is None or self.root_path is None or self.root_turn is None:
            return list(channels)
        axes, frame = _axes(self.root)
        found = []
        for channel in channels:
            if channel.bone == self.root.bone and channel.property == "location":
                path = self.root_path + quat.rotate(self.root_turn, channel.values @ axes.T)
                channel = replace(channel, values=path @ np.linalg.inv(axes).T)
            elif channel.bone == self.root.bone:
                own = quat.multiply(quat.conjugate(frame), quat.multiply(self.root_turn, frame))
                turns = quat.multiply(own, local_rotation(self.root.mode, channel.values))
                channel = rotation_channel(channel.bone, self.root.mode, turns)
            found.append(channel)
        return found


def find(target: bpy.types.Object, rest: RestRig, frame: int) -> Start:
    """Where the Action that an armature plays has the character at a frame.

    Raises
    ------
    UserError
        If the rig cannot be read.
    """
    measured = solver.measure(rest)
    there = Reader(target).in_own_space(frame)
    up = measured.ground.up
    at, yaw = there.pelvis, there.yaw
    root = rest.root if rest.root is not None and rest.root.bone else None
    path = turn = None
    if root is not None:
        path, turn = _root_at(target, root, frame, up)
        pivot = root.rest[:3, 3]
        at = quat.rotate(quat.conjugate(turn), at - path - pivot) + pivot
        yaw -= 2.0 * float(np.arctan2(turn[1:] @ up, turn[0]))
    # from the rig's ground to the source's
    flat = np.linalg.pinv(measured.ground.flat) @ (at - measured.heads[0])
    place = quat.rotate(quat.conjugate(measured.to_rig), flat) * (1.0, 0.0, 1.0)
    return Start(place, yaw, root, path, turn)


def _axes(root: Root) -> tuple[Array, Array]:
    """Axes (3, 3) of a root bone's location, and its rest rotation (4,)."""
    axes = root.rest[:3, :3]
    return axes, quat.from_matrix(axes / np.linalg.norm(axes, axis=0))


def _root_at(target: bpy.types.Object, root: Root, frame: int, up: Array) -> tuple[Array, Array]:
    """Horizontal path (3,) and turn (4,) about the vertical of the root bone at a frame."""
    bone = target.pose.bones[root.bone]
    curves = {
        (curve.data_path, curve.array_index): curve
        for curve in compat.curves_on(target, target.animation_data.action)
    }

    def value(prop: str) -> Array:
        path = channel_path(Channel(root.bone, prop, np.zeros((1, 3))))
        now = np.array(getattr(bone, prop), dtype=float)
        for index in range(len(now)):
            if (path, index) in curves:
                now[index] = curves[path, index].evaluate(frame)
        return now

    axes, rest = _axes(root)
    path = axes @ value("location")
    prop = rotation_channel(root.bone, root.mode, quat.IDENTITY[None]).property
    local = local_rotation(root.mode, value(prop)[None])[0]
    turn = quat.multiply(rest, quat.multiply(local, quat.conjugate(rest)))
    twist = np.array([turn[0], *(up * (turn[1:] @ up))])
    length = np.linalg.norm(twist)
    turn = twist / length if length > 1e-6 else quat.IDENTITY
    return path - up * (path @ up), turn
