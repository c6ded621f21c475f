# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands that meet on the source meet on other bodies; toes stay above the floor."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES, J, a_pose, make_armature, on_floor, rest_joints, walk, world_joints  # noqa: E402

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.retarget import feet, solver  # noqa: E402
from blender_addon.retarget.options import RetargetOptions  # noqa: E402
from blender_addon.retarget.rest import TO_BLENDER  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

PLAIN = {name: name for name in NAMES}
WIDE = {"left_shoulder": 1.8, "right_shoulder": 1.8, "left_collar": 1.4, "right_collar": 1.4}
OTHER_ARMS = {"left_elbow": 1.3, "right_elbow": 1.3, "left_wrist": 0.8, "right_wrist": 0.8}
WRISTS = [J["left_wrist"], J["right_wrist"]]
SHOULDERS = [J["left_shoulder"], J["right_shoulder"]]


def put(target, motion, **options):
    chosen = RetargetOptions(**options)
    channels = solver.solve(rig.read_rest(target, rig.check(target), chosen), motion, chosen)
    keyframes.assign(target, keyframes.write_action(target, channels, "reach", 1, {}))
    return channels


def clap(frames=40):
    """Arms forward, hands together and apart, before a chest that turns."""
    phase = np.linspace(0, 4 * np.pi, frames)
    vectors = np.zeros((frames, 22, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        vectors[:, J[f"{side}_shoulder"], 1] = -sign * 1.2
        vectors[:, J[f"{side}_shoulder"], 2] = -sign * 0.3
        vectors[:, J[f"{side}_elbow"], 1] = -sign * (1.4 - 0.35 * (1 + np.cos(phase)))
    vectors[:, J["spine3"], 1] = 0.3 * np.sin(phase / 2)
    root = np.tile([0.0, 0.95, 0.0], (frames, 1))
    return on_floor(Motion.from_rotations(quat.from_axis_angle(vectors), root, 20.0))


def apart(joints):
    return np.linalg.norm(joints[:, WRISTS[0]] - joints[:, WRISTS[1]], axis=-1)


@pytest.mark.parametrize("rest", [rest_joints(WIDE), a_pose(rest_joints(WIDE), 50)], ids=["T", "A"])
def test_a_clap_meets_on_wide_shoulders(scene, rest):
    motion = clap()
    source = apart(motion.joints)
    closed = source < source.min() + 0.03
    assert source.min() < 0.2
    plain = make_armature(PLAIN, rest, seed=2)
    put(plain, motion)
    missed = apart(world_joints(plain, PLAIN, motion.n_frames))[closed]
    target = make_armature(PLAIN, rest, seed=2)
    put(target, motion, reach_hands=True)
    met = apart(world_joints(target, PLAIN, motion.n_frames))[closed]
    assert np.abs(missed - source[closed]).min() > 0.1, "without it the hands stay apart"
    assert np.abs(met - source[closed]).max() < 0.02


@pytest.mark.parametrize(
    "lengths", [{}, {"left_elbow": 1.3, "right_elbow": 1.3, "left_wrist": 0.8, "right_wrist": 0.8}]
)
def test_arms_stay_smooth_and_hanging_arms_hang(scene, lengths):
    target = make_armature(PLAIN, rest_joints(lengths | WIDE), seed=4)
    for channel in put(target, walk(60), reach_hands=True):
        if channel.property == "rotation_quaternion":
            turn = 2 * np.arccos(np.clip(np.sum(channel.values[1:] * channel.values[:-1], axis=-1), -1, 1))
            assert np.degrees(turn).max() < 25, channel.bone
    got = world_joints(target, PLAIN, 60)
    for wrist, shoulder in zip(WRISTS, SHOULDERS, strict=True):
        # beside the body, not in it
        own = got[:, wrist, 0] - got[:, J["spine3"], 0]
        assert (np.abs(own) > 0.6 * np.abs(got[:, shoulder, 0] - got[:, J["spine3"], 0])).all()


def test_equal_proportions_are_left_alone(scene):
    target = make_armature(MIXAMO, rest_joints(), seed=4)
    motion = clap()
    put(target, motion, reach_hands=True)
    got = world_joints(target, MIXAMO, motion.n_frames)
    assert np.abs(got - to_blender(motion.joints)).max() < 1e-3


def rolling(frames=40, toes=0.0):
    """Heels that rise and fall, toes that point down as much."""
    pitch = 0.35 * (1 - np.cos(np.linspace(0, 4 * np.pi, frames)))
    vectors = np.zeros((frames, 22, 3))
    for side in ("left", "right"):
        vectors[:, J[f"{side}_ankle"], 0] = pitch
        vectors[:, J[f"{side}_foot"], 0] = toes
    return on_floor(
        Motion.from_rotations(quat.from_axis_angle(vectors), np.tile([0, 0.95, 0], (frames, 1)), 20.0)
    )


@pytest.mark.parametrize("toes", [0.0, 0.4, -0.3])
@pytest.mark.parametrize(
    "lengths", [{}, {"left_foot": 1.5, "right_foot": 1.5, "left_knee": 0.8, "right_knee": 0.8}]
)
def test_toes_do_not_go_through_the_floor_as_the_foot_rolls(scene, toes, lengths):
    joints = rest_joints(lengths)
    target = make_armature(PLAIN, joints, seed=6)
    motion = rolling(toes=toes)
    put(target, motion)
    for frame in range(1, motion.n_frames + 1, 3):
        scene.frame_set(frame)
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for side in ("left", "right"):
            bone = posed[f"{side}_foot"]
            change = np.array(bone.matrix.to_3x3() @ bone.bone.matrix_local.to_3x3().inverted())
            ahead = joints[J[f"{side}_foot"]] - joints[J[f"{side}_ankle"]]
            tip = np.array(bone.head) + change @ (0.45 * ahead * (1, 1, 0))
            assert tip[2] > joints[J[f"{side}_foot"], 2] - 1e-3
            assert bone.head.z > joints[J[f"{side}_foot"], 2] - 1e-3
    if toes < 0:  # toes that point up stay so
        bone = posed["left_foot"]
        turn = quat.multiply(
            np.array(bone.matrix.to_quaternion()),
            quat.conjugate(np.array(bone.bone.matrix_local.to_quaternion())),
        )
        assert 2 * np.arccos(min(abs(turn[0]), 1)) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(
    ("ball", "tip"),
    [
        (
            (0.0055, -0.1168, 0.0),
            (-0.0044, -0.0660, 0.0),
        ),  # MakeHuman's base body, to the tip of the second toe
        ((0.159, -1.945, 0.0), (0.0, -1.007, 0.0)),  # skeletons of the CMU recordings
        ((0.188, -2.247, 0.0), (0.0, -1.159, 0.0)),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_the_guess_where_toes_end_on_bodies_whose_toes_are_known(ball, tip, side):
    """Within 8 % of the foot before the toes; the line from the ankle on is further off aside."""
    mirror = np.array([(1.0, -1.0)[side], 1.0, 1.0])
    ball, tip = np.array(ball) * mirror, np.array(tip) * mirror
    guess = feet.toes_of(ball, side, TO_BLENDER)
    along = feet.TOES * ball
    assert np.linalg.norm(guess - tip) < 0.08 * np.linalg.norm(ball)
    assert abs(guess[0] - tip[0]) < abs(along[0] - tip[0])


@pytest.mark.parametrize("degrees", [-30.0, -10.0, 0.0, 15.0, 40.0])
@pytest.mark.parametrize("side", [0, 1])
def test_toes_turn_with_a_foot_that_is_turned(degrees, side):
    """A foot like the engine's that stands outwards: its toes go where they would go before it was turned."""
    outwards = quat.from_axis_angle(np.array([0.0, 0.0, np.radians(degrees) * (1.0, -1.0)[side]]))
    usual = quat.rotate(TO_BLENDER, skeleton.REST_OFFSETS[feet.LEGS[side][3]] * (1.0, 0.0, 1.0))
    straight, turned = (
        feet.toes_of(ball, side, TO_BLENDER) for ball in (usual, quat.rotate(outwards, usual))
    )
    assert straight == pytest.approx(feet.TOES * np.linalg.norm(usual) * np.array([0.0, -1.0, 0.0]))
    off = np.degrees(
        np.arccos(np.clip(turned @ quat.rotate(outwards, straight) / (straight @ straight), -1, 1))
    )
    assert off == pytest.approx(0.0 if degrees >= 0 else min(-degrees, 12.0), abs=0.7)
