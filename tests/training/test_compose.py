# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips and captions made of two."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import features
from motion_engine import quaternion as quat
from motion_engine.motion import Motion
from training.data.compose import JOINED, LAYERED, arms_onto, composed_items
from training.data.loader import change_tempo
from training.data.motion_set import MotionSet, Window
from training.data.sentences import gerund, split_subject


def body(frames: int, speed: float = 0.0, arm: float = 0.0) -> Motion:
    """Glides forward at ``speed`` m/s with the arms down; the right one swings up by ``arm`` radians."""
    rotations = np.zeros((frames, 22, 4))
    rotations[..., 0] = 1
    time = np.arange(frames) / 20
    rotations[:, 16] = quat.about_axis(2, np.full(frames, -1.3))
    rotations[:, 17] = quat.about_axis(2, 1.3 - arm * np.sin(np.pi * time / time[-1]))
    root = np.stack([0 * time, 0 * time + 0.95, speed * time], axis=-1)
    return Motion.from_rotations(rotations, root, 20.0)


@pytest.mark.parametrize(
    ("caption", "parts"),
    [
        ("a person walks forward quickly", ("a person", "walks forward quickly")),
        ("the man bends down", ("the man", "bends down")),
        ("a lively young person waves.", ("a lively young person", "waves")),
        ("someone slowly raises a hand", ("someone slowly", "raises a hand")),
        ("with the arms raised, a person squats", None),
        ("a person in a fighting stance leans", None),
        ("someone is running", None),
    ],
)
def test_subject_and_predicate(caption, parts):
    assert split_subject(caption) == parts


@pytest.mark.parametrize(
    ("predicate", "participle"),
    [
        ("waves the right hand", "waving the right hand"),
        ("claps", "clapping"),
        ("runs and turns left", "running and turning left"),
        ("carries a box", "carrying a box"),
        ("lies down", "lying down"),
        ("punches twice", "punching twice"),
        ("raises both arms and lowers them", "raising both arms and lowering them"),
    ],
)
def test_gerund(predicate, participle):
    assert gerund(predicate) == participle


@pytest.fixture
def small_set() -> MotionSet:
    motions = {"walks/a": body(80, speed=1.2), "waves/b": body(60, arm=2.0)}
    windows = [
        Window("walks/a", 0.0, 4.0, "train", ("a person walks forward", "someone walks straight ahead")),
        Window("waves/b", 0.0, 3.0, "train", ("the man raises the right hand",)),
    ]
    return MotionSet(motions, windows, 20.0)


def test_composed_clips_say_then_and_while_and_come_mirrored(small_set):
    items = composed_items(small_set, joined=4, layered=3, max_frames=196)
    assert [item.source for item in items].count(JOINED) == 8
    assert [item.source for item in items].count(LAYERED) == 6
    joined = [item for item in items if item.source == JOINED]
    assert all("then" in caption for item in joined for caption in item.captions)
    layered = next(item for item in items if item.source == LAYERED)
    assert "a person walks forward while raising the right hand" in layered.captions
    assert all(len(item.features) <= 196 for item in items)
    mirrored = next(i for i in items if i.source == LAYERED and i.clip.endswith("mirrored"))
    assert "a person walks forward while raising the left hand" in mirrored.captions
    again = composed_items(small_set, joined=4, layered=3, max_frames=196)
    assert all(a.captions == b.captions and np.array_equal(a.features, b.features)
               for a, b in zip(items, again, strict=True))  # fmt: skip


def test_arm_of_one_clip_moves_on_the_legs_of_another():
    walk, raise_right = body(80, speed=1.2), body(60, arm=2.5)
    both = arms_onto(walk, raise_right, delay=10)
    np.testing.assert_allclose(both.joints[:, [7, 8, 20]], walk.joints[:, [7, 8, 20]], atol=1e-5)
    assert both.joints[40, 21, 1] > both.joints[40, 17, 1], "the right hand is up in the middle"
    assert both.joints[-1, 21, 1] < both.joints[-1, 17, 1] - 0.3, "and down in the end"


def test_tempo_changes_length_and_speed_alike():
    rows = features.encode(body(81, speed=1.0))
    faster = change_tempo(rows, 1.25)
    assert len(faster) == round(79 / 1.25) + 1
    path, path_faster = features.recover_root(rows)[1], features.recover_root(faster)[1]
    assert path_faster[-1, 2] == pytest.approx(path[-1, 2], abs=0.08)
    np.testing.assert_array_equal(change_tempo(rows, 1.0), rows)
