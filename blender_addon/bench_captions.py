# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the captions of a library: ``python -m blender_addon.bench_captions [ACTIONS]`` in a Python that has bpy.

The last line is JSON. For the default character, whose curves alone are read, and for the Rigify human, which Blender
evaluates: seconds from the button to the captions in the file, the longest and the median time in milliseconds for
which Blender's window waits while actions are read, the longest in processor time, which other programs do not
lengthen, and the last one, in which all captions are written and the undo step is made. The engine runs already; the
actions are walks of two seconds, each one different.
"""

from __future__ import annotations

import json
import sys
import time

import bpy
import numpy as np

from motion_engine import quaternion as quat
from motion_engine.motion import Motion

from . import keyframes, register, rig, unregister
from .bench import rigify_human
from .captions.caption_run import CaptionRun
from .captions.describe import Options
from .captions.sources import of_actions
from .character.build import add_character
from .retarget import solver
from .session import TICK_SECONDS, pump, session

FRAMES, RATE = 40, 20.0


def step_motion(number: int) -> Motion:
    """Two seconds of steps, of a length and height of their own."""
    time_axis = np.arange(FRAMES) / RATE
    vectors = np.zeros((FRAMES, 22, 3))
    vectors[:, 16, 2], vectors[:, 17, 2] = -1.25, 1.25  # the arms hang
    swing = (0.3 + 0.002 * number) * np.sin(2 * np.pi * time_axis)
    for joints, sign in (((1, 17), 1.0), ((2, 16), -1.0)):  # a leg and the other side's arm
        vectors[:, joints, 0] = sign * swing[:, None]
    vectors[:, (4, 5), 0] = 0.4 + 0.3 * np.abs(swing[:, None])
    root = np.stack([0.0 * time_axis, np.full(FRAMES, 0.93), time_axis * (0.6 + 0.004 * number)], axis=-1)
    return Motion.from_rotations(quat.from_axis_angle(vectors), root, RATE)


def library(target: bpy.types.Object, count: int) -> list[bpy.types.Action]:
    """That many different Actions for an armature."""
    rest = rig.read_rest(target, rig.check(target))
    made = []
    for number in range(count):
        channels = solver.solve(rest, step_motion(number))
        made.append(keyframes.write_action(target, channels, f"step {number}", 1, {}, rest.switches))
    keyframes.assign(target, made[0])
    return made


def caption_all(actions: list[bpy.types.Action]) -> dict[str, float]:
    """Caption them as the button does, and time every turn of the timer."""
    run = CaptionRun(of_actions(actions), [], Options(), 3)
    began = time.perf_counter()
    session.begin(run)
    turns, busy = [], []
    while not run.over:
        turn, worked = time.perf_counter(), time.thread_time()
        pump()
        turns.append(time.perf_counter() - turn)
        busy.append(time.thread_time() - worked)
        time.sleep(TICK_SECONDS)
    whole = time.perf_counter() - began
    assert len(run.found) == len(actions), session.status.text
    return {
        "seconds": whole,
        "longest_ms": 1e3 * max(turns[:-1]),
        "longest_processor_ms": 1e3 * max(busy[:-1]),
        "median_ms": 1e3 * float(np.median(turns)),
        "writing_ms": 1e3 * turns[-1],
    }


def measure(count: int) -> dict[str, object]:
    """Both rigs."""
    figures: dict[str, object] = {"blender": bpy.app.version_string, "actions": count}
    for name, build in (("plain", lambda: add_character(bpy.context)), ("rigify", rigify_human)):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.scene.render.fps = int(RATE)
        actions = library(build(), count)
        if not figures.get("warm"):
            caption_all(actions[:1])  # starts the engine
            figures["warm"] = True
        figures[name] = caption_all(actions)
    del figures["warm"]
    return figures


if __name__ == "__main__":
    register()
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
    sys.stdout.flush()
    unregister()
