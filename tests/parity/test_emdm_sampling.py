# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM's schedule, diffusion, posterior and guided loop agree with arrays from the official implementation."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the papers' networks need torch")

import torch
from official import close
from test_emdm_networks import HEADS, arrays, frames_last, official_axes

from motion_engine.runtime.torch.paper.emdm import Generator, GeneratorSizes
from motion_engine.samplers import emdm
from training.denoising_gan import Diffusion


@pytest.fixture(scope="module")
def folder(goldens):
    return goldens("emdm_t2m")


@pytest.fixture(scope="module")
def given(folder):
    return arrays(folder, "inputs_generator")


@pytest.fixture(scope="module")
def outputs(folder):
    return dict(np.load(folder / "outputs_generator.npz"))


@pytest.fixture(scope="module")
def generator(folder):
    weights = arrays(folder, "small_weights_generator")
    network = Generator(GeneratorSizes.of(weights, HEADS))
    network.load_state_dict(weights)
    return network.eval()


@pytest.mark.parametrize("levels", [1, 4, 5, 10, 20, 50])
def test_schedule(outputs, levels):
    def check(name, found):
        close(found, outputs[f"T{levels}_{name}"], name=name)

    betas, shares = emdm.betas(levels), emdm.alpha_bar(levels)
    check("betas_full", betas)
    # the official table begins with a trace of noise at level 0, which single precision rounds away
    np.testing.assert_allclose(betas[1:] ** 0.5, outputs[f"T{levels}_sigmas"][1:], rtol=1e-5)
    check("a_s", (1 - betas) ** 0.5)
    check("alphas_cumprod", shares[1:])
    check("alphas_cumprod_prev", shares[:-1])
    diffusion = Diffusion(levels)
    check("a_s_cum", diffusion.signal)
    check("sigmas_cum", diffusion.sigma)
    steps = np.array([emdm.posterior(levels, k + 1, k) for k in range(levels)])
    check("posterior_mean_coef1", steps[:, 0])
    check("posterior_mean_coef2", steps[:, 1])
    check("posterior_variance", steps[:, 2])
    check("posterior_log_variance_clipped", np.log(np.maximum(steps[:, 2], 1e-20)))


def test_pairs_of_noisy_data(given, outputs):
    x0, time = frames_last(given["q_x0"]), given["q_t"]
    noises = (frames_last(given["q_noise_for_x_t"]), frames_last(given["q_noise_for_x_tplus1"]))
    earlier, later = Diffusion(10).pair(x0, time, *noises)
    close(official_axes(earlier), outputs["q_x_t"])
    close(official_axes(later), outputs["q_x_tplus1"])


def test_posterior_sample(given, outputs):
    x0, time, noise = (
        frames_last(given["q_x0"]), given["q_t"], frames_last(given["posterior_noise"]),
    )  # fmt: skip
    _, later = Diffusion(10).pair(
        x0, time, frames_last(given["q_noise_for_x_t"]), frames_last(given["q_noise_for_x_tplus1"])
    )
    close(official_axes(Diffusion(10).step_back(x0, later, time, noise)), outputs["posterior_sample"])


@torch.no_grad()
def loop(generator, given, levels, scale):
    """What the loop returns, and what the network was given and said at each step."""
    text = given["text_feat"][:, None]
    seen, said = [], []

    def network(x, time, with_prompt, z):
        condition = text if with_prompt else torch.zeros_like(text)
        if with_prompt:
            seen.append(x)
        time = torch.full((len(x),), time)
        out = generator(torch.from_numpy(x), time, condition, torch.from_numpy(z)).numpy()
        said.append(out)
        return out

    def stored(name):
        rows = iter(given[f"sample{levels}_{name}"])
        return lambda: next(rows)

    noises = stored("noise")
    z = stored("z")
    result = emdm.sample(
        network,
        frames_last(given[f"sample{levels}_x_init"]).numpy(),
        lambda: z().numpy(),
        lambda: frames_last(noises()).numpy(),
        emdm.time_steps(levels, levels),
        levels,
        scale,
    )
    return result, seen, said


def test_guided_loop(generator, given, outputs):
    result, seen, said = loop(generator, given, 10, 2.5)
    guided = [u + np.float32(2.5) * (c - u) for c, u in zip(said[::2], said[1::2], strict=True)]
    stored = {  # "step5" is the step at t = 5, the fifth
        "final": result, "x0_pred_first": guided[0], "x_after_first_step": seen[1],
        "x0_pred_step5": guided[4], "x_after_step5": seen[5],
    }  # fmt: skip
    for name, found in stored.items():
        close(official_axes(torch.from_numpy(found)), outputs[f"sample10_{name}"], name=name)
    assert len(said) == 20


def test_loop_of_five_steps_and_loop_without_guidance(generator, given, outputs):
    close(official_axes(torch.from_numpy(loop(generator, given, 5, 2.5)[0])), outputs["sample5_final"])
    result, _, said = loop(generator, given, 10, 1.0)
    close(official_axes(torch.from_numpy(result)), outputs["sample10_final_scale1"])
    assert len(said) == 10, "a guidance of 1 needs no second pass"
