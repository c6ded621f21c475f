# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions to caption: good ones, and every kind that has no caption."""

from __future__ import annotations

import bpy
import numpy as np
from addon_rigs import walk

from blender_addon import compat, keyframes, rig
from blender_addon.retarget import solver
from motion_engine import quaternion as quat
from motion_engine.motion import Motion

CAPTION = "motion_prompt_caption"


def put(target: bpy.types.Object, motion: Motion, name: str) -> bpy.types.Action:
    """An Action with a motion, which the armature plays then."""
    channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
    action = keyframes.write_action(target, channels, name, 1, {})
    keyframes.assign(target, action)
    return action


def walks(target: bpy.types.Object, count: int, frames: int = 40) -> list[bpy.types.Action]:
    """Walks that differ in how fast and where they go."""
    made = []
    for number in range(count):
        motion = walk(frames).canonical()
        turned = motion.rotations.astype(float)
        turned[:, 16:18] = quat.multiply(quat.about_axis(0, 0.1 * number), turned[:, 16:18])
        root = motion.root * (1.0, 1.0, 1.0 - 0.1 * number)
        made.append(put(target, Motion.from_rotations(turned, root, 20.0), f"take {number}"))
    return made


def keyed(target: bpy.types.Object, name: str, points: dict[float, float]) -> bpy.types.Action:
    """An Action of one curve, of the hips' height."""
    action = bpy.data.actions.new(name)
    curve = compat.CurveWriter(action, target).new('pose.bones["pelvis"].location', 1, "pelvis")
    curve.keyframe_points.add(len(points))
    curve.keyframe_points.foreach_set("co", np.array(list(points.items()), dtype=np.float32).ravel())
    curve.update()
    return action


def of_a_camera() -> bpy.types.Action:
    """An Action that moves a camera."""
    camera = bpy.data.objects.new("Shot", bpy.data.cameras.new("Shot"))
    bpy.context.scene.collection.objects.link(camera)
    for frame in (1, 50):
        camera.location.x = frame
        camera.keyframe_insert("location", frame=frame)
    camera.animation_data.action.name = "camera move"
    return camera.animation_data.action


def captions_in_file() -> dict[str, str]:
    """Name of each Action that has a caption -> the caption."""
    return {action.name: action[CAPTION] for action in bpy.data.actions if CAPTION in action}
