# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM's generator and discriminators agree with arrays from the official ones, and take the official names."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the papers' networks need torch")

import torch
from official import close, formula_tensor

from motion_engine.runtime.torch.paper.emdm import (
    Generator,
    GeneratorSizes,
    sinusoid_table,
    stack_sizes,
)
from training.paper.emdm_discriminators import (
    DiscriminatorSizes,
    MLPDiscriminator,
    TransformerDiscriminator,
)

HEADS = 4
T = 10


def arrays(folder, name):
    return {key: torch.from_numpy(value) for key, value in np.load(folder / f"{name}.npz").items()}


def frames_last(x):
    """Official (B, J, F, T) to (B, T, J F)."""
    return x.permute(0, 3, 1, 2).flatten(2)


def official_axes(x, features=1):
    """(B, T, J F) to the official (B, J, F, T)."""
    return x.unflatten(2, (-1, features)).permute(0, 2, 3, 1)


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
    network.load_state_dict(weights, strict=True)
    return network.eval()


def clean(network, given, time, text=None, z=None):
    x = frames_last(given["x_t"])
    text = given["text_feat"] if text is None else text
    time = torch.as_tensor(time).expand(len(x))
    return official_axes(network(x, time, text[:, None], given["z"] if z is None else z))


@torch.no_grad()
def test_generator_at_every_time(generator, given, outputs):
    close(torch.stack([clean(generator, given, t) for t in range(T)]), outputs["x0_cond"])
    close(clean(generator, given, given["t_mixed"]), outputs["x0_mixed_t"])
    close(clean(generator, given, 5, z=given["z2"]), outputs["x0_cond_t5_z2"])


@torch.no_grad()
def test_generator_without_the_prompt_and_guided(generator, given, outputs):
    nothing = torch.zeros_like(given["text_feat"])
    with_prompt, without = clean(generator, given, 5), clean(generator, given, 5, nothing)
    close(without, outputs["x0_uncond_t5"])
    close(clean(generator, given, 0, nothing), outputs["x0_uncond_t0"])
    close(without + 2.5 * (with_prompt - without), outputs["x0_cfg2.5_t5"])


@torch.no_grad()
def test_generator_whose_text_is_added_to_the_time(generator, given, outputs):
    other = Generator(replace(generator.sizes, separate=False)).eval()
    other.load_state_dict(generator.state_dict())
    close(clean(other, given, 5), outputs["x0_cond_t5_variant_text_added_to_time_token"])


@torch.no_grad()
def test_inside_the_generator(generator, given, outputs):
    width = generator.sizes.stack.width
    close(sinusoid_table(width)[:220], outputs["pe_rows_0_220"])
    close(generator.embed_timestep(generator.positions[:T]), outputs["time_embedding_t0_9"])
    close(generator.z_transform(given["z"]), outputs["z_embedding"])
    close(generator.condition(given["text_feat"][:, None])[:, 0], outputs["text_embedding"])
    seen = {}
    for name, module in (
        ("layer0", generator.seqTransEncoder.layers[0]), ("encoder_out", generator.seqTransEncoder),
    ):  # fmt: skip
        module.register_forward_hook(lambda _module, _given, out, name=name: seen.update({name: out}))
    x, time = frames_last(given["x_t"]), torch.full((2,), 5)
    sequence = generator.sequence(x, time, given["text_feat"][:, None], given["z"])
    generator(x, time, given["text_feat"][:, None], given["z"])
    for name, found in {"sequence_after_pos": sequence, **seen}.items():
        close(found.transpose(0, 1), outputs[f"dbg_{name}"], name=name)


def layout(folder, part):
    entries = json.loads((folder / "layout.json").read_text())[part]
    return {key: entry["shape"] for key, entry in entries.items() if not key.endswith(".pe")}


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("netG_dict", "generator_without_clip"),
        ("netD_dict_mlp_humanml", "discriminator_mlp_humanml"),
        ("netD_dict_encoder_humanact12", "discriminator_encoder_humanact12"),
    ],
)
def test_official_files_fit_key_by_key(folder, part, count):
    """Full size: every parameter name and shape, loaded strictly, and the number of parameters."""
    weights = {key: torch.empty(shape, device="meta") for key, shape in layout(folder, part).items()}
    with torch.device("meta"):
        if part == "netG_dict":
            network = Generator(GeneratorSizes.of(weights))
            assert network.sizes.stack.heads == 32
        elif "mlp" in part:
            network = MLPDiscriminator(196, 263, 512)
        else:
            network = TransformerDiscriminator(DiscriminatorSizes(150, 12, stack_sizes(weights)))
    network.load_state_dict(weights, strict=True, assign=True)
    official = json.loads((folder / "layout.json").read_text())["parameters"][count]
    assert sum(p.numel() for p in network.parameters()) == official


@pytest.mark.parametrize("conditioned", [True, False])
@torch.no_grad()
def test_mlp_discriminator_with_weights_by_formula(folder, conditioned):
    inputs, outputs = (
        arrays(folder, "inputs_discriminator_mlp"),
        dict(np.load(folder / "outputs_discriminator_mlp.npz")),
    )
    network = MLPDiscriminator(196, 263, 512 if conditioned else 0).eval()
    network.load_state_dict(
        {key: formula_tensor(key, list(value.shape)) for key, value in network.state_dict().items()}
    )
    name = "cond" if conditioned else "nocond"
    total = float(network.fc1.weight.double().sum())
    assert total == pytest.approx(float(outputs[f"weight_checksum_{name}_fc1_sum64"]), abs=1e-3)
    times = torch.arange(T)
    close(network.t_embed(times), outputs[f"t_embed_{name}"])
    x, later = frames_last(inputs["x_t"]), frames_last(inputs["x_tp1"])
    text = inputs["text_feat"] if conditioned else None
    logits = [network(x, later, torch.full((2,), t), text) for t in range(T)]
    close(torch.stack(logits), outputs[f"logits_{name}_t0_9"])


@torch.no_grad()
def test_transformer_discriminator(folder):
    inputs, outputs = (
        arrays(folder, "inputs_discriminator_encoder"),
        dict(np.load(folder / "outputs_discriminator_encoder.npz")),
    )
    weights = arrays(folder, "small_weights_discriminator_encoder")
    network = TransformerDiscriminator(DiscriminatorSizes(150, 12, stack_sizes(weights, HEADS))).eval()
    network.load_state_dict(weights, strict=True)
    x, later, action = frames_last(inputs["x_t"]), frames_last(inputs["x_tp1"]), inputs["action"][:, 0]
    logits = [network(x, later, torch.full((3,), t), action) for t in range(T)]
    close(torch.stack(logits), outputs["logits_per_t"])
    close(network(x, later, torch.full((3,), 5), torch.full((3,), -1)), outputs["logits_uncond_t5"])
