# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the way from a `Motion` to keys: ``python -m blender_addon.bench [REPEAT]`` in a Python that has bpy.

The last line is JSON: Blender's version, milliseconds of each run for the whole (read the rig, solve, write, assign)
and for the keys alone, for 300 frames on the default character's 22 mapped bones; the same and its parts for the
Rigify human that Blender generates.
"""

from __future__ import annotations

import contextlib
import io
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
    """Milliseconds of ``repeat`` runs after one that is not counted, on the default character and on Rigify's human."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    motion = sample_motion()
    plain = steps(add_character(bpy.context), motion, repeat)
    rigify = steps(rigify_human(), motion, repeat)
    return {
        "blender": bpy.app.version_string,
        "whole_ms": [sum(run) for run in plain],
        "keys_ms": [run[-1] for run in plain],
        "rigify_whole_ms": [sum(run) for run in rigify],
        "rigify_read_ms": [run[0] for run in rigify],
        "rigify_solve_ms": [run[1] for run in rigify],
        "rigify_keys_ms": [run[2] for run in rigify],
    }


def rigify_human() -> bpy.types.Object:
    """The rig that Blender generates from its own human metarig."""
    with contextlib.redirect_stdout(io.StringIO()):
        bpy.ops.preferences.addon_enable(module="rigify")
        bpy.ops.object.armature_human_metarig_add()
        metarig = bpy.context.object
        bpy.ops.pose.rigify_generate()
    generated = bpy.context.object
    bpy.data.objects.remove(metarig)
    return generated


def steps(target: bpy.types.Object, motion: Motion, repeat: int) -> list[tuple[float, float, float]]:
    """Milliseconds for reading the rig, solving, and keys; from the second run on the rig plays the keys before."""
    rows = []
    for _ in range(repeat + 1):
        began = time.perf_counter()
        rest = rig.read_rest(target, rig.check(target))
        read = time.perf_counter()
        channels = solver.solve(rest, motion)
        solved = time.perf_counter()
        action = keyframes.write_action(target, channels, "bench", 1, motion.provenance, rest.switches)
        keyframes.assign(target, action)
        ended = time.perf_counter()
        rows.append(((read - began) * 1e3, (solved - read) * 1e3, (ended - solved) * 1e3))
    return rows[1:]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10)))
