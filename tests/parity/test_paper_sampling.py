# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling loops and the distillation loss on the papers' networks agree with the official arrays."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("torch", reason="the papers' networks need torch")

import torch
from official import TOLERANCE, Golden

from motion_engine import features
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.vae import MotionVAE, VAESizes
from motion_engine.samplers import mld, motionlcm
from motion_engine.samplers.schedule import ALPHA_BAR, BETAS, clean_and_noise
from training.ddim import guided_ddim_step
from training.train_lcm import consistency, pseudo_huber
from training.train_mld import alpha_bar

V2_LISTS = {"1": [799], "2": [699, 299], "4": [699, 399, 299, 299]}
SETTINGS = {
    "motionlcm_v1_t2m": {"grid": 50, "lists": None, "scales": {1: 7.5, 2: 7.5, 4: 7.5}, "huber": 0.001},
    "motionlcm_v2_t2m": {"grid": 10, "lists": V2_LISTS, "scales": {1: 8.0, 2: 12.5, 4: 13.5}, "huber": 0.5},
}
JOINT_TOLERANCE = 3e-4
"""Metres."""


@pytest.fixture(scope="module", params=SETTINGS)
def golden(request, goldens):
    return Golden(goldens(request.param))


@pytest.fixture(scope="module")
def denoiser(golden):
    return golden.load(Denoiser, DenoiserSizes, "denoiser")


def sampled_motion(golden, denoiser, vae, steps, dtype):
    """Latents and normalised features of the loop, computed in single or double precision."""
    settings, inputs = SETTINGS[golden.name], golden.inputs
    denoiser, vae = copy.deepcopy(denoiser).to(dtype), copy.deepcopy(vae).to(dtype)
    text = inputs["text_emb"].to(dtype)
    fresh = iter(inputs["loop_noise"].to(dtype).numpy())

    def network(latents, time, w):
        w = torch.full((len(latents),), float(w))
        return denoiser(torch.from_numpy(latents), torch.full((len(latents),), time), text, w).numpy()

    latents = motionlcm.sample(
        network,
        inputs["init_noise"].to(dtype).numpy(),
        lambda: next(fresh),
        motionlcm.time_steps(steps, settings["grid"], settings["lists"]),
        settings["scales"][steps],
        "epsilon",
    )
    return latents, vae.decode(torch.from_numpy(latents), inputs["mask"]).numpy()


def test_schedule(golden):
    golden.check("scheduler_betas", BETAS)
    golden.check("scheduler_alphas_cumprod", ALPHA_BAR)
    c = np.array([motionlcm.boundary(time) for time in range(1000)])
    golden.check("scheduler_c_skip", c[:, 0])
    golden.check("scheduler_c_out", c[:, 1])
    inputs = golden.inputs
    a = ALPHA_BAR[inputs["addnoise_t"].numpy()][:, None, None]
    clean, noise = inputs["step_sample0"].numpy(), inputs["step_model_output"][0].numpy()
    golden.check("add_noise", np.sqrt(a) * clean + np.sqrt(1 - a) * noise)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_every_scheduler_step(golden, steps):
    settings = SETTINGS[golden.name]
    times = motionlcm.time_steps(steps, settings["grid"], settings["lists"])
    assert times == golden.outputs[f"timesteps_{steps}"].tolist()
    outputs = iter(golden.inputs["step_model_output"].numpy())
    fresh = iter(golden.inputs["step_noise"].numpy())
    seen = []

    def network(latents, time, w):
        seen.append(latents)
        return next(outputs)

    final = motionlcm.sample(
        network, golden.inputs["step_sample0"].numpy(), lambda: next(fresh), times, 8.0, "epsilon"
    )
    golden.check(f"step_prev_sample_{steps}", np.stack([*seen[1:], final]))
    denoised = []
    for latents, output, time in zip(seen, golden.inputs["step_model_output"].numpy(), times, strict=False):
        c_skip, c_out = motionlcm.boundary(time)
        clean, _ = clean_and_noise(latents, output, time, "epsilon")
        denoised.append(c_skip * latents + c_out * clean)
    golden.check(f"step_denoised_{steps}", np.stack(denoised))


@pytest.mark.parametrize("steps", [1, 2, 4])
@torch.no_grad()
def test_loop_from_noise_to_joints(golden, denoiser, goldens, steps):
    vae = golden.load(MotionVAE, VAESizes, "vae")
    latents, motion = sampled_motion(golden, denoiser, vae, steps, torch.float32)
    golden.check(f"sample_latent_{steps}", latents)
    # random weights magnify the rounding of one decoded motion beyond the tolerance, differently on each processor:
    # what single precision costs here is measured, and allowed
    _, precise = sampled_motion(golden, denoiser, vae, steps, torch.float64)
    rounding = 4 * float(np.abs(motion - precise).max())
    golden.check(f"sample_motion_{steps}", motion, max(TOLERANCE, rounding))
    stats = np.load(goldens("humanml3d_263") / "inputs.npz")
    joints = np.stack([features.recover_joints(row * stats["std"] + stats["mean"]) for row in motion])
    deviation = np.abs(joints - golden.outputs[f"sample_joints_{steps}"]).max()
    assert deviation <= max(JOINT_TOLERANCE, rounding)


