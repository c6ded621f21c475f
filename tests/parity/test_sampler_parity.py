# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedule, embeddings and the MotionLCM loop agree with arrays produced by the official code."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine.samplers import motionlcm
from motion_engine.samplers.schedule import ALPHA_BAR


@pytest.fixture(scope="module")
def golden(goldens):
    folder = goldens("motionlcm_v2_t2m")
    return np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")


def close(found, expected):
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, atol=5e-5 * scale, rtol=0)


def test_noise_schedule(golden):
    close(ALPHA_BAR, golden[1]["scheduler_alphas_cumprod"])


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_multistep_consistency_loop(golden, steps):
    inputs, outputs = golden
    model_outputs = iter(inputs["step_model_output"])
    fresh = iter(inputs["step_noise"])
    times = [int(t) for t in outputs[f"timesteps_{steps}"]]
    result = motionlcm.sample(
        lambda latents, time, w: next(model_outputs),
        inputs["step_sample0"],
        lambda: next(fresh),
        times,
        scale=8.0,
        prediction="epsilon",
    )
    close(result, outputs[f"step_denoised_{steps}"][-1])


def test_embeddings_of_time_and_guidance(golden):
    torch = pytest.importorskip("torch", reason="the networks' own embeddings need torch")
    from motion_engine.runtime.torch.denoiser import guidance_embedding, sinusoid

    inputs, outputs = golden
    close(sinusoid(torch.from_numpy(inputs["timesteps"]), 56).numpy(), outputs["time_sinusoid"])
    scales = torch.from_numpy(inputs["guidance_scales"]).float()
    close(guidance_embedding(scales - 1).numpy(), outputs["w_embedding_dim256"])


def test_distillation_target(golden):
    torch = pytest.importorskip("torch", reason="distillation needs torch")
    from training.train_mld import alpha_bar

    _, outputs = golden
    levels = alpha_bar(torch.device("cpu"))
    times = torch.from_numpy(outputs["distill_ddim_timesteps_10"]).long()
    assert times.tolist() == [(i + 1) * 100 - 1 for i in range(10)]
    close(levels[times].numpy(), outputs["distill_alpha_cumprod_10"])
