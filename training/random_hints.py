# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints to learn control from: what an animator might ask for, taken from measured clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import skeleton

Mask = NDArray[np.bool_]

DENSITIES = (1, 2, 5, 0.25, 1.0)
"""Frames with a target: a number of them, or a share of the clip (OmniControl's and MotionLCM's densities)."""

HANDS, FEET = (20, 21), (7, 8)
JOINT_SETS: dict[str, tuple[int, ...]] = {"pelvis": (0,), "hands": HANDS, "feet": FEET}


def hinted_frames(n_frames: int, density: float, random: np.random.Generator) -> NDArray[np.integer]:
    """Frames at a density of `DENSITIES`: an int is a number of frames, a float a share of the clip."""
    count = density if isinstance(density, int) else round(density * n_frames)
    return random.choice(n_frames, size=min(max(int(count), 1), n_frames), replace=False)


def start_and_end(n_frames: int) -> Mask:
    """Mask (T, 22, 3) of the whole first and last pose."""
    mask = np.zeros((n_frames, skeleton.N_JOINTS, 3), dtype=bool)
    mask[[0, -1]] = True
    return mask


def random_mask(n_frames: int, random: np.random.Generator) -> Mask:
    """Mask (T, 22, 3): a path, hands or feet, poses, or anything, sparse or dense."""
    mask = np.zeros((n_frames, skeleton.N_JOINTS, 3), dtype=bool)

    def add(joints: tuple[int, ...], axes: tuple[int, ...] = (0, 1, 2)) -> None:
        density = DENSITIES[random.integers(len(DENSITIES))]
        for frame in hinted_frames(n_frames, density, random):
            for joint in joints:
                mask[frame, joint, list(axes)] = True

    kind = random.random()
    if kind < 0.25:
        add((0,), (0, 2) if random.random() < 0.5 else (0, 1, 2))
    elif kind < 0.5:
        pair = HANDS if random.random() < 0.6 else FEET
        add(pair if random.random() < 0.4 else (int(random.choice(pair)),))
    elif kind < 0.7:
        mask[0] = random.random() < 0.8
        mask[-1] = random.random() < 0.8 or not mask[0].any()
        for frame in random.integers(0, n_frames, size=random.integers(0, 3)):
            mask[frame] = True
        if random.random() < 0.3:  # a motion that goes on from another one
            mask[: min(4, n_frames)] = True
    elif kind < 0.85:
        add((0,), (0, 2))
        add((int(random.choice((*HANDS, *FEET, 15))),))
    else:
        joints = random.choice(skeleton.N_JOINTS, size=random.integers(1, 7), replace=False)
        for joint in joints:
            add((int(joint),))
    return mask