@torch.no_grad()
def test_distillation_loss_of_one_evaluation(golden, denoiser):
    """Student, target and teacher share their weights; the teacher is called without the guidance embedding."""
    inputs, outputs = golden.inputs, golden.outputs
    settings = SETTINGS[golden.name]
    levels = alpha_bar(torch.device("cpu"))
    stride = 1000 // settings["grid"]
    for grid in (10, 50):
        times = np.array([(i + 1) * (1000 // grid) - 1 for i in range(grid)])
        np.testing.assert_array_equal(outputs[f"distill_ddim_timesteps_{grid}"], times)
        golden.check(f"distill_alpha_cumprod_{grid}", ALPHA_BAR[times])
        previous = np.maximum(times - 1000 // grid, 0)
        golden.check(f"distill_alpha_cumprod_prev_{grid}", ALPHA_BAR[previous])
    time = (inputs["distill_index"] + 1) * stride - 1
    earlier = (time - stride).clamp(min=0)
    np.testing.assert_array_equal(time, outputs["distill_t_start"])
    np.testing.assert_array_equal(earlier, outputs["distill_t_end"])
    w, text = inputs["w_per_sample"], inputs["text_emb"]
    a, a_next = levels[time][:, None, None], levels[earlier][:, None, None]
    noisy = a.sqrt() * inputs["distill_latent"] + (1 - a).sqrt() * inputs["distill_noise"]
    golden.check("distill_noisy", noisy)
    found = consistency(denoiser(noisy, time, text, w), noisy, time, levels, "epsilon")
    golden.check("distill_model_pred", found)
    conditional = denoiser(noisy, time, text)
    unconditional = denoiser(noisy, time, inputs["distill_uncond_emb"])
    # c + w (c - u) is (1 + w) c - w u
    stepped = guided_ddim_step(conditional, unconditional, noisy, w[:, None, None], a, a_next, "epsilon")
    golden.check("distill_x_prev", stepped)
    goal = consistency(denoiser(stepped, earlier, text, w), stepped, earlier, levels, "epsilon")
    golden.check("distill_target", goal)
    golden.check("distill_loss_huber", pseudo_huber(found - goal, settings["huber"]).mean())
    golden.check("distill_loss_l2", torch.nn.functional.mse_loss(found, goal))


@pytest.fixture(scope="module")
def teacher_golden(goldens):
    return Golden(goldens("mld_v2_teacher"))


@pytest.fixture(scope="module")
def teacher(teacher_golden):
    return teacher_golden.load(Denoiser, DenoiserSizes, "denoiser")


@torch.no_grad()
def test_denoiser_with_and_without_the_prompt(teacher_golden, teacher):
    inputs = teacher_golden.inputs
    for name, text in (("cond", inputs["text_emb"]), ("uncond", inputs["uncond_emb"])):
        found = [teacher(inputs["sample"], time.expand(3), text) for time in inputs["timesteps"]]
        teacher_golden.check(f"denoiser_{name}", torch.stack(found))


def test_ddim_steps(teacher_golden):
    inputs, outputs = teacher_golden.inputs, teacher_golden.outputs
    assert mld.time_steps(50) == outputs["timesteps_50"].tolist()
    teacher_golden.check("scheduler_alphas_cumprod", ALPHA_BAR)
    teacher_golden.check("scheduler_final_alpha_cumprod", ALPHA_BAR[0])
    latents, output = inputs["step_sample"].numpy(), inputs["step_model_output"].numpy()
    stepped, clean = [], []
    for time in inputs["step_t"].tolist():
        following = [time - 20] if time > 20 else []
        outputs_seen = []

        def network(z, t, with_prompt, seen=outputs_seen):
            seen.append(z)
            return output

        result = mld.sample(network, latents, [time, *following], 1.0, "epsilon")
        stepped.append(outputs_seen[1] if following else result)
        clean.append(clean_and_noise(latents, output, time, "epsilon")[0])
    teacher_golden.check("ddim_step_prev_sample", np.stack(stepped))
    teacher_golden.check("ddim_step_pred_x0", np.stack(clean))


@pytest.mark.parametrize(("scale", "name"), [(1.0, "nocfg"), (7.5, "cfg7.5")])
def test_every_step_of_the_guided_loop(teacher_golden, teacher, scale, name):
    inputs = teacher_golden.inputs
    seen = []

    @torch.no_grad()
    def network(latents, time, with_prompt):
        if with_prompt:
            seen.append(latents)
        text = inputs["text_emb"] if with_prompt else inputs["uncond_emb"]
        noisy = torch.from_numpy(np.asarray(latents, dtype=np.float32))
        return teacher(noisy, torch.full((3,), time), text).numpy()

    final = mld.sample(network, inputs["init_noise"].numpy(), mld.time_steps(50), scale, "epsilon")
    teacher_golden.check(f"sample_traj_{name}", np.stack([*seen[1:], final]))
    teacher_golden.check(f"sample_latent_{name}", final)
