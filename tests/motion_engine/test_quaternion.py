# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from motion_engine import quaternion as quat


@pytest.fixture
def rotations():
    return quat.normalize(np.random.default_rng(0).normal(size=(200, 4)))


def same_rotation(a, b):
    np.testing.assert_allclose(quat.to_matrix(a), quat.to_matrix(b), atol=1e-7)


@pytest.mark.parametrize("order", ["".join(p) for p in permutations("XYZ")])
def test_euler_angles_return_the_rotation_in_every_order(rotations, order):
    same_rotation(quat.from_euler(quat.to_euler(rotations, order), order), rotations)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YZX"])
@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_euler_angles_at_the_pole(order, middle):
    pole = quat.from_euler(np.array([0.3, middle, 0.7]), order)
    same_rotation(quat.from_euler(quat.to_euler(pole, order), order), pole)


def test_matrix_6d_and_axis_angle_round_trips(rotations):
    same_rotation(quat.from_matrix(quat.to_matrix(rotations)), rotations)
    same_rotation(quat.from_6d(quat.to_6d(rotations)), rotations)
    same_rotation(quat.from_axis_angle(quat.to_axis_angle(rotations)), rotations)


def test_half_turns_survive_axis_angle_and_matrix():
    half_turns = np.concatenate([np.zeros((3, 1)), np.eye(3)], axis=1)
    same_rotation(quat.from_axis_angle(quat.to_axis_angle(half_turns)), half_turns)
    same_rotation(quat.from_matrix(quat.to_matrix(half_turns)), half_turns)


def test_rotate_agrees_with_the_matrix_and_multiply_chains(rotations):
    vectors = np.random.default_rng(1).normal(size=(200, 3))
    turned = quat.rotate(rotations, vectors)
    np.testing.assert_allclose(
        turned, np.einsum("nij,nj->ni", quat.to_matrix(rotations), vectors), atol=1e-12
    )
    twice = quat.rotate(quat.multiply(rotations, rotations[::-1]), vectors)
    np.testing.assert_allclose(
        twice, quat.rotate(rotations, quat.rotate(rotations[::-1], vectors)), atol=1e-12
    )


def test_between_turns_one_direction_onto_another_even_the_opposite():
    u = np.random.default_rng(2).normal(size=(50, 3))
    v = np.random.default_rng(3).normal(size=(50, 3))
    v[0], v[1] = -u[0], u[1]
    np.testing.assert_allclose(
        quat.rotate(quat.between(u, v), quat.normalize(u)), quat.normalize(v), atol=1e-6
    )


def test_slerp_takes_the_short_way_at_constant_speed():
    start, end = quat.about_axis(1, 0.0), -quat.about_axis(1, 1.0)
    middle = quat.slerp(start, end, 0.25)
    same_rotation(middle, quat.about_axis(1, 0.25))


def test_make_continuous_removes_sign_flips(rotations):
    smooth = quat.slerp(rotations[:1], rotations[1:2], np.linspace(0, 1, 30))
    flipped = smooth * np.where(np.arange(30)[:, None] % 3 == 0, -1.0, 1.0)
    continuous = quat.make_continuous(flipped)
    assert np.linalg.norm(np.diff(continuous, axis=0), axis=-1).max() < 0.2
