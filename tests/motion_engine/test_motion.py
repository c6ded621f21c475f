# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from clips import standing, swinging

from motion_engine import features, skeleton
from motion_engine.ik import solve_rotations
from motion_engine.motion import Motion


def test_bone_lengths_never_change():
    joints = swinging().joints
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, skeleton.PARENTS[1:]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (len(joints), 1)), atol=1e-6)


def test_canonical_faces_front_at_the_origin():
    motion = swinging()
    np.testing.assert_allclose(skeleton.facing(motion.joints[0].astype(float)), [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(motion.joints[0, 0, [0, 2]], 0, atol=1e-6)


def test_features_round_trip_joints_and_rotations():
    motion = swinging()
    back = features.decode(features.encode(motion), motion.fps)
    np.testing.assert_allclose(back.joints, motion.joints[:-1], atol=1e-4)
    np.testing.assert_allclose(back.rotations, motion.rotations[:-1], atol=1e-4)
    np.testing.assert_array_equal(back.contacts, motion.contacts[:-1])


def test_features_of_a_turned_and_shifted_clip_are_the_same():
    motion = swinging()
    moved = Motion.from_rotations(
        motion.rotations, motion.root + [3.0, 0.0, -2.0], motion.fps, None, motion.contacts
    )
    np.testing.assert_allclose(features.encode(moved), features.encode(motion), atol=1e-5)


def test_mirrored_features_are_the_features_of_the_mirrored_motion():
    motion = swinging()
    mirrored = features.decode(features.mirror(features.encode(motion)), motion.fps)
    expected = motion.mirrored().canonical()
    # SMPL's rest offsets are not perfectly symmetric, so the joints agree to the size of that asymmetry
    assert np.abs(mirrored.joints - expected.joints[:-1]).max() < 0.05
    twice = features.mirror(features.mirror(features.encode(motion)))
    np.testing.assert_allclose(twice, features.encode(motion), atol=1e-12)


def test_ik_flavour_recovers_the_joints_from_positions_alone():
    motion = swinging()
    rotations = solve_rotations(motion.joints)
    joints = skeleton.forward_kinematics(rotations, motion.root.astype(float))
    # directions are exact where a joint has one child; pelvis and upper spine are rigid and so exact too
    assert np.linalg.norm(joints - motion.joints, axis=-1).max() < 1e-4


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0, 23.976])
def test_resampling_keeps_time_and_path(fps):
    motion = swinging()
    resampled = motion.resample(fps)
    last = (resampled.n_frames - 1) / fps
    assert (motion.n_frames - 1) / motion.fps - last < 1 / fps + 1e-6
    there_and_back = resampled.resample(motion.fps)
    n = there_and_back.n_frames
    assert np.abs(there_and_back.joints - motion.joints[:n]).max() < 0.02


def test_resampling_one_frame():
    motion = standing(1)
    assert motion.resample(60.0).n_frames == 1


def test_trim_is_canonical_and_has_the_right_length():
    part = swinging().trim(1.0, 3.0)
    assert part.n_frames == 40
    np.testing.assert_allclose(part.joints[0, 0, [0, 2]], 0, atol=1e-6)
    with pytest.raises(ValueError, match="Cannot trim"):
        swinging().trim(3.0, 99.0)


def test_bad_arrays_are_refused_with_a_sentence():
    good = standing()
    with pytest.raises(ValueError, match="shape"):
        Motion(good.joints[:, :5], good.rotations, good.root, good.contacts, 20.0)
    broken = good.root.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        Motion(good.joints, good.rotations, broken, good.contacts, 20.0)
    with pytest.raises(ValueError, match="frame rate"):
        Motion(good.joints, good.rotations, good.root, good.contacts, 0.0)
    with pytest.raises(ValueError, match="shape"):
        features.decode(np.zeros((10, 251)), 20.0)
