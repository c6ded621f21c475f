# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters: what is trained, what stays, and the bundle that leans on another."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine import bundle as bundles
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.runtime.torch.backend import stored_weights
from motion_engine.runtime.torch.denoiser import Denoiser
from training import low_rank
from training.config import AdapterSection
from training.data.motion_set import MotionSet
from training.loop import read_checkpoint
from training.low_rank import add_low_rank, load_adapter, merged, rank_of, split_low_rank, summed
from training.recipe import extend_run, recipe, train_stage
from training.restore import restore
from training.train_lcm import load_lcm
from training.train_mld import load_mld, train_mld


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(low_rank, "SMALLEST", 1000)  # the tiny networks' matrices count as large


@pytest.fixture(scope="module")
def tiny(config, mocap_folder, tmp_path_factory):
    """A bundle of tiny networks beside its run."""
    folder = tmp_path_factory.mktemp("tiny")
    recipe(config, mocap_folder, folder / "run", folder / "tiny", "")
    return folder / "tiny"


@pytest.fixture
def bundle(tiny, tmp_path):
    """A copy of it that may be changed."""
    shutil.copytree(tiny, tmp_path / "bundles" / "tiny")
    return tmp_path / "bundles" / "tiny"


def inputs(config):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 6, config.vae.latent_channels, generator=generator)
    text = torch.randn(2, 3, config.denoiser.text_width, generator=generator)
    return latents, torch.tensor([500, 40]), text


def test_an_adapter_changes_nothing_at_first_and_merges_into_the_weights_later(config):
    torch.manual_seed(0)
    network = Denoiser(config.denoiser, config.vae.latent_channels)
    torch.nn.init.normal_(network.latent_out.weight)
    plain = network(*inputs(config))
    add_low_rank(network, 3)
    assert torch.equal(network(*inputs(config)), plain)
    trained = [name for name, value in network.named_parameters() if value.requires_grad]
    assert trained and all(name.endswith((".down", ".up")) for name in trained)
    for name, value in network.named_parameters():
        if name.endswith(".up"):
            torch.nn.init.normal_(value, std=0.02)
    adapted = network(*inputs(config))
    assert not torch.allclose(adapted, plain, atol=1e-4)
    alone = Denoiser(config.denoiser, config.vae.latent_channels)
    alone.load_state_dict(merged(network.state_dict()))
    assert torch.allclose(alone(*inputs(config)), adapted, atol=1e-5)

    other = Denoiser(config.denoiser, config.vae.latent_channels, guided=True)
    other.load_state_dict(split_low_rank(network.state_dict())[0], strict=False)
    add_low_rank(other, 3)
    load_adapter(other, split_low_rank(network.state_dict())[1])
    assert torch.allclose(other(*inputs(config), torch.zeros(2)), adapted, atol=1e-5)


def test_the_sum_of_two_adapters_is_one_of_their_ranks_together(config):
    generator = torch.Generator().manual_seed(2)

    def adapter(rank):
        shapes = {"a.weight.down": (rank, 6), "a.weight.up": (8, rank)}
        return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}

    def product(found):
        return found["a.weight.up"] @ found["a.weight.down"]

    first, second = adapter(2), adapter(1)
    together = summed([first, {}, second], 3)
    assert rank_of(together) == 3
    assert torch.allclose(product(together), product(first) + product(second), atol=1e-5)
    nearest = summed([first, second], 2)
    assert rank_of(nearest) == 2
    left = torch.linalg.svdvals(product(first) + product(second))[2]
    error = product(first) + product(second) - product(nearest)
    assert torch.linalg.matrix_norm(error, 2) == pytest.approx(float(left), rel=1e-4)


def test_a_rank_below_one_is_refused(config):
    with pytest.raises(ValueError, match="1 or more"):
        add_low_rank(Denoiser(config.denoiser, config.vae.latent_channels), 0)


def test_an_adapter_needs_something_to_adapt(config, tmp_path):
    with pytest.raises(ValueError, match="--start-from"):
        train_mld(replace(config, adapter=AdapterSection("base", 2)), None, tmp_path)


def test_the_recipe_adapts_a_bundle_and_the_engine_runs_both(config, mocap_folder, bundle, tmp_path):
    adapting = replace(
        config,
        bundle=replace(config.bundle, name="more", title="More", licence="CC-BY-NC-4.0"),
        adapter=AdapterSection(str(bundle), 2),
    )
    run, out = tmp_path / "adapters", tmp_path / "bundles" / "more"
    recipe(adapting, mocap_folder, run, out, "a command")

    own = sorted(file.name for file in out.iterdir())
    assert own == ["manifest.json", "mld.adapter.safetensors", "motionlcm.adapter.safetensors"]
    found = bundles.load(out)
    assert (found.name, found.licence, found.commercial) == ("more", "CC-BY-NC-4.0", False)
    base = {
        key: value
        for key, value in read_checkpoint(run / "adapted" / "mld.pt")["ema"].items()
        if not key.endswith((".down", ".up"))
    }
    kept, adapter = split_low_rank(read_checkpoint(run / "mld.pt")["ema"])
    assert adapter and all(torch.equal(kept[key], base[key]) for key in base)
    assert any(value.abs().max() > 0 for key, value in adapter.items() if key.endswith(".up"))
    assert not torch.equal(load_mld(adapting, run).state_dict()["sentence.weight"], base["sentence.weight"])
    assert load_lcm(adapting, run).guidance is not None

    request = GenerateRequest("a person waves", 2.0, seed=3)
    plain, leaning = (
        Engine.load(tmp_path / "bundles" / name).generate(request)[0].joints for name in ("tiny", "more")
    )
    assert np.isfinite(leaning).all() and plain.shape == leaning.shape


def test_a_bundle_takes_adapters_of_its_own_and_another_adapts_what_they_made(
    config, mocap_folder, tiny, bundle, tmp_path
):
    before = {file.name: file.read_bytes() for file in bundle.glob("*.onnx")}
    start, run = tmp_path / "start", tmp_path / "more"
    restore(bundles.load(bundle), start)
    adapting = replace(config, adapter=AdapterSection("tiny", 2))
    motion_set = MotionSet.load(tiny.parent / "run" / "motions.npz")
    for stage in ("mld", "motionlcm"):
        train_stage(stage, adapting, motion_set, run, start)
    extend_run(config, bundles.load(bundle), run, bundle, "")

    extended = bundles.load(bundle)
    assert set(extended.manifest["adapters"]) == {"mld", "motionlcm"}
    assert {file.name: file.read_bytes() for file in bundle.glob("*.onnx")} == before
    adapted = load_mld(adapting, run).state_dict()
    stored = stored_weights(extended, "mld")
    kept = stored_weights(replace(extended, manifest={**extended.manifest, "adapters": {}}), "mld")
    changed = [key for key in stored if not torch.equal(stored[key], kept[key])]
    assert changed
    for key in changed:
        assert torch.allclose(stored[key], adapted[key], atol=0.02 * float(adapted[key].abs().max()))

    leaning = replace(adapting, adapter=AdapterSection(str(bundle), 8))
    recipe(leaning, mocap_folder, tmp_path / "leaning", tmp_path / "bundles" / "lean", "")
    found = bundles.load(tmp_path / "bundles" / "lean")
    assert not any("adapter" in name for name in found.manifest["shared"]["files"])
    wanted = load_mld(leaning, tmp_path / "leaning").state_dict()
    for key, value in stored_weights(found, "mld").items():
        assert torch.allclose(value, wanted[key], atol=0.02 * float(wanted[key].abs().max()) + 1e-4), key
