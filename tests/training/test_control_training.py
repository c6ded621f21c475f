# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage four on made-up clips: the loss looks at what the engine shows, it falls, and the bundle obeys controls."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine import features
from motion_engine import quaternion as quat
from motion_engine.control import Controls, JointControl
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.motion import Motion
from training.config import ControlTraining, FrameControlTraining
from training.control_scores import control_scores, table
from training.data.bvh_folder import import_folder
from training.decoded_joints import decoded_joints
from training.export.random_bundle import write_random_bundle
from training.random_hints import random_mask
from training.recipe import export_run, train_stage
from training.train_control import control_error, from_first_frame, make_control
from training.train_frame_control import make_frame_control


@pytest.fixture(scope="session")
def controlled_config(config):
    """The tiny configuration with both control stages."""
    return replace(
        config,
        control_training=ControlTraining(12, 4, 1e-3, 16, 1),
        frame_control_training=FrameControlTraining(12, 4, 3e-4, 16, 2),
    )


@pytest.fixture(scope="session")
def finished_run(controlled_config, mocap_folder, tmp_path_factory):
    """A run with all stages, and its set."""
    motion_set, _ = import_folder(mocap_folder, 20.0, ["waves", "walks"])
    run = tmp_path_factory.mktemp("run")
    for stage in ("vae", "mld", "motionlcm", "control", "control_frames"):
        train_stage(stage, controlled_config, motion_set, run)
    return motion_set, run


@pytest.fixture(scope="session")
def bundle(controlled_config, finished_run, tmp_path_factory):
    motion_set, run = finished_run
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    export_run(controlled_config, motion_set, run, out, "test")
    return out


def test_loss_sees_the_joints_that_the_engine_shows():
    random = np.random.default_rng(0)
    turns = np.cumsum(random.normal(size=(40, 22, 3)) * 0.03, axis=0) + random.normal(size=(22, 3)) * 0.2
    root = np.cumsum(random.normal(size=(40, 3)) * 0.01, axis=0) + [0.0, 0.9, 0.0]
    rows = features.encode(Motion.from_rotations(quat.from_axis_angle(turns), root, 20.0))
    rows += random.normal(size=rows.shape) * 0.01  # as a decoder's: numbers that do not quite agree
    given = torch.tensor(rows[None], requires_grad=True)
    joints = decoded_joints(given)
    np.testing.assert_allclose(joints[0].detach(), features.decode(rows, 20.0).joints, atol=1e-5)
    joints.square().sum().backward()
    for part in (features.YAW_VELOCITY, features.ROOT_VELOCITY, features.ROOT_HEIGHT, features.ROTATIONS):
        assert given.grad[0, :-1, part].abs().max() > 0


def test_hints_are_of_many_kinds():
    random = np.random.default_rng(0)
    masks = [random_mask(40, random) for _ in range(200)]
    assert all(mask.any() for mask in masks)
    assert any(mask[[0, -1]].all() for mask in masks)  # start and end pose
    assert any(mask[:, 0].any() and not mask[..., 1].any() for mask in masks)  # a path on the ground
    assert any(mask[:, 21].all() for mask in masks)  # a hand all the time


def test_control_error_is_a_distance_in_metres():
    joints, targets = torch.zeros(1, 4, 22, 3), torch.zeros(1, 4, 22, 3)
    hinted = torch.zeros(1, 4, 22, 3, dtype=torch.bool)
    targets[0, 1, 5] = torch.tensor([3.0, 7.0, 4.0])
    hinted[0, 1, 5, [0, 2]] = True
    assert float(control_error(joints, targets, hinted)) == pytest.approx(5.0, abs=1e-3)


def test_clips_start_at_the_origin_facing_front(make_gesture):
    motion = make_gesture(3)
    moved = from_first_frame(
        quat.rotate(quat.about_axis(1, 1.0), motion.joints[10:].astype(float) + [3, 0, 2])
    )
    np.testing.assert_allclose(moved, motion.trim(10 / motion.fps, motion.duration).joints, atol=1e-5)


