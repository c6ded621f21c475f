# SPDX-License-Identifier: GPL-3.0-or-later
"""The papers' networks agree with arrays from the official ones, and take the official parameter names."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the papers' networks need torch")

import torch
from official import Golden, close, formula_tensor, layout

from motion_engine.runtime.torch.denoiser import guidance_embedding, sinusoid
from motion_engine.runtime.torch.paper.control import (
    ControlNet,
    ControlSizes,
    TrajectoryEncoder,
    TrajectorySizes,
)
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.skip_transformer import DecoderLayer, EncoderLayer, StackSizes
from motion_engine.runtime.torch.paper.vae import MotionVAE, VAESizes

PARTS = {
    "vae": (MotionVAE, VAESizes),
    "denoiser": (Denoiser, DenoiserSizes),
    "controlnet": (ControlNet, ControlSizes),
    "traj_encoder": (TrajectoryEncoder, TrajectorySizes),
}
CHECKPOINTS = {
    "motionlcm_v2_vae": ["vae"],
    "mld_v2_teacher": ["vae", "denoiser"],
    "motionlcm_v1_t2m": ["vae", "denoiser"],
    "motionlcm_v2_t2m": ["vae", "denoiser"],
    "motionlcm_v2_control": ["vae", "denoiser", "controlnet", "traj_encoder"],
}


@pytest.fixture(scope="module", params=["motionlcm_v1_t2m", "motionlcm_v2_t2m"])
def golden(request, goldens):
    return Golden(goldens(request.param))


@pytest.fixture(scope="module")
def vae(golden):
    return golden.load(MotionVAE, VAESizes, "vae")


@pytest.fixture(scope="module")
def denoiser(golden):
    return golden.load(Denoiser, DenoiserSizes, "denoiser")


def recorded(stack, names):
    """Outputs of modules of a stack during a call, sequence first as the arrays are stored."""
    found = {}
    for name in names:
        stack.get_submodule(name).register_forward_hook(
            lambda _module, _given, out, name=name: found.update({name: out.transpose(0, 1)})
        )
    return found


INSIDE = {"input_block0": "input_blocks.0", "middle": "middle_block", "linear_block0": "linear_blocks.0"}


@torch.no_grad()
def test_vae_encoder(golden, vae):
    inside = recorded(vae.encoder, [*INSIDE.values(), "norm"])
    mean, std = vae.encode(golden.inputs["motion"], golden.inputs["mask"])
    golden.check("vae_mu", mean.transpose(0, 1))
    golden.check("vae_std", std.transpose(0, 1))
    noise = golden.inputs["encode_eps"].transpose(0, 1)
    golden.check("vae_latent", mean + std * noise)
    for name, module in INSIDE.items():
        golden.check(f"dbg_vae_enc_{name}", inside[module])
    golden.check("dbg_vae_enc_stack_out", inside["norm"])


@torch.no_grad()
def test_frames_behind_the_mask_have_no_influence(golden, vae):
    motion, mask = golden.inputs["motion"], golden.inputs["mask"]
    noisy = torch.where(mask[..., None], motion, torch.full_like(motion, 1e3))
    difference = (vae.encode(noisy, mask)[0] - vae.encode(motion, mask)[0]).abs().max()
    golden.check("vae_mu_garbage_padding_maxdiff", difference)


@torch.no_grad()
def test_vae_decoder(golden, vae):
    inside = recorded(vae.decoder, [*INSIDE.values(), "norm"])
    mask = golden.inputs["mask"]
    decoded = vae.decode(golden.inputs["decode_z"], mask)
    golden.check("vae_decode", decoded)
    assert (decoded[~mask] == 0).all()
    for name, module in INSIDE.items():
        # behind the mask the official arrays hold what its queries there attend to, which nothing reads
        golden.check(f"dbg_vae_dec_{name}", inside[module])
    golden.check("dbg_vae_dec_stack_out", inside["norm"])


@torch.no_grad()
def test_denoiser_at_all_times_and_guidance_scales(golden, denoiser):
    inputs = golden.inputs
    sample, text = inputs["sample"], inputs["text_emb"]
    rows = []
    for time in inputs["timesteps"]:
        time = time.expand(len(sample))
        scales = [None, *inputs["guidance_scales"]]
        weights = [None if scale is None else (scale - 1).expand(len(sample)) for scale in scales]
        rows.append(torch.stack([denoiser(sample, time, text, w) for w in weights]))
    golden.check("denoiser", torch.stack(rows))


def test_embeddings_of_time_and_guidance(golden):
    golden.check("time_sinusoid", sinusoid(golden.inputs["timesteps"], 56))
    golden.check("w_embedding_dim256", guidance_embedding(golden.inputs["guidance_scales"] - 1))


@torch.no_grad()
def test_denoiser_with_a_time_and_weight_for_each_sample(golden, denoiser):
    inputs = golden.inputs
    found = denoiser(
        inputs["sample"], inputs["timestep_per_sample"], inputs["text_emb"], inputs["w_per_sample"]
    )
    golden.check("denoiser_per_sample_t_w", found)


@torch.no_grad()
def test_denoiser_with_five_text_tokens(golden, denoiser):
    inputs = golden.inputs
    time, w = torch.full((3,), 299), torch.full((3,), 7.0)
    golden.check("denoiser_5tokens_t299_w7", denoiser(inputs["sample"], time, inputs["text_emb_5tokens"], w))


@torch.no_grad()
def test_inside_the_denoiser(golden, denoiser):
    inside = recorded(denoiser.encoder, [*INSIDE.values(), "linear_blocks.1", "norm"])
    sample, text = golden.inputs["sample"], golden.inputs["text_emb"]
    time, w = torch.full((3,), 299), torch.full((3,), 7.0)
    golden.check("dbg_den_time_embedding", denoiser.time_embedding(time, w))
    golden.check("dbg_den_text_proj", denoiser.emb_proj(text).transpose(0, 1))
    sequence = denoiser.sequence(sample, time, text, w)
    golden.check("dbg_den_sequence_after_pos", sequence.transpose(0, 1))
    golden.check("dbg_den_out_t299_w7", denoiser(sample, time, text, w))
    for name, module in {**INSIDE, "linear_block1": "linear_blocks.1"}.items():
        golden.check(f"dbg_den_{name}", inside[module])
    golden.check("dbg_den_stack_out", inside["norm"])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_official_checkpoints_fit_key_by_key(goldens, name):
    """Full size: every parameter name and shape, loaded strictly, and the number of parameters."""
    folder = goldens(name)
    shapes = layout(folder)
    counts = json.loads((folder / "layout.json").read_text())["parameters_per_module"]
    known = 0
    for part in CHECKPOINTS[name]:
        module, sizes = PARTS[part]
        weights = {
            key.removeprefix(f"{part}."): torch.empty(shape, device="meta")
            for key, shape in shapes.items()
            if key.startswith(f"{part}.")
        }
        with torch.device("meta"):
            network = module(sizes.of(weights))
        network.load_state_dict(weights, strict=True, assign=True)
        assert sum(p.numel() for p in network.parameters()) == counts[part]
        known += len(weights)
    assert known == sum(not key.startswith("t2m_") for key in shapes)


def test_weights_by_formula(goldens):
    folder = goldens("emdm_t2m")
    expected = np.load(folder / "outputs_discriminator_mlp.npz")
    shape = json.loads((folder / "layout.json").read_text())["netD_dict_mlp_humanml"]["fc1.weight"]["shape"]
    close(formula_tensor("fc1.weight", shape, first=8), expected["weight_checksum_cond_fc1_first8"], 1e-7)


@torch.no_grad()
def test_full_size_networks_with_weights_by_formula(goldens):
    """Every layer equals torch's own post-norm layer, whose parameter names are the same; clips of any length run."""
    shapes = layout(goldens("motionlcm_v2_t2m"))

    def weights(part):
        return {
            key.removeprefix(f"{part}."): formula_tensor(key, shape)
            for key, shape in shapes.items()
            if key.startswith(f"{part}.")
        }

    state = weights("denoiser")
    denoiser = Denoiser(DenoiserSizes.of(state)).eval()
    denoiser.load_state_dict(state)
    torch.manual_seed(0)
    x = torch.randn(2, 18, 256)
    reference = torch.nn.TransformerEncoderLayer(256, 4, 1024, activation="gelu", batch_first=True).eval()
    reference.load_state_dict(denoiser.encoder.middle_block.state_dict())
    close(denoiser.encoder.middle_block(x), reference(x), name="full-size encoder layer")
    latents = denoiser(
        torch.randn(2, 16, 32), torch.tensor([799, 0]), torch.randn(2, 1, 768), torch.tensor([7.0, 0.0])
    )
    state = weights("vae")
    vae = MotionVAE(VAESizes.of(state)).eval()
    vae.load_state_dict(state)
    mask = torch.arange(196) < torch.tensor([[196], [40]])
    memory = torch.randn(2, 16, 256)
    frames = torch.randn(2, 196, 256)
    reference = torch.nn.TransformerDecoderLayer(256, 4, 1024, activation="gelu", batch_first=True).eval()
    reference.load_state_dict(vae.decoder.middle_block.state_dict())
    close(
        vae.decoder.middle_block(frames, mask, memory),
        reference(frames, memory, tgt_key_padding_mask=~mask),
        name="full-size decoder layer",
    )
    motion = vae.decode(latents, mask)
    assert motion.shape == (2, 196, 263) and torch.isfinite(motion).all() and motion.std() > 0.1
    alone = vae.decode(latents[1:], mask[1:, :40])
    close(motion[1:, :40], alone, name="full-size padded against alone")


def test_layers_are_trainable_without_a_mask_too():
    sizes = StackSizes(8, 3, 16)
    x = torch.randn(2, 5, 8, requires_grad=True)
    for layer in (EncoderLayer(sizes), DecoderLayer(sizes)):
        layer(x, None, *([x] if isinstance(layer, DecoderLayer) else [])).sum().backward()
        assert all(p.grad is not None for p in layer.parameters())
