# SPDX-License-Identifier: GPL-3.0-or-later
"""What sentences let one expect, and whether acted motions do it."""

from __future__ import annotations

import acted
import numpy as np
import pytest

from motion_engine.expected import Bound, Expectation, expectations, shortfall, unmet
from motion_engine.expected.sentence import echoes
from motion_engine.kinematics import kinematics


def names(sentence: str) -> list[str]:
    return [expectation.name for expectation in expectations(sentence)]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a person walks forward", ["goes forward", "walks"]),
        ("Someone backs away.", ["goes backward"]),
        ("a person runs very fast", ["runs"]),
        ("a man walks quickly", ["walks", "walks quickly"]),
        ("a woman steps sideways to the left", ["steps to the left"]),
        ("he walks and makes a ninety degree right turn", ["walks", "turns right"]),
        ("a person walks, turns around and walks back", ["walks", "turns around"]),
        ("a dancer spins around", ["turns all the way"]),
        ("a person waves with the right hand", ["waves the right hand"]),
        ("a person raises both arms above the head", ["raises both hands"]),
        ("a person claps three times", ["claps 3 times"]),
        ("someone throws a left jab", ["strikes with the left hand"]),
        ("a person kicks with the left leg and then walks", ["walks", "kicks with the left leg"]),
        ("a person jumps twice", ["jumps twice"]),
        ("a person does three squats", ["squats 3 times"]),
        ("a person sits down", ["sits down", "stands at first"]),
        ("a person lying on the floor gets up", ["stands up"]),
        ("a person bows", ["bows"]),
        ("a person swings both arms back and forth", ["swings both arms"]),
        ("a person takes four steps forward", ["goes forward", "takes 4 steps"]),
        ("a person stands and looks around", ["looks around"]),
        ("a person turns the head to the left", ["turns the head"]),
    ],
)  # fmt: skip
def test_sentences_name_what_can_be_measured(sentence: str, expected: list[str]) -> None:
    assert names(sentence) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "blorp the zindle",
        "a person does not walk forward",
        "a person almost falls",
        "a person turns left, then turns right",
        "a person lifts the right arm backward",
        "a person raises the hands to the chest",
        "a person sits down on a high stool",
        "a person climbs up a ladder and turns left",
        "a person picks something up from the floor and rises",
        "a fighter in a guard steps forward",
    ],
)
def test_what_is_denied_undone_or_open_is_not_expected(sentence: str) -> None:
    assert names(sentence) == []


@pytest.mark.parametrize(
    ("sentence", "does", "does_not"),
    [
        ("a person walks forward", acted.walk, acted.pose),
        ("a person walks backward", lambda: acted.walk(forward=-0.8), acted.walk),
        ("a person walks and turns left", lambda: acted.walk(turn=90), lambda: acted.walk(turn=-90)),
        ("a person jumps twice", lambda: acted.jump(2), lambda: acted.jump(3)),
        ("a person squats three times", lambda: acted.squat(3), lambda: acted.squat(2)),
        (
            "a person waves the left hand",
            lambda: acted.raise_arm("left", 4.0, swings=1.5),
            lambda: acted.raise_arm("right", 4.0, swings=1.5),
        ),
        ("a person raises the right hand", lambda: acted.raise_arm("right"), lambda: acted.raise_arm("left")),
    ],
)
def test_acted_motions_are_told_from_others(sentence, does, does_not) -> None:
    expected = expectations(sentence)
    assert shortfall(expected, kinematics(does())) == 0 and unmet(expected, kinematics(does())) == []
    other = kinematics(does_not())
    assert shortfall(expected, other) > 0 and unmet(expected, other)


def test_clauses_that_say_nothing_new_are_echoes() -> None:
    assert echoes("a person climbs up and climbs") == 1
    assert echoes("a person walks forward, turns left and then walks forward") == 1
    assert echoes("a person walks forward and walks back") == 0
    assert echoes("") == 0


def test_less_off_is_better_and_all_off_is_one() -> None:
    expected = expectations("a person jumps three times")
    two, none = (shortfall(expected, kinematics(motion)) for motion in (acted.jump(2), acted.pose()))
    assert 0 < two < none == 1.0


def test_one_way_of_several_is_enough() -> None:
    measured = kinematics(acted.walk())
    far, near = Bound("travel.forward", 1e3), Bound("travel.forward", 0.5)
    assert Expectation("either", ((far,), (near,))).met(measured)
    assert not Expectation("both", ((far, near),)).met(measured)


def test_every_measure_exists() -> None:
    measured = kinematics(acted.pose())
    sentences = (
        "a person walks slowly", "a person kneels", "a person lies down", "a person crawls", "he leans to the left",
        "a person jumps up high", "a person jumps forward", "a person does jumping jacks", "a person throws a ball",
        "a person stands still", "a person raises the left knee", "a person raises the right leg", "a person crouches",
        "a person kicks a ball", "a person waves both hands", "a person turns to the right on the spot", "he jogs",
        "a person bends forward", "a person hops", "a person does a squat", "a person sits down and stands up again",
    )  # fmt: skip
    for sentence in sentences:
        assert expectations(sentence), sentence
        shortfall(expectations(sentence), measured)


@pytest.mark.parametrize(("degrees", "missing"), [(5.0, ["looks around"]), (40.0, [])])
def test_who_looks_around_turns_the_head(degrees: float, missing: list[str]) -> None:
    motion = acted.pose(head=acted.column(degrees * np.sin(2.0 * acted.time_of(3.0)), 1))
    assert unmet(expectations("a person looks around"), kinematics(motion)) == missing
