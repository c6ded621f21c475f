# SPDX-License-Identifier: GPL-3.0-or-later
"""Single punches, cut from clips of many."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import features
from motion_engine import quaternion as quat
from motion_engine.kinematics import kinematics
from motion_engine.motion import Motion
from training.data.motion_set import MotionSet, Window
from training.data.strikes import FAST, STRIKES, strike_items

FPS = 20.0
LEFT, RIGHT = (16, 18, 1.0), (17, 19, -1.0)
BOXES = ("a person boxes with both fists in turn", "someone is boxing")


def boxing(strokes: dict[float, tuple[int, int, float]], seconds: float = 6.0) -> Motion:
    """Both arms folded before the shoulders; at each time the arm given there darts out and comes back."""
    time = np.arange(round(seconds * FPS)) / FPS
    rotations = np.zeros((len(time), 22, 4))
    rotations[..., 0] = 1
    for shoulder, elbow, side in (LEFT, RIGHT):
        out = sum(
            (np.exp(-(((time - at) / 0.12) ** 2)) for at, arm in strokes.items() if arm[0] == shoulder),
            start=np.zeros_like(time),
        )
        rotations[:, shoulder] = quat.about_axis(1, np.full(len(time), -side * 1.5))
        rotations[:, elbow] = quat.about_axis(1, -side * 2.5 * (1 - out))
    return Motion.from_rotations(rotations, np.tile([0.0, 0.95, 0.0], (len(time), 1)), FPS)


def motion_set(motion: Motion, *captions: str, split: str = "train") -> MotionSet:
    return MotionSet({"src/clip": motion}, [Window("src/clip", 0.0, motion.duration, split, captions)], FPS)


def test_every_clip_holds_one_stroke_of_the_arm_that_its_captions_name():
    in_turn = boxing({1.0: LEFT, 2.5: RIGHT, 4.0: LEFT, 5.2: RIGHT})
    items = strike_items(motion_set(in_turn, *BOXES), 10, 196)
    assert len(items) == 20 and {item.source for item in items} == {STRIKES}
    seen = set()
    for item in items:
        measured = kinematics(features.decode(item.features, FPS))
        arms = {"left": measured.left_arm, "right": measured.right_arm}
        (side,) = {side for side in arms if f"{side} " in item.captions[0]}
        other = {"left": "right", "right": "left"}[side]
        assert arms[side].punches == 1 and arms[side].top_speed >= FAST and arms[other].punches == 0
        assert all(side in caption and other not in caption for caption in item.captions)
        seen.add(side)
    assert seen == {"left", "right"}


def test_a_named_punch_keeps_its_name():
    items = strike_items(motion_set(boxing({3.0: RIGHT}), "a person throws a right jab"), 4, 196)
    assert all("jab" in item.captions[0] for item in items)
    right = [item for item in items if not item.clip.endswith("mirrored")]
    assert right and all("right" in item.captions[0] for item in right)


@pytest.mark.parametrize(
    ("strokes", "caption", "split"),
    [
        pytest.param({3.0: RIGHT}, "a person boxes", "test", id="held out"),
        pytest.param({}, "a person boxes", "train", id="nothing fast"),
        pytest.param({3.0: RIGHT}, "a person waves", "train", id="no fight"),
        pytest.param({3.0: RIGHT, 3.1: LEFT}, "a person boxes", "train", id="both at once"),
    ],
)
def test_nothing_is_made_of_other_clips(strokes, caption, split):
    assert strike_items(motion_set(boxing(strokes), caption, split=split), 4, 196) == []


def test_the_same_clips_every_time():
    found = motion_set(boxing({1.0: LEFT, 3.0: RIGHT}), *BOXES)
    first, second = strike_items(found, 3, 196), strike_items(found, 3, 196)
    assert [item.captions for item in first] == [item.captions for item in second]
    assert all(np.array_equal(a.features, b.features) for a, b in zip(first, second, strict=True))
    assert strike_items(found, 0, 196) == []
