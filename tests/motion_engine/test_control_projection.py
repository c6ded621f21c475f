# SPDX-License-Identifier: GPL-3.0-or-later
"""The projection inside the sampler's loop."""

from __future__ import annotations

import acted
import numpy as np
import pytest

from motion_engine import features, skeleton
from motion_engine.control import Controls, JointControl, Targets
from motion_engine.control_sampling import controlled
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import Cancelled
from motion_engine.samplers.schedule import clean_and_noise

WRIST = skeleton.JOINT["right_wrist"]


def test_targets_over_more_and_fewer_frames():
    targets = Controls((JointControl("right_wrist", [0.5], [[0.0, 1.2, 0.4]]),)).targets(20, 20.0)
    longer, shorter = targets.over(24), targets.over(8)
    assert longer.positions.shape == longer.mask.shape == (24, 22, 3)
    assert longer.mask[:20].sum() == 3 and not longer.mask[20:].any()
    assert shorter.mask.shape == (8, 22, 3) and not shorter.mask.any()


def scene(times=(499, 0)):
    """A standing body whose latents are its features, a hand's target, and a log of what was called."""
    rows = features.encode(acted.pose(2.0)).astype(np.float32)[None, :36]
    controls = Controls((JointControl("right_wrist", [0.5], [[-0.3, 1.4, 0.3]]),))
    targets = controls.targets(36, 20.0)
    log = []

    def base(latents, time, w):
        # the output whose clean estimate is the standing body
        from motion_engine.samplers.schedule import ALPHA_BAR

        signal, sigma = np.sqrt(ALPHA_BAR[time]), np.sqrt(1 - ALPHA_BAR[time])
        return ((signal * latents - rows) / sigma).astype(np.float32)

    def correct(clean, hints, time):
        log.append(("correct", time))
        return np.zeros_like(clean)

    def encode(made):
        log.append(("encode", made.shape))
        return made

    def run(network):
        noise = np.random.default_rng(0).standard_normal(rows.shape).astype(np.float32)
        found = {}
        for time in times:
            clean, _ = clean_and_noise(noise, network(noise, time, 0.0), time, "v")
            found[time] = features.decode(clean[0], 20.0).joints
        return found

    return rows, targets, base, correct, encode, run, log


def test_each_step_ends_on_the_targets_and_the_last_one_looks_twice():
    _, targets, base, correct, encode, run, log = scene()
    made = run(controlled(base, correct, lambda z: z, targets, (499, 0), 20.0, "v", encode))
    wanted = targets.positions[10, WRIST]
    for joints in made.values():
        assert np.linalg.norm(joints[10, WRIST] - wanted) < 0.02
    assert [name for name, _ in log] == ["correct", "encode"] * 3 + ["correct"] * 2


def test_without_an_encoder_the_control_network_is_alone():
    _, targets, base, correct, _, run, log = scene()
    made = run(controlled(base, correct, lambda z: z, targets, (499, 0), 20.0, "v"))
    assert np.linalg.norm(made[0][10, WRIST] - targets.positions[10, WRIST]) > 0.2
    assert [name for name, _ in log] == ["correct"] * 3


def test_it_can_be_stopped_between_two_decodings():
    _, targets, base, correct, encode, run, log = scene()

    def check():
        if len(log) >= 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(controlled(base, correct, lambda z: z, targets, (499, 0), 20.0, "v", encode, check))
    assert len(log) == 3


def test_the_shipped_bundle_comes_near_without_the_refinement():
    """5 cm are promised for one pass; measured over held-out clips by ``python -m training control-scores``."""
    times = [0.8, 1.6, 2.4]
    places = np.array([[-0.45, 1.2, 0.4], [-0.3, 1.5, 0.9], [-0.5, 1.0, 1.2]])
    controls = Controls((JointControl("right_wrist", times, places),), refine=False)
    asked = GenerateRequest("a person walks forward", duration=4.0, count=3, controls=controls)
    targets: Targets = controls.targets(80, 20.0)
    errors = [targets.errors(motion.joints).mean() for motion in Engine.load(device="cpu").generate(asked)]
    assert np.mean(errors) < 0.08
