# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions, vectors, variations and surprises over the protocol, with a real engine process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "motion_engine"))
from clips import standing, swinging

from motion_engine import protocol
from motion_engine.client import EngineProcess, start_engine
from motion_engine.errors import EngineError
from motion_engine.motion import Motion
from motion_engine.wire import decode_array, decode_motion, encode_clip


@pytest.fixture(scope="module")
def captioner(caption_bundles: Path) -> Iterator[EngineProcess]:
    """An engine with an untrained bundle that offers every task."""
    environment = os.environ | {"MOTION_PROMPT_BUNDLES": str(caption_bundles)}
    with start_engine(["--bundle", "random"], environment) as process:
        process.wait_until_ready()
        yield process


def wire(motion: Motion) -> dict[str, Any]:
    return encode_clip(motion.joints, motion.fps, motion.rotations)


SWINGING = wire(swinging(60))


def test_health_lists_the_tasks(captioner: EngineProcess):
    tasks = {b["name"]: b["tasks"] for b in captioner.call("GET", "/v1/health")["bundles"]}
    assert {"motion_to_text", "embed", "variation", "joint"} <= set(tasks["random"])
    assert tasks["plain"] == ["text_to_motion"]


def test_captions_come_as_they_are_made(captioner: EngineProcess):
    events: list[dict[str, Any]] = []
    clips = [SWINGING, wire(standing()), wire(swinging(300)), encode_clip(swinging(50, seed=2).joints, 20.0)]
    found = captioner.caption(clips, count=2, on_event=events.append)
    for event in events:
        protocol.parse_event(json.dumps(event))
    kinds = [event["event"] for event in events]
    assert kinds[0] == "queued" and kinds[-1] == "done" and "progress" in kinds
    assert [e["step"] for e in events if e["event"] == "progress"][-1] == 4
    assert len({event["job"] for event in events}) == 1
    assert found == [event for event in events if event["event"] in ("caption", "clip_error")]
    (problem,) = [event for event in found if event["event"] == "clip_error"]
    assert (problem["clip"], problem["code"]) == (1, "static") and problem["message"] and problem["fix"]
    first = next(event for event in found if event["clip"] == 0)
    assert (first["segment"], first["start"], first["end"]) == (0, 0.0, 3.0)
    assert first["text"] and len(first["alternatives"]) == 1 and first["tags"]
    assert first["score"] >= first["alternatives"][0]["score"]
    long = [event for event in found if event["clip"] == 2]
    assert [event["segment"] for event in long] == [*range(len(long) - 1), -1]
    assert (long[-1]["start"], long[-1]["end"]) == (0.0, 15.0)


@pytest.mark.parametrize(
    ("clip", "code"),
    [
        (SWINGING | {"joints": SWINGING["joints"] | {"data": "AAAA"}}, "bad_array"),
        (SWINGING | {"joints": SWINGING["joints"] | {"data": "%%%"}}, "bad_array"),
        (encode_clip(np.zeros((40, 21, 3)), 20.0), "bad_shape"),
        (encode_clip(np.full((40, 22, 3), np.nan), 20.0), "bad_numbers"),
        (encode_clip(swinging(40).joints, 0.0), "bad_rate"),
        (encode_clip(swinging(40).joints[:1], 20.0), "too_short"),
        (encode_clip(swinging(40).joints.repeat(40, axis=0), 20.0), "too_long"),
    ],
)
def test_a_clip_that_is_none_fails_alone(captioner: EngineProcess, clip: dict[str, Any], code: str):
    bad, good = sorted(captioner.caption([clip, SWINGING]), key=lambda event: event["clip"])
    assert (bad["event"], bad["clip"], bad["code"]) == ("clip_error", 0, code)
    assert (good["event"], good["clip"]) == ("caption", 1)
    reply = captioner.embed(clips=[clip, SWINGING])
    assert [(p["clip"], p["code"]) for p in reply["problems"]] == [(0, code)]
    lengths = np.linalg.norm(decode_array(reply["clips"]), axis=1)
    np.testing.assert_allclose(lengths, [0.0, 1.0], atol=1e-4)


def test_vectors(captioner: EngineProcess):
    reply = captioner.embed(["a person walks", "  a person   walks "], [SWINGING])
    texts, clips = decode_array(reply["texts"]), decode_array(reply["clips"])
    assert texts.shape == (2, 128) and clips.shape == (1, 128) and reply["problems"] == []
    np.testing.assert_array_equal(texts[0], texts[1])
    assert reply["bundle"] == "random" and len(reply["bundle_sha256"]) == 64
    nothing = captioner.embed()
    assert nothing["texts"]["shape"] == [0, 128] and nothing["clips"]["shape"] == [0, 128]


