# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls: reading, refusals, and the exact projection."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.control import Controls, JointControl, PoseControl, Start
from motion_engine.control_hints import N_HINTS, hint_features
from motion_engine.control_refine import monotone_cubic, refine
from motion_engine.errors import EngineError
from motion_engine.motion import Motion

FPS, N = 20.0, 80


def walk(speed: float = 1.0, seed: int = 0) -> Motion:
    """A swaying walk straight ahead, arms hanging."""
    time = np.arange(N) / FPS
    random = np.random.default_rng(seed)
    turns = np.zeros((N, 22, 3))
    swing = 0.4 * np.sin(2 * np.pi * time)
    turns[:, 1, 0], turns[:, 2, 0] = -swing, swing
    turns[:, 4, 0], turns[:, 5, 0] = 0.3 + np.abs(swing), 0.3 + np.abs(swing)
    turns[:, 16, 2], turns[:, 17, 2] = -1.2, 1.2
    turns[:, 18, 1], turns[:, 19, 1] = -0.4, 0.4
    turns += random.normal(scale=0.02, size=(1, 22, 3))
    root = np.stack([0.02 * np.sin(time), np.full(N, 0.9), speed * time], axis=-1)
    return Motion.from_rotations(quat.from_axis_angle(turns), root, FPS)


def mean_error(motion: Motion, controls: Controls) -> float:
    return float(controls.targets(motion.n_frames, motion.fps).errors(motion.joints).mean())


def test_file_with_joints_and_pose(tmp_path):
    pose = walk().joints[0].tolist()
    file = tmp_path / "path.json"
    file.write_text(
        json.dumps(
            {
                "controls": [
                    {"joint": "pelvis", "times": [0, 2], "positions": [[0, 0, 0], [0, 0, 2]], "axes": "xz"},
                    {"joint": 21, "times": [1.0], "positions": [[-0.2, 1.2, 1.2]]},
                    {"pose": pose, "time": 4.0},
                ]
            }
        )
    )
    targets = Controls.read(file).targets(N, FPS)
    assert targets.mask[0, 0].tolist() == [True, False, True]
    assert targets.positions[40, 0].tolist() == [0, 0, 2]
    assert targets.mask[20, 21].all()
    assert targets.mask[N - 1].all()  # a target at the very end belongs to the last frame
    assert not targets.mask[10].any()


def test_curve_sampled_at_another_rate_reaches_every_frame():
    times = np.arange(0, 2.01, 1 / 30)
    path = np.stack([np.sin(times), np.zeros_like(times), times], axis=-1)
    targets = Controls((JointControl("pelvis", times, path, "xz"),)).targets(N, FPS)
    assert targets.mask[:41, 0, 0].all()
    assert not targets.mask[41:].any()
    assert np.allclose(targets.positions[:41, 0, 0], np.sin(np.arange(41) / FPS), atol=1e-3)


def test_start_tells_where_scene_coordinates_begin():
    control = JointControl("pelvis", [0.0, 1.0], [[3, 0, 1], [5, 0, 1]], "xz")
    targets = Controls((control,), start=Start((3.0, 1.0), 90.0)).targets(N, FPS)
    assert np.allclose(targets.positions[20, 0], [0, 0, 2], atol=1e-9)


