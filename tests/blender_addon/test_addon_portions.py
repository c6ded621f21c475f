# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading in portions: the same as reading at once, and nothing of it in the file, whatever happens between."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402
from caption_actions import put  # noqa: E402

from blender_addon import rig  # noqa: E402
from blender_addon.captions.sources import of_actions  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.sampling import evaluate  # noqa: E402
from blender_addon.sampling.clip import Reader  # noqa: E402
from blender_addon.sampling.portions import Portions, Readers  # noqa: E402
from blender_addon.status import UserError  # noqa: E402

FRAMES = 40


@pytest.fixture
def target(scene):
    scene.render.fps = 20
    return add_character(bpy.context)


def portions(target, action):
    (source,) = of_actions([action])
    return Portions(Readers(), rig.Handle.of(target), source.find, action.name)


def read(reading, between=lambda number: None):
    """Read to the end in the smallest portions; how many there were."""
    number = 0
    while not reading.step(0.0):
        between(number)
        number += 1
        assert number < 1000
    reading._readers.close()
    return number


def constrain(target):
    """Make Blender itself evaluate the rig."""
    target.pose.bones["head"].constraints.new("LIMIT_SCALE")


@pytest.mark.parametrize("constrained", [False, True])
def test_the_same_as_at_once(target, constrained):
    action = put(target, walk(FRAMES).canonical(), "walk")
    if constrained:
        constrain(target)
    reading = portions(target, action)
    assert read(reading) >= FRAMES
    np.testing.assert_array_equal(reading.clip().motion.joints, Reader(target).read(action).motion.joints)
    assert (len(bpy.data.scenes), len(bpy.data.armatures)) == (1, 1)


def test_a_pose_by_hand_and_the_users_own_changes_stay(target, scene):
    action = put(target, walk(FRAMES).canonical(), "walk")
    constrain(target)
    bone = target.pose.bones["left_elbow"]
    bone.rotation_quaternion = (0.5, 0.5, 0.5, 0.5)

    def work_on(number):
        scene.frame_current = 3
        bone.location.x = number

    count = read(portions(target, action), work_on)
    assert tuple(bone.rotation_quaternion) == (0.5, 0.5, 0.5, 0.5)
    assert bone.location.x == count - 1
    assert scene.frame_current == 3
    assert bpy.context.scene == scene


def test_a_file_saved_meanwhile_holds_nothing_of_it(target, tmp_path):
    action = put(target, walk(FRAMES).canonical(), "walk")
    constrain(target)
    path = str(tmp_path / "file.blend")
    reading = portions(target, action)
    read(reading, lambda number: number == 10 and bpy.ops.wm.save_as_mainfile(filepath=path))
    assert reading.clip().motion.n_frames == FRAMES
    bpy.ops.wm.open_mainfile(filepath=path)
    assert (len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.armatures)) == (1, 2, 1)


def test_undo_meanwhile_brings_nothing_of_it_back(target):
    action = put(target, walk(FRAMES).canonical(), "walk")
    constrain(target)
    bpy.ops.ed.undo_push(message="before")

    def work_on(number):
        if number == 10:
            bpy.ops.ed.undo_push(message="meanwhile")
            bpy.ops.ed.undo_push(message="once more")
        if number == 20:
            bpy.ops.ed.undo()

    reading = portions(target, action)
    read(reading, work_on)
    assert reading.clip().motion.n_frames == FRAMES
    bpy.ops.ed.redo()
    assert (len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.armatures)) == (1, 2, 1)
    assert not any(part.get(evaluate.MARK) for part in (*bpy.data.objects, *bpy.data.scenes))


@pytest.mark.parametrize("constrained", [False, True])
def test_what_is_deleted_meanwhile_is_said(target, constrained):
    action = put(target, walk(FRAMES).canonical(), "walk")
    if constrained:
        constrain(target)
    reading = portions(target, action)
    with pytest.raises(UserError, match="'walk' was deleted"):
        read(reading, lambda number: number == 5 and bpy.data.actions.remove(action))
    reading._readers.close()
    assert len(bpy.data.scenes) == 1
