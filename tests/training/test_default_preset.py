# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sampler a written bundle has as its default: always exactly one, EMDM where it is there and said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motion_engine import bench
from motion_engine import bundle as bundles
from training.config import Config
from training.export.adapter import write_adapter_bundle
from training.export.extend import extend_bundle
from training.export.random_bundle import write_random_bundle
from training.train_emdm import make_generator

WITHOUT, WITH = ("motionlcm", "mld"), ("motionlcm", "mld", "emdm")


@pytest.fixture
def chosen(emdm_config):
    """The tiny configuration, whose EMDM is to be the default."""
    presets = emdm_config.presets
    return replace(emdm_config, presets=presets | {"emdm": presets["emdm"] | {"default": True}})


def defaults(folder):
    """The samplers of a bundle that its manifest calls the default."""
    bundle = bundles.load(folder)
    found = [name for name, preset in bundle.samplers.items() if "default" in preset]
    assert [bundle.samplers[name]["default"] for name in found] == [True]
    assert found == [bundle.default_sampler]
    return found


def extended(folder, config, out):
    """The bundle with an EMDM, written to ``out``."""
    bundle = bundles.load(folder)
    stats = bundle.stats["latent_mean"], bundle.stats["latent_std"]
    extend_bundle(bundle, out, config, stats, emdm=make_generator(config))
    return out


def adapted(folder, config, out):
    """A bundle that leans on another one, with an adapter that changes nothing."""
    key, shape = "latent_in.weight", (config.denoiser.width, config.vae.latent_channels)
    adapter = {f"{key}.down": torch.zeros(1, shape[1]), f"{key}.up": torch.zeros(shape[0], 1)}
    config = replace(config, bundle=replace(config.bundle, name="leaning"))
    write_adapter_bundle(out, config, bundles.load(folder), {"mld": adapter})
    return out


def test_the_shipped_configurations_name_one_default_or_none():
    presets = Config.read("base").presets
    assert [name for name, preset in presets.items() if preset.get("default")] == ["motionlcm"]
    assert not any(preset.get("default") for preset in Config.read("quick").presets.values())


def test_a_written_bundle_has_the_default_of_the_configuration(emdm_config, chosen, tmp_path):
    assert defaults(write_random_bundle(tmp_path / "a", chosen, WITH)) == ["emdm"]
    assert defaults(write_random_bundle(tmp_path / "b", chosen, WITHOUT)) == ["motionlcm"], (
        "before it is trained"
    )
    assert defaults(write_random_bundle(tmp_path / "c", emdm_config, WITH)) == ["motionlcm"]


def test_a_bundle_that_gets_emdm_gets_its_default(emdm_config, chosen, tmp_path):
    plain = write_random_bundle(tmp_path / "plain", chosen, WITHOUT)
    moved = extended(plain, chosen, tmp_path / "moved" / "random")
    assert defaults(moved) == ["emdm"]
    assert bundles.load(moved).samplers["emdm"] == {
        "steps": 4, "guidance": 2.5, "default": True, "levels": 4, "noise_width": 8,
    }  # fmt: skip
    assert defaults(extended(plain, emdm_config, tmp_path / "kept" / "random")) == ["motionlcm"]
    # another EMDM in the place of one that is the default
    assert defaults(extended(moved, emdm_config, tmp_path / "again" / "random")) == ["emdm"]


def test_a_bundle_that_leans_on_another_has_its_default(emdm_config, chosen, tmp_path):
    base = write_random_bundle(tmp_path, chosen, WITH)
    without = replace(
        chosen, presets={name: value for name, value in chosen.presets.items() if name != "emdm"}
    )
    assert defaults(adapted(base, without, tmp_path / "leaning")) == ["emdm"]
    other = write_random_bundle(tmp_path / "other", emdm_config, WITH)
    assert defaults(adapted(other, without, tmp_path / "other" / "leaning")) == ["motionlcm"]
    assert defaults(adapted(other, chosen, tmp_path / "other" / "said")) == ["emdm"]


def test_the_benchmark_says_which_rows_a_bundle_cannot_have(chosen, tmp_path):
    rows = list(bench._generation(1, str(write_random_bundle(tmp_path, chosen, ("mld",))), "cpu", "onnx"))
    assert [row.note for row in rows] == ["mld, 50 steps"] + [
        "the bundle random has no sampler motionlcm"
    ] * 2
    assert "not measured here" in bench.format_row(rows[1])