def test_cancelling_captions(captioner: EngineProcess):
    clips = [wire(swinging(190, seed=seed)) for seed in range(30)]
    kinds = []
    for event in captioner.stream("/v1/caption", {"clips": clips}):
        kinds.append(event["event"])
        if event["event"] == "progress":
            assert captioner.call("DELETE", f"/v1/jobs/{event['job']}")["cancelled"] in (True, False)
    assert kinds[-1] == "cancelled" and kinds.count("caption") < 30
    assert captioner.call("GET", "/v1/health")["queue"] == 0


def test_what_on_event_raises_ends_the_job(captioner: EngineProcess):
    def stop(event: dict[str, Any]) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        captioner.caption([wire(swinging(190, seed=seed)) for seed in range(30)], on_event=stop)
    assert captioner.caption([SWINGING])[0]["event"] == "caption"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/caption", {"clips": [SWINGING], "count": 6}, "bad_count"),
        ("/v1/caption", {"clips": [SWINGING], "count": 0}, "bad_count"),
        ("/v1/caption", {"clips": []}, "bad_request"),
        ("/v1/caption", {}, "bad_request"),
        ("/v1/caption", {"clips": [{"joints": SWINGING["joints"]}]}, "bad_request"),
        ("/v1/caption", {"clips": [SWINGING], "bundle": "nowhere"}, "unknown_bundle"),
        ("/v1/caption", {"clips": [SWINGING], "bundle": "plain"}, "not_supported"),
        ("/v1/embed", {"texts": ["a"], "bundle": "plain"}, "not_supported"),
        ("/v1/embed", {"texts": [" "]}, "empty_prompt"),
        ("/v1/embed", {"texts": ["x" * 501]}, "long_prompt"),
        ("/v1/embed", {"texts": ["x"] * 1025}, "bad_count"),
        ("/v1/embed", {"texts": "x"}, "bad_request"),
        ("/v1/generate", {"surprise": True, "prompt": "a person walks"}, "bad_request"),
        ("/v1/generate", {"surprise": True, "bundle": "plain"}, "not_supported"),
        ("/v1/generate", {"variation": {"clip": SWINGING}, "bundle": "plain"}, "not_supported"),
        ("/v1/generate", {"variation": {"clip": SWINGING, "strength": 2}}, "bad_strength"),
        ("/v1/generate", {"variation": {"clip": wire(standing())}}, "static"),
        ("/v1/generate", {"variation": {"clip": wire(swinging(400))}}, "too_long"),
    ],
)
def test_what_is_refused(captioner: EngineProcess, path: str, body: dict[str, Any], code: str):
    with pytest.raises(EngineError) as caught:
        captioner.call("POST", path, body)
    assert caught.value.code == code and caught.value.message.endswith(".") and caught.value.fix


def test_a_body_larger_than_the_limit_is_refused(captioner: EngineProcess):
    with pytest.raises(EngineError, match="larger than 32 MiB"):
        captioner.call("POST", "/v1/embed", {"texts": ["x" * (33 << 20)]})
    with pytest.raises(EngineError, match="larger than 1 MiB"):
        captioner.call("POST", "/v1/generate", {"prompt": "x" * (2 << 20)})


def last_motion(events: Iterator[dict[str, Any]]) -> Motion:
    found = list(events)
    assert found[-1]["event"] == "done", found[-1]
    return decode_motion(next(event for event in found if event["event"] == "motion")["motion"])


def test_a_variation_over_http(captioner: EngineProcess):
    fast = swinging(900, 120.0)  # more than a plain request may hold
    body = {"variation": {"clip": wire(fast), "strength": 0.2, "prompt": "a person swings"}, "seed": 2}
    made = last_motion(captioner.generate(body))
    assert made.provenance["prompt"] == "a person swings" and made.provenance["variation"]["strength"] == 0.2
    assert made.duration == pytest.approx(7.5, abs=0.1)


def test_a_surprise_over_http(captioner: EngineProcess):
    made = last_motion(captioner.generate({"surprise": True, "duration": 2.0, "steps": 3}))
    assert made.n_frames == 40 and made.provenance["prompt"]


def test_without_a_name_the_first_bundle_that_can_is_taken(caption_bundles: Path):
    environment = os.environ | {"MOTION_PROMPT_BUNDLES": str(caption_bundles)}
    with start_engine(["--bundle", "plain"], environment) as process:
        process.wait_until_ready()
        assert process.caption([SWINGING])[0]["event"] == "caption"
        assert process.embed(["a person walks"])["bundle"] != "plain"
