# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts done several times, walks at another pace, captions in other words, captions that hold for parts."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import features
from motion_engine import quaternion as quat
from motion_engine.kinematics import kinematics
from motion_engine.motion import Motion
from training.data.motion_set import Item, MotionSet, Window
from training.data.repeat import REPEATED, repeated_items
from training.data.reword import reword, reworded
from training.data.sentences import holds_for_parts
from training.data.training_items import PACED, paced_walks

FPS = 20.0


def arm_raise(seconds: float = 2.0) -> Motion:
    """The right arm goes up to over the shoulder once; the rest stands."""
    frames = round(seconds * FPS)
    rotations = np.zeros((frames, 22, 4))
    rotations[..., 0] = 1
    swing = np.sin(np.pi * np.linspace(0, 1, frames)) ** 2
    rotations[:, 16] = quat.about_axis(2, np.full(frames, -1.4))
    rotations[:, 17] = quat.about_axis(2, 1.4 - 2.2 * swing)
    return Motion.from_rotations(rotations, np.tile([0.0, 0.95, 0.0], (frames, 1)), FPS)


@pytest.fixture
def one_raise() -> MotionSet:
    captions = ("a person raises the right arm", "someone lifts the right hand and lowers it")
    motions = {"src/raise": arm_raise()}
    return MotionSet(motions, [Window("src/raise", 0.0, 2.0, "train", captions)], FPS)


def test_an_act_is_repeated_as_often_as_its_captions_say(one_raise):
    items = repeated_items(one_raise, 8, 196)
    assert len(items) == 16
    assert {item.source for item in items} == {REPEATED}
    words = {
        1: ("once", "one time"),
        2: ("twice", "two times"),
        3: ("three times",),
        4: ("four times",),
        5: ("five times",),
    }
    counts = set()
    for item in items:
        side = "left" if item.clip.endswith("mirrored") else "right"
        measured = kinematics(features.decode(item.features, FPS))
        count = getattr(measured, f"{side}_arm").raises
        assert len(item.features) <= 196
        for caption in item.captions:
            assert side in caption
            assert any(word in caption for word in words[count]), caption
        counts.add(count)
    assert len(counts) > 1
    assert any(c.startswith("a person raises the right arm ") for i in items for c in i.captions)


def test_repeated_items_are_the_same_for_the_same_seed(one_raise):
    first, again = (repeated_items(one_raise, 3, 196, seed=5) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert a.captions == b.captions


def test_nothing_to_repeat_is_no_error(one_raise):
    assert repeated_items(one_raise, 0, 196) == []
    silent = MotionSet(one_raise.motions, [Window("src/raise", 0.0, 2.0, "train", ("a dance",))], FPS)
    assert repeated_items(silent, 5, 196) == []


def test_walks_are_called_what_their_pace_is():
    glide = np.stack([np.zeros(80), np.full(80, 0.95), 1.0 / FPS * np.arange(80)], axis=-1)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (80, 22, 1))
    rows = features.encode(Motion.from_rotations(still, glide, FPS))
    walks = [Item(rows, ("a person walks forward",), "walks", "walks/a")]
    made = paced_walks(walks, 6, FPS, 196, np.random.default_rng(0))
    assert made
    for item in made:
        speed = kinematics(features.decode(item.features, FPS)).travel.moving_speed
        assert item.source == PACED
        assert speed <= 0.75 or speed >= 1.3
        assert len(item.captions[0]) > len("a person walks forward ")


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        ("a person turns to the left", "left"),
        ("someone throws a right jab", "right"),
        ("a man walks backward", "man"),
    ],
)
def test_other_words_keep_side_and_sense(caption, kept):
    random = np.random.default_rng(0)
    made = {reword(caption, random) for _ in range(30)}
    assert len(made) > 3
    assert caption not in made
    for variant in made:
        assert variant is not None
        if kept != "man":
            assert kept in variant
        assert "{" not in variant


def test_nouns_are_no_verbs():
    random = np.random.default_rng(0)
    for caption in ("a person does three squats", "karate punches in a row", "a figure plays the flute"):
        assert reword(caption, random) is None
    assert reworded(["a figure plays the flute"], 2, random) == []


@pytest.mark.parametrize(
    ("caption", "holds"),
    [
        ("a person walks forward", True),
        ("a person jumps three times", False),
        ("a person walks, then sits", False),
        ("someone makes a turn to the left", False),
    ],
)
def test_which_sentences_hold_for_a_part_of_a_clip(caption, holds):
    assert holds_for_parts(caption) is holds
