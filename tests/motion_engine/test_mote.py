# SPDX-License-Identifier: GPL-3.0-or-later
"""MoTe's one loop on a network that is a formula: motion and text whose joint distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine.samplers import mote
from motion_engine.samplers.schedule import ALPHA_BAR

MOTION = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 2, 4)
TEXT = np.linspace(2, -2, 12, dtype=np.float32).reshape(1, 3, 4)


def velocity(noisy: np.ndarray, clean: np.ndarray, time: int) -> np.ndarray:
    a = ALPHA_BAR[time]
    epsilon = (noisy - np.sqrt(a) * clean) / np.sqrt(1 - a)
    return np.sqrt(a) * epsilon - np.sqrt(1 - a) * clean


class Network:
    """Knows that motion and text are MOTION and TEXT; what it is asked is noted. Where the other side is left open,
    it says half of it."""

    def __init__(self) -> None:
        self.times: list[tuple[int, int]] = []

    def __call__(self, motion, text, motion_time, text_time):
        self.times.append((motion_time, text_time))
        m = MOTION * (0.5 if text_time == mote.OPEN else 1.0)
        t = TEXT * (0.5 if motion_time == mote.OPEN else 1.0)
        return velocity(motion, m, motion_time), velocity(text, t, text_time)


def noise(like: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(like.shape, dtype=np.float32)


def test_times_begin_at_pure_noise():
    assert mote.time_steps(4) == [999, 749, 499, 249]
    assert mote.time_steps(1) == [999]
    for steps in (0, 1001):
        with pytest.raises(ValueError, match="1 to 1000 steps"):
            mote.time_steps(steps)


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_text_given_motion(steps: int):
    network = Network()
    motion, text = mote.sample(
        network, mote.Side(MOTION, is_given=True), mote.Side(noise(TEXT, 0), is_sampled=True), steps
    )
    np.testing.assert_array_equal(motion, MOTION)
    np.testing.assert_allclose(text, TEXT, atol=2e-2)
    assert [m for m, _ in network.times] == [0] * steps
    assert [t for _, t in network.times] == mote.time_steps(steps)


def test_motion_given_text():
    motion, text = mote.sample(
        Network(), mote.Side(noise(MOTION, 0), is_sampled=True), mote.Side(TEXT, is_given=True), 5
    )
    np.testing.assert_allclose(motion, MOTION, atol=2e-2)
    np.testing.assert_array_equal(text, TEXT)


def test_both_together_go_down_together():
    network = Network()
    done = []
    motion, text = mote.sample(
        network, mote.Side(noise(MOTION, 0), is_sampled=True), mote.Side(noise(TEXT, 1), is_sampled=True), 10,
        lambda step, steps: done.append((step, steps)),
    )  # fmt: skip
    # the first step sees pure noise on the other side; the later ones set it right
    np.testing.assert_allclose(motion, MOTION, atol=5e-2)
    np.testing.assert_allclose(text, TEXT, atol=5e-2)
    assert all(m == t for m, t in network.times)
    assert done == [(i, 10) for i in range(1, 11)]


def test_motion_alone_leaves_the_text_open():
    network = Network()
    open_text = noise(TEXT, 1)
    motion, text = mote.sample(
        network, mote.Side(noise(MOTION, 0), is_sampled=True), mote.Side(open_text), 10
    )
    np.testing.assert_allclose(motion, 0.5 * MOTION, atol=2e-2)
    np.testing.assert_array_equal(text, open_text)
    assert {t for _, t in network.times} == {mote.OPEN}


def test_guidance_goes_away_from_what_is_said_without_the_other_side():
    network = Network()
    _, text = mote.sample(
        network,
        mote.Side(MOTION, is_given=True, open=noise(MOTION, 2)),
        mote.Side(noise(TEXT, 0), is_sampled=True, scale=3.0),
        4,
    )
    # half of it and all of it: 0.5 + 3 (1 - 0.5) = 2 times
    np.testing.assert_allclose(text, 2.0 * TEXT, atol=5e-2)
    assert [m for m, _ in network.times] == [0, mote.OPEN] * 4
