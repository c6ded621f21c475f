# SPDX-License-Identifier: GPL-3.0-or-later
"""The default bundle obeys controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motion_engine.control import Controls, JointControl, PoseControl
from motion_engine.engine import Engine, GenerateRequest


@pytest.fixture(scope="module")
def engine():
    engine = Engine.load(threads=1)
    assert engine.bundle.can_control, "the default bundle ships with a control network"
    return engine


def cases(engine):
    """What animators ask for; targets of poses are taken from another take, so that a body can meet them."""
    times = np.linspace(0, 4, 81)[:80]
    curve = np.stack([0.6 * np.sin(times / 2), np.zeros(80), 0.9 * times], axis=-1)
    path = Controls((JointControl("pelvis", times, curve, "xz"),))
    hand = Controls((JointControl("right_wrist", [2.0], [[-0.3, 1.5, 0.4]]),))
    other = engine.generate(GenerateRequest("a person stands", seed=40))[0].joints
    poses = Controls(poses=(PoseControl(0.0, other[0]), PoseControl(4.0, other[40] + [0.5, 0.0, 0.0])))
    return [
        ("a person walks forward", path),
        ("a person raises the right hand", hand),
        ("a person steps to the left", poses),
    ]


def test_projection_meets_targets_within_a_centimetre(engine):
    for prompt, controls in cases(engine):
        motion = engine.generate(GenerateRequest(prompt, controls=controls))[0]
        assert motion.provenance["controls"]["mean_error"] <= 0.01, prompt


def test_network_alone_comes_much_closer_than_no_control(engine):
    for prompt, controls in cases(engine):
        free = engine.generate(GenerateRequest(prompt))[0]
        missed = controls.targets(free.n_frames, free.fps).errors(free.joints).mean()
        alone = replace(controls, refine=False)
        made = engine.generate(GenerateRequest(prompt, controls=alone))[0].provenance["controls"][
            "mean_error"
        ]
        assert made < max(0.5 * missed, 0.05), prompt
