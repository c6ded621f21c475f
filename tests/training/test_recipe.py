# SPDX-License-Identifier: GPL-3.0-or-later
"""From BVH files to a bundle that the engine runs, with networks so small that it takes seconds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from motion_engine import bundle as bundles
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from training.config import Config
from training.contact_sheet import contact_sheet
from training.recipe import recipe


@pytest.fixture(scope="module")
def trained(config, mocap_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    recipe(config, mocap_folder, folder / "run", folder / "models" / "tiny", "the command")
    return folder


def test_the_recipe_makes_a_bundle_that_generates(trained):
    engine = Engine.load(trained / "models" / "tiny")
    motions = engine.generate(GenerateRequest("a person waves", duration=2.0, count=2))
    assert [motion.n_frames for motion in motions] == [40, 40]
    manifest = engine.bundle.manifest
    assert manifest["training_data"]["sources"] == ["walks", "waves"]
    assert manifest["made_with"] == "the command" and manifest["licence"] == "CC0-1.0"
    assert "mpjpe_mm" in manifest["scores"]["vae_reconstruction"]
    sheet = contact_sheet(motions, ["one", "two"])
    assert sheet.width > 500 and np.asarray(sheet).std() > 10


@pytest.mark.parametrize("sampler", ["motionlcm", "mld"])
def test_onnx_and_torch_agree(trained, sampler):
    request = GenerateRequest("a person waves", duration=3.0, seed=5, sampler=sampler, steps=4)
    by_onnx = Engine.load(trained / "models" / "tiny").generate(request)[0]
    by_torch = Engine.load(trained / "models" / "tiny", backend="torch", device="cpu").generate(request)[0]
    np.testing.assert_allclose(by_onnx.joints, by_torch.joints, atol=1e-4)


def test_a_run_resumes_and_logs(trained, config, mocap_folder):
    run = trained / "run"
    lines = (
        [json.loads(line) for line in (run / "vae.jsonl").read_text().splitlines()]
        if (run / "vae.jsonl").stat().st_size
        else []
    )
    state = torch.load(run / "mld.pt", weights_only=True)
    assert state["step"] == config.mld_training.steps
    before = state["ema"]["latent_out.weight"].clone()
    recipe(config, mocap_folder, run, trained / "models" / "again", "the command")
    after = torch.load(run / "mld.pt", weights_only=True)["ema"]["latent_out.weight"]
    assert torch.equal(before, after), "a finished stage must be left as it is"
    assert all("loss" in line for line in lines)


def test_damaged_bundles_are_refused(trained, tmp_path):
    import shutil

    source = trained / "models" / "tiny"
    truncated = shutil.copytree(source, tmp_path / "truncated")
    weights = (truncated / "decoder.safetensors").read_bytes()
    (truncated / "decoder.safetensors").write_bytes(weights[:1000])
    missing = shutil.copytree(source, tmp_path / "missing")
    (missing / "stats.npz").unlink()
    future = shutil.copytree(source, tmp_path / "future")
    manifest = json.loads((future / "manifest.json").read_text())
    (future / "manifest.json").write_text(json.dumps({**manifest, "schema": 99}))
    for folder, sentence in (
        (truncated, "damaged"),
        (missing, "lacks its file stats.npz"),
        (future, "layout 99"),
    ):
        with pytest.raises(EngineError, match=sentence) as caught:
            bundles.load(folder)
        assert caught.value.fix
    listed = {info.name: info.ok for info in bundles.list_bundles(tmp_path)}
    assert listed == {"truncated": False, "missing": False, "future": False}


def test_a_wrong_configuration_names_the_key(tmp_path, config_text):
    (tmp_path / "bad.toml").write_text(config_text.replace("heads = 2", "head = 2"))
    with pytest.raises(ValueError, match=r"\[denoiser\].*head.*heads"):
        Config.read(tmp_path / "bad.toml")
    with pytest.raises(ValueError, match="base"):
        Config.read("no-such-config")
