# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls and timelines as a client sends them and as a user types them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from motion_engine import protocol
from motion_engine.client import EngineProcess
from motion_engine.control import Controls
from motion_engine.errors import EngineError
from motion_engine.service import _controls

PATH = {"joint": "pelvis", "times": [0, 1], "positions": [[0, 0, 0], [0, 0, 1]], "axes": "xz"}


def body(**fields: Any) -> protocol.GenerateBody:
    return protocol.parse_generate(json.dumps({"prompt": "a person walks"} | fields).encode())


def test_controls_reach_the_engine_as_they_were_sent():
    pose = [[0.0, 0.9, 0.0]] * 22
    sent = body(
        controls=[PATH, {"pose": pose, "time": 1.0}],
        start={"position": [1.0, 2.0], "yaw": 90.0},
        post={"refine": False},
    )
    controls = _controls(sent)
    assert isinstance(controls, Controls)
    assert controls.joints[0].joint == "pelvis" and controls.joints[0].axes == "xz"
    assert controls.poses[0].time == 1.0
    assert (list(controls.start.position), controls.start.yaw) == ([1.0, 2.0], 90.0)
    assert not controls.refine
    assert _controls(body()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"controls": [{"kind": "path"}]},
        {"controls": [PATH | {"weight": 1}]},
        {"controls": [PATH | {"times": "now"}]},
        {"controls": [PATH], "start": {"place": [0, 0]}},
        {"prompts": [{"text": "a man walks"}]},
    ],
)
def test_fields_of_another_form_are_refused(fields: dict[str, Any]):
    with pytest.raises(EngineError) as caught:
        body(**fields)
    assert caught.value.code == "bad_request"


def stream(engine: EngineProcess, fields: dict[str, Any]) -> list[dict[str, Any]]:
    return list(engine.generate(fields))


def test_timeline_over_http_is_one_motion(engine: EngineProcess):
    parts = [{"text": "a person walks forward", "duration": 2}, {"text": "a person waves", "duration": 1.5}]
    events = stream(engine, {"prompts": parts, "seed": 4})
    motions = [event["motion"] for event in events if event["event"] == "motion"]
    assert len(motions) == 1
    assert motions[0]["n_frames"] == 70
    assert [part["end"] for part in motions[0]["provenance"]["parts"]] == [2.0, 3.5]
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["step"] == progress[-1]["steps"]
    assert events[-1]["event"] == "done"


def test_command_line_makes_a_timeline(here, tmp_path):
    out = tmp_path / "scene.bvh"
    done = here("generate", "--timeline", "a person walks: 1.5; a person jumps: 1.5", "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "Frames: 60" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "timeline"),
        (("a person walks", "--timeline", "a person runs: 2"), "not both"),
        (("--timeline", "a person runs"), "seconds"),
        (("a person walks", "--control", "absent.json"), "cannot be read"),
    ],
)
def test_command_line_names_mistakes(here, arguments, word):
    done = here("generate", *arguments)
    assert done.returncode == 2
    assert word in done.stderr


def test_command_line_refuses_controls_that_the_bundle_cannot_obey(here, tmp_path):
    from motion_engine import bundle

    file = tmp_path / "path.json"
    file.write_text(json.dumps([PATH]))
    done = here("generate", "a person walks", "--control", file, "--out", tmp_path / "clip.npz")
    if bundle.find(None).can_control:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2 and "control network" in done.stderr
