# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes that miss their words are drawn again."""

from __future__ import annotations

import acted
import numpy as np
import pytest

from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import Cancelled, EngineError
from motion_engine.expected import expectations
from motion_engine.kinematics import kinematics
from motion_engine.redraw import Judge, best_of_draws

TWICE = Judge(expectations("a person jumps twice"))


def drawing(*draws):
    """Draws of takes from a table, and the log of what was asked for."""
    asked = []

    def draw(takes, number):
        asked.append((list(takes), number))
        return [draws[number][take] for take in takes]

    return draw, asked


def test_only_takes_that_miss_their_words_are_drawn_again() -> None:
    first, second = acted.jump(2), acted.jump(2)
    draw, asked = drawing([first, acted.jump(1)], [None, second])
    kept = best_of_draws(TWICE, 2, 4, draw)
    assert kept[0] is first and kept[1] is second
    assert asked == [([0, 1], 0), ([1], 1)]
    assert [motion.provenance["draw"] for motion in kept] == [0, 1]
    assert [motion.provenance["draws"] for motion in kept] == [1, 2]
    assert all("unmet" not in motion.provenance for motion in kept)


def test_the_nearest_miss_is_kept_and_says_what_it_lacks() -> None:
    nearest = acted.jump(3)
    draw, asked = drawing([acted.pose()], [nearest], [acted.jump(5)])
    (kept,) = best_of_draws(TWICE, 1, 3, draw)
    assert kept is nearest and len(asked) == 3
    assert kept.provenance["draw"] == 1 and kept.provenance["draws"] == 3
    assert kept.provenance["unmet"] == ["jumps twice"]


def test_without_expectations_the_first_draw_is_kept() -> None:
    motion = acted.pose()
    draw, asked = drawing([motion])
    assert best_of_draws(Judge(), 1, 9, draw) == [motion] and len(asked) == 1
    assert (motion.provenance["draw"], motion.provenance["draws"]) == (0, 1)


def test_a_take_far_from_its_sentence_is_drawn_again_and_marked_if_none_is_near() -> None:
    takes = [acted.pose() for _ in range(3)]
    for take, fit in zip(takes, (0.1, 0.3, 0.6), strict=True):
        take.provenance["fit"] = fit
    draw, asked = drawing(*([take] for take in takes))
    assert best_of_draws(Judge(least_fit=0.5), 1, 9, draw) == [takes[2]] and len(asked) == 3
    assert "far" not in takes[2].provenance
    draw, asked = drawing(*([take] for take in takes))
    assert best_of_draws(Judge(least_fit=0.9), 1, 2, draw) == [takes[1]]
    assert takes[1].provenance["far"] is True


@pytest.fixture(scope="module")
def engine():
    return Engine.load(device="cpu")


def test_a_shipped_take_does_more_of_its_words_than_its_first_draw(engine) -> None:
    prompt = "a person walks straight ahead, makes a ninety degree left turn and keeps walking"
    asked = GenerateRequest(prompt, duration=5.5, count=5)
    assert engine.plan(asked).tries > 1
    turns = []
    for tries in (1, None):
        made = engine.generate(GenerateRequest(prompt, duration=5.5, count=5, tries=tries))
        turns.append([kinematics(motion).travel.turn for motion in made])
    first, kept = (np.array(turn) for turn in turns)
    fine = (first > 55) & (first < 125)
    assert not fine.all(), "this prompt shows nothing: all first draws are right"
    np.testing.assert_array_equal(first[fine], kept[fine])
    assert ((kept > 55) & (kept < 125)).sum() > fine.sum()


def test_the_same_seed_gives_the_same_kept_take(engine) -> None:
    asked = GenerateRequest("a person jumps three times", duration=4.0, seed=3)
    one, again = (engine.generate(asked)[0] for _ in range(2))
    assert one.provenance["draws"] > 1
    assert one.provenance["seed"] == 3 and one.provenance["draw"] == again.provenance["draw"]
    np.testing.assert_array_equal(one.joints, again.joints)


def test_progress_ends_once_and_cancelling_stops_further_draws(engine) -> None:
    prompt, told, questions = "a person jumps nine times", [], []
    asked = GenerateRequest(prompt, duration=2.0, tries=16)
    engine.generate(asked, on_progress=lambda step, steps: told.append((step, steps)))
    assert told == sorted(told) and told.count(told[-1]) == 1 and told[-1][0] == told[-1][1]

    def asks(limit: float) -> bool:
        questions.append(1)
        return len(questions) > limit

    engine.generate(GenerateRequest(prompt, duration=2.0, tries=1), is_cancelled=lambda: asks(np.inf))
    enough_for_one = len(questions)
    with pytest.raises(Cancelled):
        engine.generate(asked, is_cancelled=lambda: asks(2 * enough_for_one + 1))


def test_words_that_no_clip_was_told_by_are_doubted(engine) -> None:
    for prompt, is_far in (("a dog barks at the moon", True), ("a person walks forward", False)):
        (made,) = engine.generate(GenerateRequest(prompt, duration=3.0))
        assert made.provenance.get("far", False) is is_far
        assert (made.provenance["fit"] < engine.bundle.least_fit) is is_far
    (first,) = engine.generate(GenerateRequest("a dog barks at the moon", duration=3.0, tries=1))
    assert "fit" not in first.provenance and "draws" not in first.provenance


@pytest.mark.parametrize("tries", [0, -1, 17])
def test_a_wrong_number_of_tries_is_refused(engine, tries) -> None:
    with pytest.raises(EngineError, match="cannot be drawn") as refused:
        engine.plan(GenerateRequest("a person walks", tries=tries))
    assert refused.value.code == "bad_tries" and "1 to 16" in refused.value.fix