@pytest.mark.parametrize(
    ("controls", "word"),
    [
        ([{"joint": "tail", "times": [0], "positions": [[0, 0, 0]]}], "tail"),
        ([{"joint": 22, "times": [0], "positions": [[0, 0, 0]]}], "22"),
        ([{"joint": "head", "times": [0], "positions": [[0, float("nan"), 0]]}], "NaN"),
        ([{"joint": "head", "times": [9.0], "positions": [[0, 1, 0]]}], "9 s"),
        ([{"joint": "head", "times": [-1.0], "positions": [[0, 1, 0]]}], "-1 s"),
        ([{"joint": "head", "times": [0.0, 0.1], "positions": [[0, 1, 0], [9, 1, 0]]}], "m/s"),
        ([{"joint": "head", "times": [0.0], "positions": [[0, 1]]}], "shape"),
        ([{"joint": "head", "times": [], "positions": []}], "no times"),
        ([{"joint": "head", "times": [0.0], "positions": [[0, 1, "a"]]}], "numbers"),
        ([{"joint": "head", "times": [0.0], "positions": [[0, 1, 0]], "axes": "xw"}], "axes"),
        ([{"joint": "pelvis", "times": [0.0], "positions": [[2, 1, 0]]}], "starts at"),
        ([{"joint": "head", "times": [0.0], "positions": [[0, 1, 0]], "weight": 1}], "neither"),
        ([{"pose": [[0, 0, 0]] * 21, "time": 0}], "shape"),
        ([{"pose": (np.eye(3)[[0] * 22] * 900).tolist(), "time": 0}], "100 m"),
        (
            [
                {"joint": "left_wrist", "times": [1.0], "positions": [[3, 1, 0]]},
                {"joint": "pelvis", "times": [1.0], "positions": [[0, 1, 0]]},
            ],
            "apart",
        ),
        (
            [
                {"joint": "head", "times": [1.0], "positions": [[0, 1.6, 1]]},
                {"joint": "head", "times": [1.0], "positions": [[0, 1.6, 1.5]]},
            ],
            "two targets",
        ),
        ([{"joint": "head", "times": 1.0, "positions": [[0, 1.6, 1]]}], "shape"),
        ([{"joint": "head", "times": ["now"], "positions": [[0, 1.6, 1]]}], "numbers"),
        ({"joints": []}, "controls"),
        ("pelvis", "list"),
    ],
)
def test_mistakes_are_named(controls, word):
    with pytest.raises(EngineError) as caught:
        Controls.from_json(controls).targets(N, FPS)
    assert caught.value.code == "bad_controls"
    assert word in str(caught.value)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(EngineError, match="cannot be read"):
        Controls.read(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("[")
    with pytest.raises(EngineError, match="not JSON"):
        Controls.read(tmp_path / "broken.json")


def cases():
    other = walk(0.7, seed=1)
    times = np.arange(N) / FPS
    curve = np.stack([0.5 * np.sin(times), np.zeros(N), 0.8 * times], axis=-1)
    yield "path", Controls((JointControl("pelvis", times, curve, "xz"),))
    wrist = walk().joints[40, 21] + [0.1, 0.4, 0.2]
    yield "hand", Controls((JointControl("right_wrist", [2.0], [wrist]),))
    yield "far hand", Controls((JointControl("left_wrist", [3.0], [[1.0, 1.2, 2.5]]),))
    yield (
        "foot",
        Controls((JointControl("left_ankle", [1.0, 2.0], other.joints[[20, 40], 7] + [0.05, 0.1, 0.2]),)),
    )
    yield "head", Controls((JointControl("head", [2.0], [walk().joints[40, 15] + [0.1, -0.1, 0.0]]),))
    yield "poses", Controls(poses=(PoseControl(0.0, other.joints[0]), PoseControl(4.0, other.joints[-1])))
    with_rotations = PoseControl(4.0, other.joints[-1], other.rotations[-1])
    yield "pose with rotations", Controls(poses=(with_rotations,))


@pytest.mark.parametrize(("name", "controls"), list(cases()))
def test_projection_meets_its_targets(name, controls):
    motion = walk()
    result = refine(motion, controls.targets(N, FPS))
    assert mean_error(motion, controls) > 0.05
    assert mean_error(result, controls) < 0.005, name
    bones = np.linalg.norm(result.joints[:, 1:] - result.joints[:, skeleton.PARENTS[1:]], axis=-1)
    assert np.allclose(bones, np.linalg.norm(skeleton.REST_OFFSETS[1:], axis=-1), atol=1e-4)
    # no frame jumps: nothing moves much faster than it did
    speed = np.linalg.norm(np.diff(result.joints, axis=0), axis=-1).max() * FPS
    before = np.linalg.norm(np.diff(motion.joints, axis=0), axis=-1).max() * FPS
    assert speed < before + 3.0


def test_projection_is_local_in_time():
    motion = walk()
    controls = Controls((JointControl("right_wrist", [2.0], [motion.joints[40, 21] + [0.0, 0.2, 0.1]]),))
    result = refine(motion, controls.targets(N, FPS), foot_lock=False)
    for part in (slice(None, 25), slice(56, None)):
        assert np.abs(result.joints[part] - motion.joints[part]).max() < 0.002


def test_unreachable_targets_are_approached_without_nonsense():
    motion = walk()
    pose = motion.joints[40] * 1.05  # a larger body
    result = refine(motion, Controls(poses=(PoseControl(2.0, pose),)).targets(N, FPS))
    assert np.isfinite(result.joints).all()
    assert np.linalg.norm(result.joints[40] - pose, axis=-1).mean() < 0.06


def test_interpolation_never_overshoots():
    knots, values = np.array([0, 3, 4, 10]), np.array([[0.0], [1.0], [1.0], [0.0]])
    curve = monotone_cubic(np.arange(12), knots, values)
    assert curve.min() >= 0 and curve.max() <= 1
    assert np.allclose(curve[knots], values)


def test_hints_tell_the_missing_way_in_the_frame_of_the_body():
    motion = walk()
    targets = Controls((JointControl("pelvis", [2.0], [[1.0, 0.9, 2.0]]),)).targets(N, FPS)
    hints = hint_features(motion.joints[None], targets.positions[None], targets.mask[None].copy())
    assert hints.shape == (1, N, N_HINTS)
    turned = quat.about_axis(1, np.array(0.7))
    spun = hint_features(
        quat.rotate(turned, motion.joints.astype(float))[None],
        quat.rotate(turned, targets.positions)[None],
        targets.mask[None].copy(),
    )
    assert np.allclose(hints, spun, atol=1e-5)
    assert hints[0, 40, 66] == 1 and hints[0, 40, 67:88].sum() == 0
    assert hints[0, 40, 0] > 1.0 and abs(hints[0, 40, 2]) < 0.3  # to the left, not ahead
    met = hint_features(motion.joints[None], motion.joints[None].astype(float), np.ones((1, N, 22, 3), bool))
    assert np.allclose(met[..., :66], 0) and np.allclose(met[..., 88:94], 0)
