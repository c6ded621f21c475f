# SPDX-License-Identifier: GPL-3.0-or-later
"""Where long clips are cut, what their summary says, and which tags a clip gets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from clips import standing

from motion_engine import quaternion as quat
from motion_engine.captioning.segments import LONGEST, SHORTEST, cut, motion_energy, novelty
from motion_engine.captioning.summary import summarise
from motion_engine.captioning.tags import TAGS, tags
from motion_engine.kinematics import kinematics
from motion_engine.motion import Motion

RATE = 5.0


def energy_with_rests(seconds: float, rests: list[float]) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    energy = np.ones(len(time))
    for rest in rests:
        energy *= 1 - np.exp(-(((time - rest) / 0.3) ** 2))
    return energy


def test_a_clip_of_one_part_is_not_cut():
    for seconds in (0.4, 2.0, 6.0, 9.8):
        count = round(seconds * RATE)
        assert cut(np.random.default_rng(0).random(count), np.zeros((count, 3)), RATE) == [(0, count)]


@pytest.mark.parametrize("seconds", [10.0, 11.6, 13.0, 19.8, 30.0, 60.0])
def test_parts_are_neither_short_nor_long_and_cover_the_clip(seconds: float):
    random = np.random.default_rng(round(seconds))
    count = round(seconds * RATE)
    parts = cut(random.random(count), random.standard_normal((count, 4)), RATE)
    assert parts[0][0] == 0 and parts[-1][1] == count
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert all(SHORTEST <= (last - first) / RATE <= LONGEST + 1e-6 for first, last in parts)


def test_cuts_lie_where_the_body_rests():
    rests = [6.0, 13.0, 18.0]
    parts = cut(energy_with_rests(24.0, rests), np.zeros((120, 2)), RATE)
    assert [last / RATE for _, last in parts[:-1]] == pytest.approx(rests, abs=0.4)


def test_cuts_lie_where_the_motion_becomes_another():
    latents = np.zeros((80, 3))
    latents[35:] = (1.0, -1.0, 2.0)  # at second 7 of 16
    parts = cut(np.ones(80), latents, RATE)
    assert [last / RATE for _, last in parts[:-1]] == [7.0]
    change = novelty(latents, 5)
    assert change.argmax() == 35 and change.max() == pytest.approx(1.0)


def test_energy_is_the_mean_speed():
    joints = standing().joints + np.arange(40)[:, None, None] * np.array([0.03, 0.0, 0.04])
    np.testing.assert_allclose(motion_energy(joints, 20.0), 1.0, atol=1e-3)
    np.testing.assert_allclose(motion_energy(joints, 60.0), 3.0, atol=3e-3)
    assert motion_energy(standing().joints, 20.0).max() == pytest.approx(0.0, abs=1e-6)


def test_summary_says_the_subject_once():
    assert summarise(["a person walks forward."]) == "a person walks forward"
    assert summarise(["a person walks forward", "a person walks forward", "the man then sits down",
                      "someone is waving"]) == "a person walks forward, then sits down, then waving"  # fmt: skip
    assert summarise([]) == ""
    assert summarise([f"a person does thing {i}" for i in range(20)]).count("then") == 5


def walking(n_frames: int = 80, speed: float = 1.2, turn: float = 0.0) -> Motion:
    """Legs swing, the pelvis goes ahead and turns by ``turn`` degrees in all."""
    time = np.arange(n_frames) / 20.0
    rotations = np.tile(quat.IDENTITY, (n_frames, 22, 1))
    swing = 0.5 * np.sin(2 * np.pi * 0.9 * time)
    rotations[:, 1], rotations[:, 2] = quat.about_axis(0, -swing), quat.about_axis(0, swing)
    lift = np.maximum(np.cos(2 * np.pi * 0.9 * time), 0)
    rotations[:, 4] = quat.about_axis(0, 0.9 * lift)
    rotations[:, 5] = quat.about_axis(0, 0.9 * np.maximum(-np.cos(2 * np.pi * 0.9 * time), 0))
    angle = np.radians(turn) * time / time[-1]
    rotations[:, 0] = quat.about_axis(1, angle)
    step = speed / 20.0 * np.stack([np.sin(angle), np.zeros(n_frames), np.cos(angle)], axis=-1)
    root = np.cumsum(step, axis=0) + [0, 0.95, 0]
    return Motion.from_rotations(rotations, root, 20.0).canonical()


def waving(side: str) -> Motion:
    """One arm up, waving."""
    time = np.arange(80) / 20.0
    motion = standing(80)
    rotations = motion.rotations.astype(float)
    shoulder, elbow, sign = (16, 18, 1.0) if side == "left" else (17, 19, -1.0)
    other = 17 if side == "left" else 16
    rotations[:, other] = quat.about_axis(2, sign * 1.3)
    rotations[:, shoulder] = quat.about_axis(2, np.full(80, sign * 0.6))
    rotations[:, elbow] = quat.about_axis(2, sign * (0.8 + 0.6 * np.sin(2 * np.pi * 1.5 * time)))
    return Motion.from_rotations(rotations, motion.root, 20.0)


def test_tags_from_measures_alone():
    straight = tags("", kinematics(walking()))
    assert "walk" in straight and "forward" in straight and "turn" not in straight
    assert {"turn", "left"} <= set(tags("", kinematics(walking(turn=120))))
    assert {"turn", "right"} <= set(tags("", kinematics(walking(turn=-120))))
    assert "backward" in tags("", kinematics(walking(speed=-1.0)))
    assert tags("", kinematics(standing())) == ["idle"]
    assert "left hand" in tags("", kinematics(waving("left")))
    assert "right hand" in tags("", kinematics(waving("right")))


def test_tags_from_words_unless_the_measures_speak_against_them():
    still, walk = kinematics(standing()), kinematics(walking())
    assert {"throw", "slow"} <= set(tags("a man slowly throws a ball", still))
    assert "catch" in tags("someone is catching something", walk)
    assert "sit" not in tags("a person sits down", walk), "the pelvis stays up"
    assert "backward" not in tags("a person walks backwards", walk)
    assert "left hand" not in tags("waves with the left hand", kinematics(waving("right")))
    assert "kick" not in tags("a person kickstarts", still)


def test_tags_keep_their_order_and_have_names_of_their_own():
    names = [tag.name for tag in TAGS]
    assert len(names) == len(set(names))
    found = tags("a person waves, then walks to the left and jumps", kinematics(walking()))
    assert found == sorted(found, key=names.index)
