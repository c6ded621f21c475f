# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the windowed Blender: a mannequin with a library of Actions, most of them without a tick."""

import bpy
from bl_ext.user_default.motion_prompt import keyframes, rig
from bl_ext.user_default.motion_prompt.bench_captions import step_motion
from bl_ext.user_default.motion_prompt.character.build import add_character
from bl_ext.user_default.motion_prompt.retarget import solver

ACTIONS = 30


def build() -> None:
    """Take the startup scene's objects away and make the library, as the first undo step."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    bpy.context.scene.render.fps = 20
    bpy.context.scene.motion_prompt.captions.count = 1
    target = add_character(bpy.context)
    rest = rig.read_rest(target, rig.check(target))
    for number in range(ACTIONS):
        channels = solver.solve(rest, step_motion(number))
        action = keyframes.write_action(target, channels, f"step {number:02d}", 1, {}, rest.switches)
        action.motion_prompt_use = number == 0
    keyframes.assign(target, bpy.data.actions["step 00"])
    bpy.ops.ed.undo_push(message="Library")


def build_in_window() -> None:
    """A timer has no window of its own."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        build()


bpy.app.timers.register(build_in_window, first_interval=0.5)
