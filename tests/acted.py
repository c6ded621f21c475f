# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions acted by formula, one plain act each, for tests of what is measured and said about motions."""

from __future__ import annotations

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.motion import Motion

FPS = 20.0
ARMS_DOWN = {"left_shoulder": (0.0, 0.0, -80.0), "right_shoulder": (0.0, 0.0, 80.0)}
PACE = 0.5
"""Seconds a step."""


def bump(time, start: float, end: float):
    """0 outside, a smooth hill of height 1 between ``start`` and ``end``."""
    inside = np.clip((time - start) / (end - start), 0.0, 1.0)
    return np.sin(np.pi * inside) ** 2


def pose(seconds: float = 3.0, root=(0.0, 0.0, 0.0), planted: bool = True, **degrees) -> Motion:
    """A body with arms down whose joints turn by rotation vectors (3,) or (T, 3) in degrees.

    ``root`` (3,) or (T, 3) is added to the place of a standing pelvis; ``planted`` keeps the lowest toe on the floor.
    """
    n = round(seconds * FPS)
    turns = np.zeros((n, skeleton.N_JOINTS, 3))
    for name, value in {**ARMS_DOWN, **degrees}.items():
        turns[:, skeleton.JOINT[name]] = np.radians(value)
    rotations = quat.from_axis_angle(turns)
    path = np.broadcast_to(root, (n, 3)) + [0.0, skeleton.REST_PELVIS_HEIGHT, 0.0]
    if planted:
        lowest = skeleton.forward_kinematics(rotations, path)[:, [10, 11], 1].min(axis=1)
        path[:, 1] += skeleton.TOE_CLEARANCE - lowest
    return Motion.from_rotations(rotations, path, FPS)


def time_of(seconds: float = 3.0):
    """Times (T,) of the frames of a clip."""
    return np.arange(round(seconds * FPS)) / FPS


def column(values, axis: int):
    """Rotation vectors (T, 3) about one axis from angles (T,) in degrees."""
    return np.eye(3)[axis] * np.asarray(values, dtype=float)[:, None]


def walk(
    seconds: float = 4.0, forward: float = 1.0, left: float = 0.0, turn: float = 0.0, **degrees
) -> Motion:
    """Steps at ``forward`` and ``left`` m/s in the body's frame while turning by ``turn`` degrees in all."""
    n = round(seconds * FPS)
    long = np.arange(-2 * FPS, n + 4 * FPS) / FPS
    yaw = np.radians(turn) * np.clip(long / seconds, 0.0, 1.0)
    pace = np.stack([left * np.cos(yaw) + forward * np.sin(yaw), forward * np.cos(yaw) - left * np.sin(yaw)])
    way = np.cumsum(pace, axis=1).T / FPS
    way -= way[round(2 * FPS)]
    now = slice(round(2 * FPS), round(2 * FPS) + n)
    root = np.stack([way[now, 0], np.zeros(n), way[now, 1]], axis=1)
    motion = pose(seconds, root, pelvis=column(np.degrees(yaw[now]), 1), **degrees)
    joints = motion.joints.copy()
    time = long[now]
    for side, start in (("left", 0.1), ("right", 0.1 + PACE)):
        joints_of_foot = [skeleton.JOINT[f"{side}_{part}"] for part in ("ankle", "foot")]
        rest = skeleton.REST_JOINTS[joints_of_foot] + [0.0, skeleton.REST_PELVIS_HEIGHT, 0.0]

        def stand(at, rest=rest):
            where = np.clip(np.round((at + 2.0) * FPS).astype(int), 0, len(long) - 1)
            turned = quat.rotate(quat.about_axis(1, yaw[where])[:, None], rest)
            return turned + np.insert(way[where], 1, 0.0, axis=1)[:, None]

        cycle = np.floor((time - start) / (2 * PACE))
        phase = (time - start) / PACE - 2 * cycle
        middle = start + cycle * 2 * PACE + 1.5 * PACE
        # the first stand is where the body begins
        before, after = stand(np.maximum(middle - 2 * PACE, 0.0)), stand(np.maximum(middle, 0.0))
        swing = np.clip(phase, 0.0, 1.0)[:, None, None]
        joints[:, joints_of_foot] = before + (after - before) * swing
        joints[:, joints_of_foot, 1] += 0.12 * np.sin(np.pi * swing[:, :, 0])
    return Motion(joints, motion.rotations, motion.root, motion.contacts, FPS)


def jump(count: int = 1, forward: float = 0.0, height: float = 0.3) -> Motion:
    """``count`` jumps of half a second, a second apart, each ``forward`` metres far."""
    time = time_of(count + 0.5)
    inside = np.clip((time % 1.0 - 0.4) / 0.5, 0.0, 1.0) * (time < count)
    done = np.minimum(np.floor(time), count) + inside
    root = np.stack([0 * time, 4 * height * inside * (1 - inside), forward * done], axis=1)
    return pose(count + 0.5, root, planted=False)


def squat(count: int = 1, depth: float = 100.0) -> Motion:
    """``count`` knee bends of two seconds by ``depth`` degrees, back to standing each time."""
    time = time_of(2.0 * count + 0.4)
    bend = depth * sum(bump(time, 2.0 * i + 0.2, 2.0 * i + 2.2) for i in range(count))
    legs = {}
    for side in ("left", "right"):
        legs[f"{side}_hip"] = column(-0.9 * bend, 0)
        legs[f"{side}_knee"] = column(1.7 * bend, 0)
        legs[f"{side}_ankle"] = column(-0.8 * bend, 0)
    return pose(2.0 * count + 0.4, **legs)


def raise_arm(
    side: str = "left", seconds: float = 3.0, degrees: float = 150.0, swings: float = 0.0
) -> Motion:
    """One arm goes up sideways and comes down; while up the forearm swings ``swings`` times a second."""
    time = time_of(seconds)
    up = np.clip(np.minimum(time - 0.4, seconds - 0.4 - time) / 0.5, 0.0, 1.0)
    sign = 1.0 if side == "left" else -1.0
    shoulder = column(sign * (degrees * up - 80.0), 2)
    elbow = column(sign * up * (20 + 30 * np.sin(2 * np.pi * swings * time)) * (swings > 0), 2)
    return pose(seconds, **{f"{side}_shoulder": shoulder, f"{side}_elbow": elbow})
