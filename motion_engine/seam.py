# SPDX-License-Identifier: GPL-3.0-or-later
"""Join two clips into one: the second goes on where the first ends, and the difference at the seam dies out.

The technique is inertialisation (Bollo, "Inertialization", GDC 2018): instead of blending two motions, only the
second one plays, plus its offset from the first at the seam, which decays to nothing along a cubic that starts with
the offset's value and velocity and ends with zero of both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion

Array = NDArray[np.floating]

SEAM_SECONDS = 0.5
"""Time over which the offset at a seam dies out."""


def place(motion: Motion, yaw: float, ground: Array) -> Motion:
    """The clip turned by ``yaw`` radians about +Y and moved so that its pelvis starts above ``ground`` (x, z)."""
    turn = quat.about_axis(1, yaw)
    origin = motion.root[0].astype(float) * np.array([1.0, 0.0, 1.0])
    shift = np.array([ground[0], 0.0, ground[1]])
    joints = quat.rotate(turn, motion.joints.astype(float) - origin) + shift
    rotations = motion.rotations.astype(float)
    rotations[:, 0] = quat.multiply(turn, rotations[:, 0])
    return replace(motion, joints=joints, rotations=rotations, root=joints[:, 0])


def heading(motion: Motion, frame: int) -> float:
    """Yaw in radians of the facing direction at a frame; 0 faces +Z, positive turns to the left."""
    front = skeleton.facing(motion.joints[frame][None].astype(float))[0]
    return float(np.arctan2(front[0], front[2]))


def continue_with(first: Motion, second: Motion, seconds: float = SEAM_SECONDS) -> Motion:
    """``second`` placed behind the end of ``first``, its beginning bent so that the seam is smooth.

    Its first frame comes one frame after the last of ``first``, in the same heading. ``first`` is left as it is:
    `join` puts the two together.
    """
    if first.fps != second.fps:
        raise ValueError(f"Both clips must have one frame rate, not {first.fps:g} and {second.fps:g}.")
    root, rotations = first.root.astype(float), first.rotations.astype(float)
    has_speed = first.n_frames > 1 and second.n_frames > 1
    speed = root[-1] - root[-2] if has_speed else np.zeros(3)
    there = place(second, heading(first, -1) - heading(second, 0), root[-1, [0, 2]] + speed[[0, 2]])
    target, turned = there.root.astype(float), there.rotations.astype(float)

    # what the first clip would do next, as far as a straight line says
    expected = root[-1] + speed
    offset = rotation_vector(turned[0], rotations[-1])
    root_change, change = np.zeros(3), np.zeros_like(offset)
    if has_speed:
        root_change = speed - (target[1] - target[0])
        change = rotation_vector(rotations[-2], rotations[-1]) - rotation_vector(turned[0], turned[1])
        offset = offset + rotation_vector(rotations[-2], rotations[-1])
    decay, slope = decay_weights(second.n_frames, seconds * second.fps)
    target = target + decay[:, None] * (expected - target[0]) + slope[:, None] * root_change
    bend = decay[:, None, None] * offset + slope[:, None, None] * change
    turned = quat.multiply(turned, quat.from_axis_angle(bend))
    return Motion.from_rotations(turned, target, second.fps, dict(second.provenance), second.contacts)


def join(first: Motion, second: Motion, seconds: float = SEAM_SECONDS) -> Motion:
    """Both clips as one, with a smooth seam; provenance is the first one's."""
    following = continue_with(first, second, seconds)
    return Motion.from_rotations(
        np.concatenate([first.rotations, following.rotations]),
        np.concatenate([first.root, following.root]),
        first.fps,
        dict(first.provenance),
        np.concatenate([first.contacts, following.contacts]),
    )


def rotation_vector(start: Array, end: Array) -> Array:
    """Rotation vectors (..., 3) that bring ``start`` to ``end`` in the joint's own frame, the shorter way."""
    turn = quat.multiply(quat.conjugate(start), end)
    return quat.to_axis_angle(np.where(turn[..., :1] < 0, -turn, turn))


def decay_weights(n_frames: int, length: float) -> tuple[Array, Array]:
    """Cubic Hermite weights (T,) of a value and of a change a frame at the seam, zero after ``length`` frames."""
    s = np.minimum(np.arange(n_frames) / max(length, 1.0), 1.0)
    return 2 * s**3 - 3 * s**2 + 1, max(length, 1.0) * (s**3 - 2 * s**2 + s)
