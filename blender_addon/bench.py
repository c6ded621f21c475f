# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the way from a `Motion` to keys: ``python -m blender_addon.bench [REPEAT]`` in a Python that has bpy.

The last line is JSON: Blender's version, milliseconds of each run for the whole (read the rig, solve, write, assign)
and for the keys alone, for 300 frames on the default character's 22 mapped bones; the same and its parts for the
Rigify human that Blender generates, with processor time, which other programs do not lengthen, and the first run.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Run:
    """Milliseconds of one run: to read the rig, to solve, to write keys; and of processor time for all three."""

    read: float
    solve: float
    keys: float
    processor: float

    @property
    def whole(self) -> float:
        """All three."""
        return self.read + self.solve + self.keys


def measure(repeat: int) -> dict[str, object]:
    """Milliseconds of ``repeat`` runs after a first one, on the default character and on Rigify's human."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    motion = sample_motion()
    _, *plain = steps(add_character(bpy.context), motion, repeat)
    first, *rigify = steps(rigify_human(), motion, repeat)
    return {
        "blender": bpy.app.version_string,
        "whole_ms": [run.whole for run in plain],
        "keys_ms": [run.keys for run in plain],
        "rigify_whole_ms": [run.whole for run in rigify],
        "rigify_read_ms": [run.read for run in rigify],
        "rigify_solve_ms": [run.solve for run in rigify],
        "rigify_keys_ms": [run.keys for run in rigify],
        "rigify_processor_ms": [run.processor for run in rigify],
        "rigify_first_ms": first.whole,
        "rigify_first_processor_ms": first.processor,
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


def steps(target: bpy.types.Object, motion: Motion, repeat: int) -> list[Run]:
    """A first run, in which the rig is recognised, and ``repeat`` more, in which it plays the keys before.

    What Blender has to evaluate to show the scene is evaluated between the runs, as its window would.
    """
    runs = []
    for _ in range(repeat + 1):
        bpy.context.view_layer.update()
        busy, began = time.process_time(), time.perf_counter()
        rest = rig.read_rest(target, rig.check(target))
        read = time.perf_counter()
        channels = solver.solve(rest, motion)
        solved = time.perf_counter()
        action = keyframes.write_action(target, channels, "bench", 1, motion.provenance, rest.switches)
        keyframes.assign(target, action)
        ended, worked = time.perf_counter(), time.process_time()
        parts = read - began, solved - read, ended - solved, worked - busy
        runs.append(Run(*(1e3 * part for part in parts)))
    return runs


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10)))
