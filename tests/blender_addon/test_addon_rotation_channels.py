# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of every rotation mode are smooth and mean the rotation they should, as Blender reads them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("bpy")

from mathutils import Euler, Quaternion, Vector

from blender_addon.retarget.channels import axis_angle, euler
from motion_engine import quaternion as quat

ORDERS = ["".join(order) for order in itertools.permutations("XYZ")]


def paths():
    """Rotations that turn over and over, pass the poles, start at one, and stay at one."""
    time = np.linspace(0, 1, 240)[:, None]
    found = []
    for axis in np.eye(3):
        found.append(quat.from_axis_angle(axis * 0.01 + axis * time * 4 * np.pi))
        # a quarter turn and beyond, on top of another turn
        side = np.roll(axis, 1)
        found.append(
            quat.multiply(
                quat.from_axis_angle(side * 0.8), quat.from_axis_angle(axis * np.pi / 2 * np.sin(time * 9))
            )
        )
        found.append(
            quat.multiply(
                quat.from_axis_angle(axis * np.pi / 2), quat.from_axis_angle(side * np.sin(time * 5))
            )
        )
    random = np.random.default_rng(3)
    for _ in range(6):
        amplitude, pace, phase = random.normal(size=3) * 1.5, random.uniform(2, 9, 3), random.uniform(0, 6, 3)
        found.append(quat.from_axis_angle(amplitude * np.sin(time * pace + phase)))
    return [quat.make_continuous(path) for path in found]


@pytest.mark.parametrize("order", ORDERS)
def test_euler_curves_mean_the_rotation_and_do_not_jump(order):
    for path in paths():
        angles = euler(path, order)
        for frame in range(0, len(path), 7):
            got = np.array(Euler(angles[frame], order).to_quaternion())
            assert abs(got @ path[frame]) > 1 - 1e-6
        # nearer to the frame before than any other writing of the same rotation
        step = np.abs(np.diff(angles, axis=0))
        assert step.max() < np.pi + 1e-6
        other = angles.copy()
        columns = ["XYZ".index(letter) for letter in reversed(order)]
        other[:, columns] = other[:, columns] * (1, -1, 1) + np.pi
        away = np.abs((other[1:] - angles[:-1] + np.pi) % (2 * np.pi) - np.pi).sum(axis=-1)
        assert (step.sum(axis=-1) < away + 1e-6).all()


@pytest.mark.parametrize("order", ORDERS)
def test_a_turn_about_one_axis_is_one_straight_curve(order):
    angle = np.linspace(0.01, 6 * np.pi, 300)
    for axis in range(3):
        if order[1] == "XYZ"[axis]:
            continue  # the middle axis must fold at its poles once it leaves them
        angles = euler(quat.make_continuous(quat.about_axis(axis, angle)), order)
        np.testing.assert_allclose(angles[:, axis], angle, atol=1e-6)
        np.testing.assert_allclose(np.delete(angles, axis, 1), 0, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_a_pose_that_stays_at_a_pole_has_flat_curves(order):
    middle = "XYZ".index(order[1])
    first = "XYZ".index(order[0])
    quarter = quat.multiply(quat.about_axis(middle, np.pi / 2), quat.about_axis(first, 0.7))
    still = np.tile(quarter, (20, 1))
    lead = quat.slerp(np.tile(quat.about_axis(first, 0.7), (20, 1)), still, np.linspace(0, 1, 20))
    angles = euler(quat.make_continuous(np.concatenate([lead, still, lead[::-1]])), order)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2


def test_axis_and_angle_are_smooth():
    for path in paths():
        values = axis_angle(path)
        for frame in range(0, len(path), 7):
            got = np.array(Quaternion(Vector(values[frame, 1:]), values[frame, 0]))
            assert abs(got @ path[frame]) > 1 - 1e-6
        vectors = values[:, :1] * values[:, 1:]
        speed = 2 * np.arccos(np.clip(np.abs(np.sum(path[1:] * path[:-1], axis=-1)), 0, 1))
        assert np.abs(np.diff(values[:, 0])).max() <= speed.max() + 1e-6
        assert np.isfinite(vectors).all()
