# SPDX-License-Identifier: GPL-3.0-or-later
"""Close a clip to a cycle: its last frame is its first one again, one cycle's travel further on.

That is what Blender's Cycles modifier, repeated NLA strips and game engines take for a loop. The technique is that of
`motion_engine.seam` with time reversed: towards the end, the offset to the first pose grows along the same cubic, so
that pose and velocity meet. Then the feet are planted again, on several cycles in a row, so that a foot that stands
across the seam stays where it is.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine.cleanup import lock_feet
from motion_engine.contacts import detect_contacts
from motion_engine.motion import Motion
from motion_engine.seam import decay_weights, rotation_vector
from motion_engine.travel import in_place

Array = NDArray[np.floating]

MIN_FRAMES = 4
"""A shorter clip has no inside to blend over, and stays as it is."""

MAX_SHARE = 0.5
"""Share of the clip that the window may take at most."""


def cycle(motion: Motion, loop: float, without_travel: bool) -> Motion:
    """The motion closed over ``loop`` seconds (0 leaves it open), and without its travel if asked."""
    if loop > 0:
        motion = close(motion, loop)
    return in_place(motion, loop > 0) if without_travel else motion


def close(motion: Motion, seconds: float) -> Motion:
    """The motion as a cycle; frames before the window change only where feet that stand are planted again.

    Parameters
    ----------
    seconds : length of the window at the end; half the clip at most.

    Returns
    -------
    Motion
        With as many frames. The last frame has the rotations and the height of the first one, and the velocity with
        which it goes on; the distance travelled over ground is kept.
    """
    if motion.n_frames < MIN_FRAMES or seconds <= 0:
        return motion
    length = min(seconds * motion.fps, MAX_SHARE * (motion.n_frames - 1))
    closed = _bend_end(motion, length)
    window = np.arange(motion.n_frames) > motion.n_frames - 1 - length
    # what stood may move now, to where it stands in the first frame
    seen = detect_contacts(closed.joints, closed.fps, floor=0.0)
    contacts = np.where(window[:, None], seen, closed.contacts)
    contacts[-1] = contacts[0]
    planted = lock_feet(_repeat(closed.rotations, closed.root, contacts, closed.fps))
    period = motion.n_frames - 1
    middle = slice(period, 2 * period + 1)
    advance = _advance(closed.root)
    one = Motion.from_rotations(
        planted.rotations[middle], planted.root[middle] - advance, motion.fps,
        copy.deepcopy(motion.provenance) | {"loop": seconds}, planted.contacts[middle],
    )  # fmt: skip
    # planting sees the ends of the row of cycles, if only from afar
    one = _bend_end(one, length)
    one.contacts[-1] = one.contacts[0]
    return one


def _bend_end(motion: Motion, length: float) -> Motion:
    """Bend the last ``length`` frames so that the last one is the first one, going on as the first one does."""
    rotations, root = motion.rotations.astype(float), motion.root.astype(float)
    decay, slope = (weights[::-1] for weights in decay_weights(len(root), length))

    # the pose that would come before the first one, at the first one's velocity
    before = quat.multiply(
        rotations[0], quat.conjugate(quat.multiply(quat.conjugate(rotations[0]), rotations[1]))
    )
    offset = rotation_vector(rotations[-1], rotations[0])
    # seen backwards in time: how the offset changes from the last frame to the one before it
    change = rotation_vector(rotations[-2], before) - offset
    bend = decay[:, None, None] * offset + slope[:, None, None] * change
    bent = quat.multiply(rotations, quat.from_axis_angle(bend))

    goal = root[0] + _advance(root)
    offset = goal - root[-1]
    change = (goal - (root[1] - root[0])) - root[-2] - offset
    path = root + decay[:, None] * offset + slope[:, None] * change
    bent[-1], path[-1] = rotations[0], goal
    return Motion.from_rotations(bent, path, motion.fps, motion.provenance, motion.contacts)


def _advance(root: Array) -> Array:
    """What a cycle travels over ground, (3,) metres."""
    return (root[-1].astype(float) - root[0]) * (1.0, 0.0, 1.0)


def _repeat(rotations: Array, root: Array, contacts: NDArray[np.bool_], fps: float) -> Motion:
    """Three cycles in a row."""
    advance = _advance(root)
    paths = [root[:-1] + k * advance for k in range(3)]
    return Motion.from_rotations(
        np.concatenate([*[rotations[:-1]] * 3, rotations[:1]]),
        np.concatenate([*paths, root[:1] + 3 * advance]),
        fps,
        None,
        np.concatenate([*[contacts[:-1]] * 3, contacts[:1]]),
    )
