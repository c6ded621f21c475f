# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
from clips import standing

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.cleanup import carry_by_feet, lock_feet, put_on_floor
from motion_engine.motion import Motion
from motion_engine.quality import quality


def sliding() -> Motion:
    """A standing body on bent knees that sways over its feet, 3 cm over the floor, both feet marked as planted."""
    still = standing(60)
    rotations = still.rotations.astype(float)
    bend = 0.25
    for joint, angle in ((1, -bend), (2, -bend), (4, 2 * bend), (5, 2 * bend), (7, -bend), (8, -bend)):
        rotations[:, joint, 0], rotations[:, joint, 1] = np.cos(angle / 2), np.sin(angle / 2)
    root = still.root.astype(float)
    lowest = skeleton.forward_kinematics(rotations, root)[0, [10, 11], 1].min()
    root[:, 1] += skeleton.TOE_CLEARANCE - lowest + 0.03
    sway = 0.04 * np.sin(np.linspace(0, 6, 60))
    root[:, 2] += sway
    return Motion.from_rotations(rotations, root, 20.0, None, np.ones((60, 4), dtype=bool))


def test_planted_feet_stay_in_place_and_on_the_floor():
    before = sliding()
    after = lock_feet(put_on_floor(before))
    assert quality(before)["foot_skate"] > 0.02
    assert quality(after)["foot_skate"] < 0.1 * quality(before)["foot_skate"]
    toes = after.joints[:, [10, 11], 1]
    np.testing.assert_allclose(toes, skeleton.TOE_CLEARANCE, atol=0.005)


def test_only_legs_move():
    before = put_on_floor(sliding())
    after = lock_feet(before)
    upper = [0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
    np.testing.assert_allclose(after.joints[:, upper], before.joints[:, upper], atol=1e-5)


def test_a_clip_without_contacts_is_left_as_it_is():
    flying = sliding()
    flying.contacts[:] = False
    np.testing.assert_allclose(lock_feet(put_on_floor(flying)).joints, flying.joints, atol=1e-5)


def test_toes_do_not_go_through_the_floor():
    sunk = sliding()
    sunk = Motion.from_rotations(
        sunk.rotations, sunk.root - [0, 0.08, 0], 20.0, None, np.zeros((60, 4), dtype=bool)
    )
    assert quality(sunk)["penetration"] > 0.01
    assert quality(lock_feet(sunk))["penetration"] < 0.001


def heels(motion: Motion) -> np.ndarray:
    """Heights (T, 2) of the heels: 5 cm behind the ankles, on the floor in the T-pose."""
    turned = skeleton.global_rotations(motion.rotations.astype(float))
    ankles = skeleton.REST_JOINTS[[7, 8], 1] + skeleton.REST_PELVIS_HEIGHT
    points = [np.array([0.0, -height, -0.05]) for height in ankles]
    return np.stack(
        [
            motion.joints[:, joint, 1] + quat.rotate(turned[:, joint], point)[:, 1]
            for joint, point in zip((7, 8), points, strict=True)
        ],
        axis=-1,
    )


def rocking(tilt: float) -> Motion:
    """The swaying body, on the floor, with its toes held up by ``tilt`` radians and a little more or less."""
    plain = sliding()
    rotations = plain.rotations.astype(float)
    rock = quat.about_axis(0, -tilt - 0.05 * np.sin(np.linspace(0, 9, 60)))
    for joint in (7, 8):
        rotations[:, joint] = quat.multiply(rotations[:, joint], rock)
    return put_on_floor(Motion.from_rotations(rotations, plain.root, 20.0, None, plain.contacts))


def test_heels_do_not_go_through_the_floor_and_toes_stay():
    before = rocking(0.2)
    after = lock_feet(before)
    assert heels(before).max() < -0.01
    assert heels(after).min() > -0.002
    np.testing.assert_allclose(after.joints[:, [10, 11], 1], skeleton.TOE_CLEARANCE, atol=0.005)
    assert quality(after)["jerk"] < 1.05 * quality(before)["jerk"]


def test_heels_that_are_high_enough_are_left_alone():
    before = rocking(-0.4)
    assert heels(before).min() > 0.02
    feet = [
        skeleton.global_rotations(clip.rotations.astype(float))[:, [7, 8]]
        for clip in (before, lock_feet(before))
    ]
    np.testing.assert_allclose(np.abs(np.sum(feet[0] * feet[1], axis=-1)), 1.0, atol=1e-6)


def test_a_clip_of_one_frame():
    single = standing(1)
    assert lock_feet(carry_by_feet(put_on_floor(single))).n_frames == 1
    assert quality(single)["jerk"] == 0.0


def test_a_gliding_body_is_carried_by_its_feet():
    still = standing(60)
    root = still.root + np.linspace(0, 3.0, 60)[:, None] * np.array([0.0, 0.0, 1.0])
    gliding = Motion.from_rotations(still.rotations, root, 20.0, None, np.ones((60, 4), dtype=bool))
    carried = carry_by_feet(gliding)
    assert np.abs(carried.root[-1] - carried.root[0]).max() < 0.01
    np.testing.assert_allclose(carried.root[:, 1], gliding.root[:, 1])


def test_a_flying_body_keeps_its_path():
    flying = sliding()
    flying.contacts[:] = False
    np.testing.assert_allclose(carry_by_feet(flying).joints, flying.joints)
