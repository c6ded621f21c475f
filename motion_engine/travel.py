# SPDX-License-Identifier: GPL-3.0-or-later
"""How a character travels over the ground, apart from its sway; a clip without its travel is "in place".

Travel is the low-passed path of the pelvis, not the straight line from the first frame to the last: a line fits a
steady walk only, and would leave metres of drift in a clip that walks and then stands. The filter is wide enough that
the sway of a stride stays with the body, and its ends are continued point-symmetrically, so that a steady walk is
taken out exactly.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from motion_engine import skeleton
from motion_engine.filters import gaussian_filter
from motion_engine.motion import Motion

Array = NDArray[np.floating]

SWAY_SECONDS = 0.4
"""Width of the low-pass: of a stride's sway, about 0.9 a second, one part in twelve is taken for travel."""


def smooth(rows: Array, fps: float, is_loop: bool) -> Array:
    """Low-pass of rows (T, n) whose ends go on as they came.

    Parameters
    ----------
    is_loop : the last row is the first one again, plus what a cycle advances; else both ends are continued by
        reflection in their end points.
    """
    n_frames = len(rows)
    if n_frames < 3:
        return rows.copy()
    sigma = SWAY_SECONDS * fps
    reach = int(4 * sigma + 0.5) + 1
    advance = rows[-1] - rows[0]
    index = np.arange(-reach, n_frames + reach)
    cycle, frame = np.divmod(index, n_frames - 1)
    if is_loop:
        padded = rows[frame] + cycle[:, None] * advance
    else:
        # every second copy is the reflection of the one before in the point where they meet
        padded = np.where(
            (cycle % 2 == 0)[:, None], rows[frame], rows[0] + rows[-1] - rows[n_frames - 1 - frame]
        )
        padded = padded + cycle[:, None] * advance
    return gaussian_filter(padded, sigma)[reach : reach + n_frames]


def ground_travel(motion: Motion, is_loop: bool) -> tuple[Array, Array]:
    """Smooth path and heading of the whole body, both starting at nothing.

    Parameters
    ----------
    is_loop : the motion was closed by `motion_engine.loop.close`.

    Returns
    -------
    path : (T, 2) metres along x and z from where the pelvis starts.
    yaw : (T,) radians about +Y from the first heading.
    """
    front = skeleton.facing(motion.joints.astype(float))
    heading = np.unwrap(np.arctan2(front[:, 0], front[:, 2]))
    moved = smooth(np.column_stack([motion.root[:, [0, 2]].astype(float), heading]), motion.fps, is_loop)
    moved = moved - moved[0]
    return moved[:, :2], moved[:, 2]


def in_place(motion: Motion, is_loop: bool) -> Motion:
    """The motion without its travel: the pelvis keeps its sway, its height and its heading.

    Feet that stand move backwards under the body then, as on a treadmill. See `ground_travel` for ``is_loop``.
    """
    path, _ = ground_travel(motion, is_loop)
    shift = np.zeros((motion.n_frames, 3))
    shift[:, [0, 2]] = -path
    provenance = copy.deepcopy(motion.provenance) | {"in_place": True}
    return Motion(
        motion.joints + shift[:, None],
        motion.rotations,
        motion.root + shift,
        motion.contacts,
        motion.fps,
        provenance,
    )
