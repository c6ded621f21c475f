# SPDX-License-Identifier: GPL-3.0-or-later
"""The samplers on networks that are formulas: data of known mean, for which the perfect network is known."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine.samplers import emdm, mld, motionlcm
from motion_engine.samplers.schedule import ALPHA_BAR, clean_and_noise

TARGET = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(1, 6, 4)


def perfect(latents, time, prediction):
    """Output of a network that knows that the clean latents are TARGET."""
    a = ALPHA_BAR[time]
    epsilon = (latents - np.sqrt(a) * TARGET) / np.sqrt(1 - a)
    return epsilon if prediction == "epsilon" else np.sqrt(a) * epsilon - np.sqrt(1 - a) * TARGET


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_output_tells_clean_latents_and_noise(prediction):
    noise = np.random.default_rng(0).standard_normal(TARGET.shape)
    for time in (1, 299, 999):
        noisy = np.sqrt(ALPHA_BAR[time]) * TARGET + np.sqrt(1 - ALPHA_BAR[time]) * noise
        clean, epsilon = clean_and_noise(noisy, perfect(noisy, time, prediction), time, prediction)
        np.testing.assert_allclose(clean, TARGET, atol=1e-4)
        np.testing.assert_allclose(epsilon, noise, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 10])
def test_motionlcm_reaches_the_data_in_any_number_of_steps(steps):
    random = np.random.default_rng(0)
    seen = []

    def network(latents, time, w):
        seen.append((time, w))
        return perfect(latents, time, "v")

    result = motionlcm.sample(
        network, random.standard_normal(TARGET.shape), lambda: random.standard_normal(TARGET.shape),
        motionlcm.time_steps(steps, 10), scale=4.0, prediction="v",
    )  # fmt: skip
    np.testing.assert_allclose(result, TARGET, atol=1e-3)
    assert len(seen) == steps and seen[0][0] == 999 and all(w == 3.0 for _, w in seen)


def test_mld_reaches_the_data_and_guides():
    calls = []

    def network(latents, time, with_prompt):
        calls.append(with_prompt)
        return perfect(latents, time, "v")

    noise = np.random.default_rng(0).standard_normal(TARGET.shape)
    result = mld.sample(network, noise, mld.time_steps(50), scale=3.0, prediction="v")
    # the last step ends at the schedule's first level, which still holds 3 % of noise
    np.testing.assert_allclose(result, TARGET, atol=0.1)
    assert calls == [True, False] * 50


@pytest.mark.parametrize(("steps", "levels"), [(1, 1), (4, 4), (2, 4), (1, 10), (3, 10), (10, 10)])
def test_emdm_ends_at_what_the_generator_draws(steps, levels):
    """A generator that draws one of two clips by the sign of its z: each sample is one of them, not their mean."""
    random = np.random.default_rng(0)
    seen = []

    def network(noisy, time, with_prompt, z):
        seen.append((time, with_prompt, z))
        return np.sign(z[:, :1, None]) * TARGET

    result = emdm.sample(
        network, random.standard_normal((8, 6, 4)), lambda: random.standard_normal((8, 2)),
        lambda: random.standard_normal((8, 6, 4)), emdm.time_steps(steps, levels), levels, 3.0,
    )  # fmt: skip
    np.testing.assert_allclose(np.abs(result), np.abs(np.tile(TARGET, (8, 1, 1))), atol=1e-6)
    assert len(seen) == 2 * steps and seen[0][0] == levels - 1
    for (time, told, z), (same_time, other, same_z) in zip(seen[::2], seen[1::2], strict=True):
        assert (told, other) == (True, False) and time == same_time and z is same_z


@pytest.mark.parametrize(("high", "low"), [(4, 3), (4, 1), (2, 1), (3, 0)])
def test_a_step_of_emdm_keeps_the_marginal_distribution(high, low):
    """From a level's distribution, with the true clean data, the posterior leads to that of the lower level."""
    shares = emdm.alpha_bar(4)
    of_clean, of_noisy, variance = emdm.posterior(4, high, low)
    assert of_clean + of_noisy * shares[high] ** 0.5 == pytest.approx(shares[low] ** 0.5)
    assert of_noisy**2 * (1 - shares[high]) + variance == pytest.approx(1 - shares[low], abs=1e-12)


def test_emdm_stops_between_steps():
    calls = []

    def stop(step, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emdm.sample(
            lambda x, t, c, z: calls.append(t) or x, np.zeros((1, 2, 3)), lambda: np.zeros((1, 2)),
            lambda: np.zeros((1, 2, 3)), emdm.time_steps(4, 4), 4, 1.0, stop,
        )  # fmt: skip
    assert calls == [3]


def test_time_steps():
    assert mld.time_steps(50)[:2] == [981, 961] and mld.time_steps(50)[-1] == 1
    assert motionlcm.time_steps(1, 10) == [999]
    assert motionlcm.time_steps(4, 10) == [999, 799, 499, 299]
    assert emdm.time_steps(10, 10) == list(range(9, -1, -1))
    assert emdm.time_steps(2, 4) == [3, 1] and emdm.time_steps(1, 4) == [3]
    for wrong in (0, -1, 5):
        with pytest.raises(ValueError, match="1 to 4 steps"):
            emdm.time_steps(wrong, 4)
    with pytest.raises(ValueError, match="takes 1 step, not 2"):
        emdm.time_steps(2, 1)
    for wrong in (0, -1, 11):
        with pytest.raises(ValueError, match="1 to 10 steps"):
            motionlcm.time_steps(wrong, 10)


def test_progress_is_told_after_each_step():
    told = []
    mld.sample(
        lambda z, t, c: perfect(z, t, "v"),
        np.zeros(TARGET.shape),
        mld.time_steps(5),
        1.0,
        "v",
        lambda i, n: told.append((i, n)),
    )
    assert told == [(i, 5) for i in range(1, 6)]
