# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the engine writes open in Blender's own importers with every joint in its place."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon_utils  # noqa: E402

from motion_engine import formats, skeleton  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

FPS = 20.0


@pytest.fixture
def motion():
    """Every joint swings while the body turns and travels."""
    random = np.random.default_rng(0)
    time = np.arange(30)[:, None] / FPS
    swing = np.stack(
        [0.5 * np.sin(time * random.uniform(0.5, 3.0, 22) + random.uniform(0, 6, 22)) for _ in range(3)],
        axis=-1,
    )
    root = np.concatenate([0.5 * time, 1.0 + 0.05 * np.sin(time), 0.3 * time], axis=1)
    return Motion.from_rotations(quat.from_axis_angle(swing), root, FPS)


def worst_joint(scene, motion, first_frame):
    """Largest distance in metres between bone heads in Blender and the motion's joints."""
    armature = next(item for item in scene.objects if item.type == "ARMATURE")
    expected = motion.joints[:, :, [0, 2, 1]] * np.array([1.0, -1.0, 1.0])
    worst = 0.0
    assert scene.render.fps == int(FPS)
    for frame in range(0, motion.n_frames, 7):
        scene.frame_set(first_frame + frame)
        for joint, name in enumerate(skeleton.JOINT_NAMES):
            head = np.array(armature.matrix_world @ armature.pose.bones[name].head)
            worst = max(worst, float(np.linalg.norm(head - expected[frame, joint])))
    return worst


def test_bvh(scene, motion, tmp_path):
    scene.render.fps = int(FPS)
    formats.save(motion, tmp_path / "clip.bvh")
    addon_utils.enable("io_anim_bvh")
    bpy.ops.import_anim.bvh(
        filepath=str(tmp_path / "clip.bvh"), global_scale=0.01, axis_forward="-Z", axis_up="Y"
    )
    assert worst_joint(scene, motion, 1) < 1e-3


def test_glb(scene, motion, tmp_path):
    scene.render.fps = int(FPS)
    formats.save(motion, tmp_path / "clip.glb")
    addon_utils.enable("io_scene_gltf2")
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "clip.glb"))
    assert worst_joint(scene, motion, int(bpy.data.actions[0].frame_range[0])) < 1e-3
