# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import acted
import numpy as np
import pytest

from training.data.describe import MOST, describe
from training.data.describe_phrases import PHRASES, WHILE


def said(motion, *base: str) -> str:
    """All that is said about a motion with many seeds, as one text."""
    return " ; ".join(c for seed in range(25) for c in describe(motion, base, np.random.default_rng(seed)))


def test_the_same_seed_says_the_same():
    first, again = (describe(acted.walk(), ["x"], np.random.default_rng(3)) for _ in range(2))
    assert first == again and 0 < len(first) <= MOST


def test_walking_directions():
    forward = said(acted.walk(seconds=3.2), "a person walks")
    assert "forward" in forward and "backward" not in forward and "run" not in forward
    assert "six steps" in forward
    backward = said(acted.walk(forward=-0.8), "a person walks")
    assert "backward" in backward and "forward" not in backward
    left = said(acted.walk(forward=0.0, left=0.6), "a person moves")
    assert "to the left" in left and "right" not in left and "forward" not in left


@pytest.mark.parametrize(
    ("turn", "side", "words"), [(90, "left", "ninety degrees"), (-180, "right", "turns around")]
)
def test_turns(turn, side, words):
    text = said(acted.walk(turn=turn), "a person walks along")
    assert words in text and side in text and ("right" if side == "left" else "left") not in text


def test_two_things_at_once():
    text = said(acted.walk(right_shoulder=(0, 0, -60)), "a person walks")
    assert "right hand up" in text and "walks" in text
    assert "left" not in text


def test_waving_is_said_only_where_a_caption_says_it():
    motion = acted.raise_arm("left", swings=1.5, seconds=4.0)
    assert "waves with the left hand" in said(motion, "a person waves")
    other = said(motion, "a person lifts a weight")
    assert "wave" not in other and "left" in other


def test_a_caption_about_the_other_side_is_not_contradicted():
    assert "left" not in said(acted.raise_arm("left"), "a person raises the right hand")


def test_counts():
    assert "jumps twice in place" in said(acted.jump(2), "a person jumps")
    assert "squats three times" in said(acted.squat(3), "someone squats")
    assert "sits down and stands up twice" in said(acted.squat(2), "someone sits and stands")


def test_nothing_is_said_where_nothing_is_clear():
    assert describe(acted.jump(1), ["a person dances"], np.random.default_rng(0)) == []


def test_subjects_agree_with_the_captions():
    woman = said(acted.walk(), "a woman walks")
    assert " woman " in woman and not re.search(r"\b(man|he|guy)\b", woman)
    assert "woman" not in said(acted.walk(), "a person walks") + said(acted.walk(), "a man walks")


def test_base_captions_are_not_repeated():
    motion = acted.walk(turn=90)
    base = describe(motion, ["x"], np.random.default_rng(0))
    assert not set(base) & set(describe(motion, base, np.random.default_rng(0)))


def test_phrases_are_filled_in_and_lower_case():
    for phrase in [p for bank in (PHRASES, WHILE) for phrases in bank.values() for p in phrases]:
        filled = phrase.format(side="left", count="two", times="twice")
        assert filled == filled.lower() and "{" not in filled
