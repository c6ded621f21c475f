# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import acted
import pytest

from motion_engine.kinematics import kinematics
from training.prompt_suite import (
    PARTS,
    Prompt,
    SuiteResult,
    in_words,
    is_met,
    load_suite,
    measure,
    parts_of,
    score_motions,
)
from training.prompt_suite_report import write_suite


@pytest.fixture(scope="module")
def suite():
    return {prompt.id: prompt for prompt in load_suite()}


def row(prompt: Prompt, *motions, counted: bool = True):
    return score_motions(prompt, [measure(m, parts_of(prompt)) for m in motions], None, counted)


def test_the_suite_is_large_and_sound(suite):
    assert len(suite) >= 120 and sum(p.contained for p in suite.values()) >= 100
    assert len({p.prompt for p in suite.values()}) == len(suite)
    assert len({p.group for p in suite.values()}) >= 10
    for prompt in suite.values():
        assert prompt.expect and 1.0 <= prompt.duration <= 9.8
        assert not (prompt.contained and prompt.styles)


def test_every_measure_exists(suite):
    measured = kinematics(acted.pose())
    for prompt in suite.values():
        for expected in prompt.expect:
            for part in expected.get("any", [expected]):
                measured.value(part["measure"])
            assert in_words(expected)


@pytest.mark.parametrize(
    ("name", "motion", "other"),
    [
        ("walk", acted.walk, acted.pose),
        ("walk_back", lambda: acted.walk(forward=-0.8), acted.walk),
        ("side_left", lambda: acted.walk(forward=0, left=0.6), lambda: acted.walk(forward=0, left=-0.6)),
        ("turn_90_left", lambda: acted.walk(turn=90), lambda: acted.walk(turn=-90)),
        ("jump_three", lambda: acted.jump(3), lambda: acted.jump(2)),
        ("squat_twice", lambda: acted.squat(2), lambda: acted.squat(3)),
        ("wave_right", lambda: acted.raise_arm("right", 4.0, swings=1.5), lambda: acted.raise_arm("left", 4.0)),
    ],
)  # fmt: skip
def test_acted_prompts_pass_and_others_fail(suite, name, motion, other):
    assert row(suite[name], motion()).score == 1.0
    failed = row(suite[name], motion(), other())
    assert failed.passed == (True, False) and failed.score == 0.5 and failed.misses


def test_parts_and_alternatives():
    motion = acted.raise_arm("left", 4.0)
    measured = measure(motion, set(PARTS))
    assert is_met({"measure": "left_arm.highest", "below": -0.3, "part": "first_quarter"}, measured) is False
    assert is_met({"measure": "right_arm.highest", "below": -0.3, "part": "first_quarter"}, measured)
    either = {"any": [{"measure": f"{side}_arm.highest", "above": 0.1} for side in ("right", "left")]}
    assert is_met(either, measured)


def test_comparisons_between_prompts():
    slow, fast = measure(acted.walk(forward=0.6)), measure(acted.walk(forward=1.2))
    faster = {"measure": "travel.moving_speed", "more_than": "slow", "by": 1.2}
    assert is_met(faster, fast, {"slow": [slow]}) and not is_met(faster, slow, {"slow": [fast]})


def test_result_counts_what_the_data_shows(suite, tmp_path):
    rows = (
        row(suite["walk"], acted.walk()),
        row(suite["walk_back"], acted.walk()),
        row(suite["march"], acted.pose(), counted=False),
    )
    result = SuiteResult("tiny 1", "formula", 1, rows, {"walk_back": [acted.walk()]})
    assert result.share == 0.5 and result.groups["locomotion"][2:] == (2, 3)
    assert [r.prompt.id for r in result.failing()] == ["walk_back", "march"]
    write_suite(result, tmp_path)
    assert json.loads((tmp_path / "suite.json").read_text())["share"] == 0.5
    assert "50.0 %" in (tmp_path / "suite.md").read_text()
    assert (tmp_path / "failing_1.png").exists() and not (tmp_path / "failing_2.png").exists()


def test_a_damaged_suite_is_refused(tmp_path):
    entry = {"id": "a", "prompt": "x", "duration": 2, "group": "g", "contained": True}
    for expect, words in (
        ({"measure": "steps"}, "no bound"),
        ({"measure": "steps", "above": 1, "part": "middle"}, "no part"),
        ({"measure": "steps", "more_than": "b"}, "no prompt 'b'"),
        ({"measure": "steps", "over": 1}, "unknown key"),
    ):
        path = tmp_path / "suite.json"
        path.write_text(json.dumps({"schema": 1, "prompts": [{**entry, "expect": [expect]}]}))
        with pytest.raises(ValueError, match=words):
            load_suite(path)
