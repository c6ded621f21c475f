# SPDX-License-Identifier: GPL-3.0-or-later
"""A small captioned set in which every sentence means a motion of its own, for the tests of the evaluation."""

from __future__ import annotations

from itertools import product

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion
from training.data.motion_set import MotionSet, Window

FPS = 20.0
WHO = ("a man", "a woman", "a child", "a dancer")
WHAT = {
    "waves the left hand": (16, 2),
    "waves the right hand": (17, 2),
    "kicks with the left leg": (1, 0),
    "kicks with the right leg": (2, 0),
    "nods": (15, 0),
    "bows": (3, 0),
    "twists": (6, 1),
    "shrugs": (13, 2),
}


def swing(joint: int, axis: int, rate: float, travel: float, frames: int, seed: int) -> Motion:
    """One joint swings at ``rate`` Hz while the body walks ``travel`` m/s; a little noise by seed."""
    random = np.random.default_rng(seed)
    time = np.arange(frames) / FPS
    turned = np.zeros((frames, skeleton.N_JOINTS, 3))
    turned[:, joint, axis] = 0.7 * np.sin(2 * np.pi * rate * time + random.uniform(0, 0.5))
    root = np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (frames, 1))
    root[:, 2] += travel * time
    return Motion.from_rotations(quat.from_axis_angle(turned), root, FPS)


def small_set(takes: int = 3) -> MotionSet:
    """32 sentences: eight actions, fast or slow, standing or walking; ``takes`` training clips and a test clip each."""
    motions, windows = {}, []
    kinds = list(product(WHAT.items(), (0.5, 1.5), (0.0, 1.0)))
    for number, (((action, (joint, axis)), rate, travel), take) in enumerate(
        product(kinds, range(takes + 1))
    ):
        how = (
            f"{'quickly' if rate > 1 else 'slowly'} while {'walking forward' if travel else 'standing still'}"
        )
        name = f"{'waves' if travel else 'walks'}/take_{number}"
        frames = 24 + 4 * (number % 6)
        motions[name] = swing(joint, axis, rate, travel, frames, number)
        captions = tuple(f"{who} {action} {how}" for who in (WHO[take % 4], "a person"))
        split = "train" if take < takes else "test"
        windows.append(Window(name, 0.0, frames / FPS, split, captions))
    return MotionSet(motions, windows, FPS)
