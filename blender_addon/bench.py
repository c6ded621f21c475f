# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the way from a `Motion` to keys: ``python -m blender_addon.bench [REPEAT]`` in a Python that has bpy.

Prints one line of JSON: Blender's version, milliseconds of each run for the whole (read the rig, solve, write,
assign) and for the keys alone, for 300 frames on the default character's 22 mapped bones.
"""

from __future__ import annotations

import json
import sys
import time

import bpy
import numpy as np

from motion_engine import quaternion as quat
from motion_engine.motion import Motion

from . import keyframes, rig
from .character.build import add_character
from .retarget import solver

FRAMES = 300


def sample_motion() -> Motion:
    """A clip in which every joint turns."""
    time_axis = np.arange(FRAMES) / 30.0
    amplitude = np.random.default_rng(0).normal(size=(22, 3)) * 0.3
    vectors = amplitude * np.sin(time_axis * 2.0)[:, None, None]
    root = np.stack([0.1 * np.sin(time_axis), np.full(FRAMES, 0.95), time_axis * 0.8], axis=-1)
    return Motion.from_rotations(quat.from_axis_angle(vectors), root, 30.0)


def measure(repeat: int) -> dict[str, object]:
    """Milliseconds of ``repeat`` runs after one that is not counted."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    target, motion = add_character(bpy.context), sample_motion()
    whole, keys = [], []
    for _ in range(repeat + 1):
        began = time.perf_counter()
        channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
        solved = time.perf_counter()
        keyframes.assign(target, keyframes.write_action(target, channels, "bench", 1, motion.provenance))
        ended = time.perf_counter()
        whole.append((ended - began) * 1e3)
        keys.append((ended - solved) * 1e3)
    return {"blender": bpy.app.version_string, "whole_ms": whole[1:], "keys_ms": keys[1:]}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10)))
