# SPDX-License-Identifier: GPL-3.0-or-later
"""The default bundle does what prompts say: measured on five takes each, most of which must show it."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import bundle as bundles
from motion_engine.engine import MAX_PROMPT, Engine, GenerateRequest
from motion_engine.errors import Cancelled, EngineError
from motion_engine.skeleton import JOINT

SEEDS = 5
MOST = 4


@pytest.fixture(scope="module")
def engine():
    return Engine.load()


@pytest.fixture(scope="module")
def takes(engine):
    cache = {}

    def make(prompt, duration=4.0):
        if prompt not in cache:
            cache[prompt] = engine.generate(GenerateRequest(prompt, duration=duration, count=SEEDS))
        return cache[prompt]

    return make


def wrist_over_shoulder(motion, side):
    return motion.joints[:, JOINT[f"{side}_wrist"], 1] - motion.joints[:, JOINT[f"{side}_shoulder"], 1]


def swings(motion, side):
    """Turns of the raised wrist's path along its main direction, each of more than 5 cm."""
    raised = wrist_over_shoulder(motion, side) > 0
    if raised.sum() < 4:
        return 0
    wrist = (
        motion.joints[raised][:, JOINT[f"{side}_wrist"]] - motion.joints[raised][:, JOINT[f"{side}_shoulder"]]
    )
    path = (wrist - wrist.mean(axis=0)) @ np.linalg.svd(wrist - wrist.mean(axis=0), full_matrices=False)[2][0]
    turns, extreme, direction = 0, path[0], 0
    for value in path[1:]:
        if direction <= 0 and value > extreme + 0.05:
            turns, direction, extreme = turns + 1, 1, value
        elif direction >= 0 and value < extreme - 0.05:
            turns, direction, extreme = turns + 1, -1, value
        elif (value - extreme) * direction > 0:
            extreme = value
    return turns


def in_most(values):
    return sum(bool(value) for value in values) >= MOST


def test_walking_travels_forward(takes):
    assert in_most(motion.root[-1, 2] > 1.0 for motion in takes("a person walks forward"))


def test_running_is_faster_than_walking(takes):
    def speed(motions):
        return np.median(
            [np.linalg.norm(np.diff(m.root[:, [0, 2]], axis=0), axis=-1).mean() for m in motions]
        )

    assert speed(takes("a person runs")) > 1.3 * speed(takes("a person walks forward"))


def test_two_things_at_once(takes):
    motions = takes("a person walks forward and waves with the right hand")
    assert in_most(motion.root[-1, 2] > 1.0 for motion in motions)
    assert in_most((wrist_over_shoulder(motion, "right") > 0).mean() > 0.4 for motion in motions)


@pytest.mark.parametrize(("side", "other"), [("right", "left"), ("left", "right")])
def test_waving_swings_the_right_wrist_above_the_shoulder(takes, side, other):
    motions = takes(f"someone waves with the {side} hand")
    assert in_most(swings(motion, side) >= 2 for motion in motions)
    assert in_most((wrist_over_shoulder(motion, other) > 0).mean() < 0.3 for motion in motions)


def test_sitting_lowers_the_pelvis(takes):
    assert in_most(
        motion.root[:, 1].min() < motion.root[0, 1] - 0.2 for motion in takes("a person sits down")
    )


def test_jumping_leaves_the_floor(takes):
    def lift(motion):
        return motion.joints[:, [10, 11], 1].min(axis=1).max()

    assert in_most(lift(motion) > 0.1 for motion in takes("a person jumps"))


def test_both_hands_are_raised(takes):
    def raised(motion):
        return ((wrist_over_shoulder(motion, "left") > 0) & (wrist_over_shoulder(motion, "right") > 0)).any()

    assert in_most(raised(motion) for motion in takes("someone raises both hands"))


def test_same_request_and_seed_give_the_same_motion_whatever_the_count(engine):
    alone = engine.generate(GenerateRequest("a person walks", seed=7))[0]
    again = engine.generate(GenerateRequest("a person walks", seed=7))[0]
    third = engine.generate(GenerateRequest("a person walks", seed=5, count=6))[2]
    np.testing.assert_array_equal(alone.joints, again.joints)
    np.testing.assert_allclose(third.joints, alone.joints, atol=1e-4)
    assert third.provenance["seed"] == 7


def test_different_seeds_give_different_motions(takes):
    first, second = takes("a person walks forward")[:2]
    assert np.abs(first.joints - second.joints).max() > 0.05


@pytest.mark.parametrize("duration", [0.5, 1.3, 9.8])
def test_every_duration_gives_its_frames(engine, duration):
    motion = engine.generate(GenerateRequest("a person walks", duration=duration))[0]
    assert motion.n_frames == round(duration * engine.bundle.fps)
    assert motion.provenance["quality"]["foot_skate"] >= 0


def test_clean_up_can_be_turned_off(engine):
    request = {"prompt": "a person walks forward", "seed": 3}
    raw = engine.generate(GenerateRequest(**request, foot_lock=False, floor=False))[0]
    clean = engine.generate(GenerateRequest(**request))[0]
    assert clean.provenance["quality"]["foot_skate"] < raw.provenance["quality"]["foot_skate"]
    assert not raw.provenance["foot_lock"] and not raw.provenance["floor"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prompt": "  \n "}, "empty_prompt"),
        ({"prompt": "walk " * 2000}, "long_prompt"),
        ({"duration": float("nan")}, "bad_duration"),
        ({"duration": 100.0}, "bad_duration"),
        ({"count": 0}, "bad_count"),
        ({"seed": -1}, "bad_seed"),
        ({"sampler": "magic"}, "unknown_sampler"),
        ({"steps": 0}, "bad_steps"),
        ({"steps": 11}, "bad_steps"),
        ({"guidance": float("nan")}, "bad_guidance"),
        ({"guidance": 0.5}, "bad_guidance"),
    ],
)
def test_bad_requests_say_what_is_wrong_and_what_to_do(engine, change, code):
    with pytest.raises(EngineError) as caught:
        engine.generate(GenerateRequest(**{"prompt": "a person walks", **change}))
    assert caught.value.code == code and caught.value.fix and caught.value.message.endswith(".")


def test_the_longest_prompt_is_read(engine):
    prompt = ("a person walks and " * 40)[:MAX_PROMPT]
    assert engine.generate(GenerateRequest(prompt, duration=1.0))[0].n_frames == 20


def test_cancel_stops_at_the_next_step(engine):
    steps = []
    request = GenerateRequest("a person walks", sampler="mld", steps=50)
    with pytest.raises(Cancelled):
        engine.generate(
            request, on_progress=lambda done, _: steps.append(done), is_cancelled=lambda: len(steps) >= 3
        )
    assert len(steps) == 3


def test_the_bundle_says_where_it_comes_from():
    manifest = bundles.find(None).manifest
    assert manifest["name"] == "base" and manifest["training_data"]["sources"] == [
        "accad",
        "cmu",
        "mhad",
        "prmd",
    ]
    assert len(manifest["attribution"]) == 4 and "mocap.cs.cmu.edu" in manifest["attribution"][0]
    assert manifest["made_with"] and manifest["scores"]
