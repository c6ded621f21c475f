# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a motion when a request names no sampler: the default, and MotionLCM where the task needs it.

Most are shown on the shipped bundle with EMDM as its default, so that the two differ.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from motion_engine import bench
from motion_engine import bundle as bundles
from motion_engine.captioning.canonical import Clip
from motion_engine.control import Controls, JointControl, PoseControl
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.request import Variation, make_plan, sampler_for
from motion_engine.timeline import check_request, part_requests

ASSETS = Path(bundles.__file__).resolve().parents[1] / "assets"
HAND = Controls((JointControl("right_wrist", [1.0], [[-0.3, 1.4, 0.4]]),))
PARTS = (("a person sits down", 2.0), ("a person waves", 2.0))


@pytest.fixture(scope="module")
def engine():
    return Engine(with_default(bundles.find(None), "emdm"), threads=1)


@pytest.fixture(scope="module")
def clip(engine):
    return Clip.of(engine.generate(GenerateRequest("a person walks forward", duration=2.0))[0])


def made(engine, **fields):
    """Provenance of one motion, and of two seconds where no other length is given."""
    return engine.generate(GenerateRequest(**{"duration": 2.0, **fields}))[0].provenance


def with_default(bundle, name):
    """The bundle with another default, or with none but the first where ``name`` is None."""
    samplers = {
        sampler: {key: value for key, value in preset.items() if key != "default"}
        for sampler, preset in bundle.samplers.items()
    }
    if name is not None:
        samplers[name]["default"] = True
    return replace(bundle, manifest={**bundle.manifest, "samplers": samplers})


@pytest.mark.parametrize("folder", ["models/base", "models_noncommercial/styles"])
def test_the_bundles_of_this_project_have_one_default(folder):
    bundle = bundles.load(ASSETS / folder)
    assert [name for name, preset in bundle.samplers.items() if preset.get("default")] == ["motionlcm"]
    assert bundle.default_sampler == bundle.control_sampler == "motionlcm"


def test_a_prompt_is_made_by_the_default(engine):
    provenance = made(engine, prompt="a person walks")
    assert (provenance["sampler"], provenance["steps"], provenance["guidance"]) == ("emdm", 4, 2.5)


def test_controls_are_obeyed_without_naming_a_sampler(engine):
    provenance = made(engine, prompt="a person raises the right hand", controls=HAND)
    assert (provenance["sampler"], provenance["steps"], provenance["guidance"]) == ("motionlcm", 4, 3.5)
    assert provenance["controls"]["mean_error"] <= 0.01
    stand = made(engine, prompt="a person stands")
    assert stand["sampler"] == "emdm"
    pose = Controls(
        poses=(PoseControl(0.0, engine.generate(GenerateRequest("a person stands"))[0].joints[0]),)
    )
    assert made(engine, prompt="a person walks", controls=pose)["sampler"] == "motionlcm"


def test_a_control_file_that_asks_for_nothing_changes_nothing(engine):
    assert made(engine, prompt="a person walks", controls=Controls())["sampler"] == "emdm"


@pytest.mark.parametrize("sampler", ["emdm", "mld"])
def test_a_sampler_that_cannot_obey_is_refused_when_it_is_named(engine, sampler):
    with pytest.raises(EngineError, match=f"work with the sampler motionlcm, not with {sampler}") as caught:
        made(engine, prompt="a person waves", controls=HAND, sampler=sampler)
    assert caught.value.code == "not_supported" and "Leave the sampler out" in caught.value.fix


def test_all_parts_of_a_timeline_have_one_sampler(engine):
    whole = made(engine, prompts=PARTS)
    assert whole["sampler"] == "motionlcm"
    assert {part.sampler for part in part_requests(engine.bundle, GenerateRequest(prompts=PARTS))} == {
        "motionlcm"
    }
    assert made(engine, prompts=PARTS, sampler="emdm")["sampler"] == "emdm"
    # nothing to go on from
    assert made(engine, prompts=PARTS[:1])["sampler"] == "emdm"