def test_stage_learns_logs_and_is_not_repeated(controlled_config, finished_run):
    motion_set, run = finished_run
    state = torch.load(run / "control.pt", map_location="cpu", weights_only=True)
    assert state["step"] == 12
    assert all(torch.isfinite(value).all() for value in state["ema"].values())
    started = make_control(controlled_config).state_dict()
    assert (state["module"]["latent_out.weight"] - started["latent_out.weight"]).abs().max() > 0
    before = (run / "control.pt").stat().st_mtime_ns
    train_stage("control", controlled_config, motion_set, run)
    assert (run / "control.pt").stat().st_mtime_ns == before


def test_frames_learn_to_meet_their_hints(finished_run):
    _, run = finished_run
    state = torch.load(run / "control_frames.pt", map_location="cpu", weights_only=True)
    assert state["step"] == 12
    assert all(torch.isfinite(value).all() for value in state["ema"].values())
    assert state["module"]["last.weight"].abs().max() > 0


def test_configuration_without_the_section_says_so(config):
    with pytest.raises(ValueError, match="control_training"):
        make_control(config)
    with pytest.raises(ValueError, match="frame_control_training"):
        make_frame_control(config)


def test_bundle_obeys_controls_and_both_backends_agree(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["tasks"] == ["text_to_motion", "control"]
    assert {"control", "control_frames"} <= set(manifest["networks"])
    controls = Controls((JointControl("right_wrist", [0.5, 1.5], [[-0.3, 1.3, 0.3], [-0.3, 1.0, 0.3]]),))
    request = GenerateRequest("a person waves", duration=2.0, controls=controls)
    made = Engine.load(bundle, threads=1).generate(request)[0]
    assert made.provenance["controls"]["targets"] == 2
    assert made.provenance["controls"]["mean_error"] < 0.01
    raw = replace(request, controls=replace(controls, refine=False), steps=1)
    onnx = Engine.load(bundle, threads=1).generate(raw)[0]
    on_torch = Engine.load(bundle, backend="torch", device="cpu").generate(raw)[0]
    np.testing.assert_allclose(onnx.joints, on_torch.joints, atol=2e-3)


def test_controls_change_nothing_else_about_sampling(bundle):
    """An uncontrolled request of a bundle with control is what it was without."""
    engine = Engine.load(bundle, threads=1)
    free = engine.generate(GenerateRequest("a person waves", duration=2.0))[0]
    assert "controls" not in free.provenance


def test_other_samplers_and_bundles_refuse(bundle, tmp_path, config):
    controls = Controls((JointControl("pelvis", [1.0], [[0.0, 0.0, 0.5]], "xz"),))
    request = GenerateRequest("a person waves", duration=2.0, sampler="mld", controls=controls)
    with pytest.raises(EngineError, match="motionlcm"):
        Engine.load(bundle, threads=1).generate(request)
    plain = Engine.load(write_random_bundle(tmp_path, config), threads=1)
    with pytest.raises(EngineError) as caught:
        plain.generate(replace(request, sampler=None))
    assert caught.value.code == "not_supported"
    assert "control" in str(caught.value)


def test_timeline_with_control_starts_each_part_from_the_last(bundle):
    request = GenerateRequest(prompts=(("a person waves", 2.0), ("a person walks", 2.0)), seed=3)
    motion = Engine.load(bundle, threads=1).generate(request)[0]
    assert motion.n_frames == 80
    assert [part["start"] for part in motion.provenance["parts"]] == [0.0, 2.0]


def test_scores_of_held_out_hints(bundle, finished_run):
    motion_set, _ = finished_run
    rows = control_scores(Engine.load(bundle, threads=1), motion_set, "test", 1)
    assert len(rows) == 16
    for row in rows:
        assert row["refined"]["average"] <= 0.02
        assert row["refined"]["average"] <= row["network"]["average"] + 1e-3
    assert "| pelvis | 25% | refined |" in table(rows)
