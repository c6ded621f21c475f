# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip becomes a cycle, and loses its travel."""

from __future__ import annotations

import numpy as np
import pytest
from clips import standing, swinging

from motion_engine import loop, travel
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.quality import quality

PROMPTS = ("a person walks forward", "a person waves with the right hand", "a person jumps forward")


@pytest.fixture(scope="module")
def made():
    engine = Engine.load()
    return {p: engine.generate(GenerateRequest(p, duration=4.0, seed=1))[0].resample(30.0) for p in PROMPTS}


def ground(vector):
    return np.asarray(vector) * (1.0, 0.0, 1.0)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_end_flows_into_the_beginning(made, prompt):
    motion = made[prompt]
    closed = loop.close(motion, 0.5)
    assert closed.n_frames == motion.n_frames
    advance = closed.root[-1] - closed.root[0]
    np.testing.assert_allclose(ground(advance), ground(motion.root[-1] - motion.root[0]), atol=1e-4)
    np.testing.assert_allclose(closed.joints[-1] - ground(advance), closed.joints[0], atol=1e-4)
    velocity = np.diff(closed.joints, axis=0) * closed.fps
    jump = np.linalg.norm(velocity[0] - velocity[-1], axis=-1).max()
    usual = np.linalg.norm(np.diff(np.diff(motion.joints, axis=0), axis=0), axis=-1).max() * motion.fps
    assert jump < usual, "the seam is not felt more than the strongest movement of the clip"
    # before the window only feet are planted anew
    before = slice(0, motion.n_frames - 16)
    assert np.abs(closed.joints[before, 15] - motion.joints[before, 15]).max() < 1e-3
    assert closed.provenance["loop"] == 0.5


def test_feet_stand_across_the_seam(made):
    for prompt in PROMPTS:
        before, after = (quality(m) for m in (made[prompt], loop.close(made[prompt], 0.5)))
        assert after["foot_skate"] < before["foot_skate"] + 0.02
        assert after["penetration"] < 0.005


def test_two_cycles_in_a_row_are_one_movement(made):
    closed = loop.close(made[PROMPTS[0]], 0.5)
    advance = ground(closed.root[-1] - closed.root[0])
    two = np.concatenate([closed.joints[:-1], closed.joints + advance])
    steps = np.linalg.norm(np.diff(two, axis=0), axis=-1)
    assert steps.max() == pytest.approx(np.linalg.norm(np.diff(closed.joints, axis=0), axis=-1).max())


@pytest.mark.parametrize("seconds", [0.1, 1.0, 60.0])
def test_windows_of_any_length(seconds):
    closed = loop.close(swinging(50), seconds)
    np.testing.assert_allclose(
        closed.joints[-1] - ground(closed.root[-1] - closed.root[0]), closed.joints[0], atol=1e-4
    )


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_very_short_clips_survive(frames):
    motion = standing(frames)
    np.testing.assert_allclose(loop.cycle(motion, 0.5, True).joints, motion.joints, atol=1e-3)


def test_in_place_leaves_the_sway_only(made):
    walk = made[PROMPTS[0]]
    assert walk.root[-1, 2] - walk.root[0, 2] > 2.0
    for is_loop, motion in ((False, walk), (True, loop.close(walk, 0.5))):
        stays = travel.in_place(motion, is_loop)
        assert np.ptp(stays.root[:, [0, 2]], axis=0).max() < 0.15
        np.testing.assert_array_equal(stays.rotations, motion.rotations)
        np.testing.assert_array_equal(stays.root[:, 1], motion.root[:, 1])
        if is_loop:
            np.testing.assert_allclose(stays.joints[-1], stays.joints[0], atol=1e-4)
    assert stays.provenance["in_place"]


def test_a_steady_glide_is_taken_out_exactly_and_travel_starts_at_nothing():
    motion = standing(80)
    motion.root[:, 2] += np.arange(80) * 0.05
    motion.joints += (motion.root - motion.root[0])[:, None] * (1, 0, 1)
    np.testing.assert_allclose(travel.in_place(motion, False).joints, standing(80).joints, atol=1e-5)
    path, yaw = travel.ground_travel(motion, False)
    np.testing.assert_allclose(path[:, 1], np.arange(80) * 0.05, atol=1e-5)
    np.testing.assert_allclose(yaw, 0, atol=1e-6)