def test_a_part_goes_on_from_the_pose_of_the_one_before(engine):
    """A body that crawls and then claps stands up; one that is bent from a pose to the other is torn up."""
    parts = (("a person crawls on the floor", 2.0), ("a person claps", 2.0))

    def fastest_rise(sampler):  # metres a second, around the seam at frame 40
        motions = engine.generate(GenerateRequest(prompts=parts, count=4, sampler=sampler))
        return np.median([np.diff(motion.root[38:54, 1]).max() * motion.fps for motion in motions])

    assert fastest_rise(None) < 1.0 < fastest_rise("emdm")


def test_every_strength_of_a_variation_gives_another_motion(engine, clip):
    found = [
        engine.generate(GenerateRequest("a person walks forward", variation=Variation(clip, strength)))[0]
        for strength in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    ]
    assert {motion.provenance["sampler"] for motion in found} == {"motionlcm"}
    for one, other in pairwise(found):
        assert np.abs(one.joints - other.joints).max() > 0.01
    named = GenerateRequest("a person walks", variation=Variation(clip, 0.4), sampler="emdm")
    assert engine.generate(named)[0].provenance["sampler"] == "emdm"


def test_a_surprise_is_made_as_before_whatever_the_default(engine):
    request = GenerateRequest(surprise=True, duration=2.0, seed=3, steps=3)
    other = Engine(with_default(engine.bundle, "motionlcm"), threads=1)
    one, two = (each.generate(request)[0] for each in (engine, other))
    np.testing.assert_allclose(one.joints, two.joints, atol=1e-5)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (GenerateRequest("a person walks"), "mld"),
        (GenerateRequest("a person walks", controls=HAND), "motionlcm"),
        (GenerateRequest(prompts=PARTS), "motionlcm"),
        (GenerateRequest("a person walks", sampler="emdm"), "emdm"),
    ],
)
def test_the_choice_does_not_depend_on_which_sampler_is_the_default(engine, request_, expected):
    assert sampler_for(with_default(engine.bundle, "mld"), request_) == expected


def test_a_bundle_without_control_takes_its_default_for_a_timeline_and_says_what_controls_lack(engine):
    manifest = engine.bundle.manifest
    plain = replace(
        engine.bundle,
        manifest={**manifest, "tasks": [task for task in manifest["tasks"] if task != "control"]},
    )
    assert plain.control_sampler is None
    assert sampler_for(plain, GenerateRequest(prompts=PARTS)) == "emdm"
    check_request(plain, GenerateRequest(prompts=PARTS))
    with pytest.raises(EngineError, match="has no control network"):
        make_plan(plain, GenerateRequest("a person waves", controls=HAND))


def test_steps_that_the_default_lacks_are_refused_and_those_who_have_them_named(engine):
    with pytest.raises(EngineError, match=r"takes 1 to 4 steps, not 8\.") as caught:
        make_plan(engine.bundle, GenerateRequest("a person walks", steps=8))
    assert caught.value.fix == "4 is usual; motionlcm or mld would take 8."
    with pytest.raises(EngineError) as caught:
        make_plan(engine.bundle, GenerateRequest("a person walks", steps=0))
    assert caught.value.fix == "4 is usual."
    # the steps are those of the sampler that is taken
    assert len(make_plan(engine.bundle, GenerateRequest("a person walks", steps=8, controls=HAND)).times) == 8


def test_a_network_of_another_bundle_is_refused_in_one_sentence(engine):
    features = np.zeros((1, 8, 100), np.float32)  # 263 are right
    with pytest.raises(EngineError, match="does not fit its bundle") as caught:
        engine.network("encoder")({"features": features})
    assert caught.value.message.endswith(".") and ".." not in caught.value.message
    assert "\n" not in caught.value.message


def test_the_benchmark_measures_what_one_waits_for_and_motionlcm_by_name():
    rows = {row.name: row for row in bench._generation(1, None, "cpu", "onnx")}
    assert {name: row.bar for name, row in rows.items()} == {
        "prompt to motion, 4 s clip": 150.0,
        "MotionLCM, 4 s clip, 1 step": 40.0,
        "MotionLCM, 9.8 s clip, 4 steps": 90.0,
        "EMDM, 4 s clip, 4 steps": 150.0,
    }
    assert rows["prompt to motion, 4 s clip"].note == "motionlcm, 4 steps"
    assert all(row.median > 0 for row in rows.values())
