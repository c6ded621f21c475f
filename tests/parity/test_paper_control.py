# SPDX-License-Identifier: GPL-3.0-or-later
"""Trajectory encoder, Motion ControlNet and control losses agree with the official arrays."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the papers' networks need torch")

import torch
from official import Golden

from motion_engine.runtime.torch.paper.control import (
    ControlledDenoiser,
    ControlNet,
    ControlSizes,
    TrajectoryEncoder,
    TrajectorySizes,
    noise_decorrelation,
)
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.samplers import motionlcm
from training.paper.losses import control_loss

TIMES = {1: [799], 2: [699, 299], 4: [699, 399, 299, 299]}
SCALES = {1: 8.0, 2: 12.5, 4: 13.5}


@pytest.fixture(scope="module")
def golden(goldens):
    return Golden(goldens("motionlcm_v2_control"))


@pytest.fixture(scope="module")
def denoiser(golden):
    return golden.load(Denoiser, DenoiserSizes, "denoiser")


@pytest.fixture(scope="module")
def controlnet(golden):
    return golden.load(ControlNet, ControlSizes, "controlnet")


@pytest.fixture(scope="module", params=["temporal", "spatial"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def trajectory(golden, kind):
    encoder = golden.load(TrajectoryEncoder, TrajectorySizes, "traj_encoder")
    with torch.no_grad():
        return encoder(golden.inputs[f"hint_{kind}"], golden.inputs[f"hint_mask_{kind}"])


def test_trajectory_encoder(golden, kind, trajectory):
    golden.check(f"traj_{kind}", trajectory)
    given = golden.inputs[f"hint_mask_{kind}"].flatten(2).ne(0).any(dim=-1)
    np.testing.assert_array_equal(given, golden.outputs[f"frame_mask_{kind}"])


@pytest.mark.parametrize(("time", "scale"), [(799, 8.0), (299, 12.5)])
@torch.no_grad()
def test_residuals_and_what_they_do(golden, kind, trajectory, denoiser, controlnet, time, scale):
    inputs = golden.inputs
    arguments = inputs["sample"], torch.full((3,), time), inputs["text_emb"], torch.full((3,), scale - 1)
    golden.check(f"controlnet_cond_embedding_{kind}", controlnet.controlnet_cond_embedding(trajectory))
    residuals = controlnet.residuals(*arguments, trajectory)
    where = f"t{time}_g{scale}"
    golden.check(f"residuals_{kind}_{where}", torch.stack(residuals).transpose(1, 2))
    golden.check(f"denoiser_with_residuals_{kind}_{where}", denoiser(*arguments, residuals))
    golden.check(f"denoiser_without_residuals_{where}", denoiser(*arguments))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_controlled_loop(golden, kind, trajectory, denoiser, controlnet, steps):
    both = ControlledDenoiser(denoiser, controlnet)
    inputs = golden.inputs
    fresh = iter(inputs["loop_noise"].numpy())

    @torch.no_grad()
    def network(latents, time, w):
        noisy = torch.from_numpy(np.asarray(latents, dtype=np.float32))
        times, weights = torch.full((3,), time), torch.full((3,), float(w))
        return both(noisy, times, inputs["text_emb"], weights, trajectory).numpy()

    latents = motionlcm.sample(
        network, inputs["init_noise"].numpy(), lambda: next(fresh), TIMES[steps], SCALES[steps], "epsilon"
    )
    golden.check(f"sample_latent_{kind}_{steps}", latents)


@torch.no_grad()
def test_a_new_controlnet_changes_nothing(golden, denoiser, controlnet, trajectory):
    inputs = golden.inputs
    arguments = inputs["sample"], torch.full((3,), 299), inputs["text_emb"], torch.full((3,), 7.0)
    sizes = ControlSizes.of(controlnet.state_dict())
    residuals = ControlNet(sizes).eval().residuals(*arguments, trajectory)
    assert all((residual == 0).all() for residual in residuals)


@pytest.mark.parametrize("distance", ["l1", "l1_smooth", "l2"])
@pytest.mark.parametrize("reduction", ["sum", "sum_mask", "mask"])
def test_control_losses(golden, distance, reduction):
    inputs = golden.inputs
    mask = inputs["hint_mask_temporal"][..., :1]
    loss = control_loss(inputs["loss_pred"], inputs["loss_target"], mask, distance, reduction)
    golden.check(f"control_loss_{reduction}_{distance}", loss)


def test_noise_decorrelation(golden):
    golden.check("dno_noise_regularize_dim1", noise_decorrelation(golden.inputs["dno_noise"]))
    torch.manual_seed(0)
    odd = noise_decorrelation(torch.randn(2, 7, 24))
    assert odd.shape == (2,) and torch.isfinite(odd).all()
