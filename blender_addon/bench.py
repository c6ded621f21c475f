# SPDX-License-Identifier: GPL-3.0-or-later
"""How long retargeting and keyframing take here: ``python -m blender_addon.bench [REPEAT]`` prints JSON."""

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


def measure(repeat: int) -> dict[str, object]:
    """Milliseconds of each of ``repeat`` runs on the default character: solve and keys together, keys alone."""
    random = np.random.default_rng(0)
    swing = np.cumsum(random.normal(0, 0.02, (FRAMES, 22, 3)), axis=0)
    root = np.cumsum(random.normal(0, 0.01, (FRAMES, 3)), axis=0) + np.array([0.0, 0.94, 0.0])
    motion = Motion.from_rotations(quat.from_axis_angle(swing), root, 30.0, {"prompt": "bench"})
    target = add_character(bpy.context)
    rest = rig.read_rest(target, rig.check(target))
    whole, keys = [], []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        channels = solver.solve(rest, motion)
        solved = time.perf_counter()
        action = keyframes.write_action(target, channels, "bench", 1, motion.provenance)
        end = time.perf_counter()
        whole.append((end - start) * 1e3)
        keys.append((end - solved) * 1e3)
        bpy.data.actions.remove(action)
    return {"blender": bpy.app.version_string, "whole_ms": whole[1:], "keys_ms": keys[1:]}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20)))
