# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of the user's rig become controls that the engine takes, and its clip lands where the poses were."""

from __future__ import annotations

import json

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, make_armature, rest_joints, walk, world_joints  # noqa: E402
from mathutils import Matrix  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.sampling.clip import Reader  # noqa: E402
from blender_addon.sampling.pose_controls import controls_document, current_pose  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.control import Controls  # noqa: E402

PLAIN = {name: name for name in NAMES}


def put(target, motion):
    channels = solver.solve(rig.read_rest(target, rig.check(target)), motion)
    keyframes.assign(target, keyframes.write_action(target, channels, "walk", 1, {}))


def test_two_poses_of_a_walk_in_the_world(scene, tmp_path):
    scene.render.fps = 20
    motion = walk(41).canonical()
    target = add_character(bpy.context)
    put(target, motion)
    target.matrix_world = Matrix.Translation((3, 2, 0.5)) @ Matrix.Rotation(1.0, 4, "Z")
    reader = Reader(target)
    poses = []
    for frame, time in ((1, 0.0), (41, 2.0)):
        scene.frame_set(frame)
        poses.append((current_pose(target, reader), time))
    path = tmp_path / "controls.json"
    path.write_text(json.dumps(controls_document(poses)), encoding="utf-8")
    targets = Controls.read(path).targets(41, 20.0)
    # on the default character the clip's own joints are asked for
    np.testing.assert_allclose(targets.positions[[0, 40]], motion.joints[[0, 40]], atol=1e-3)
    for frame in (0, 40):
        angle = np.abs(np.sum(targets.poses[frame] * motion.rotations[frame], axis=-1))
        angle = np.delete(
            angle, [skeleton.JOINT["left_foot"], skeleton.JOINT["right_foot"]]
        )  # not into the floor
        assert angle.min() > 0.99999
    # and the way back puts them where Blender has them
    seen = world_joints(target, PLAIN, 41)
    placed = to_blender(poses[0][0].placement.to_world(targets.positions[[0, 40]]))
    np.testing.assert_allclose(placed, seen[[0, 40]], atol=2e-3)


def test_a_pose_made_by_hand_on_a_large_rig(scene):
    joints = rest_joints() * 1.5
    target = make_armature(MIXAMO, joints, seed=3)
    target.pose.bones["Head"].rotation_quaternion = (0.9, 0.0, 0.43, 0.0)
    bpy.context.view_layer.update()
    document = controls_document([(current_pose(target), 0.0)])
    targets = Controls.from_json(document).targets(40, 20.0)
    heights = skeleton.REST_JOINTS[:, 1] + skeleton.REST_PELVIS_HEIGHT
    np.testing.assert_allclose(targets.positions[0, :, 1], heights, atol=2e-3)
    assert abs(targets.poses[0][skeleton.JOINT["head"], 0]) < 0.95


def test_rest_position_is_no_pose(scene):
    target = add_character(bpy.context)
    target.data.pose_position = "REST"
    with pytest.raises(UserError, match="Pose Position"):
        current_pose(target)
    with pytest.raises(UserError, match="no pose"):
        controls_document([])
