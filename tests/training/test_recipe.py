# SPDX-License-Identifier: GPL-3.0-or-later
"""From BVH files to a bundle that the engine runs, with networks so small that it takes seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import repeat

import numpy as np
import pytest
import torch

from motion_engine import bundle as bundles
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from training import loop
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


def test_a_finished_run_is_left_as_it_is(trained, config, mocap_folder):
    run = trained / "run"
    before = (run / "mld.pt").read_bytes()
    recipe(config, mocap_folder, run, trained / "models" / "again", "the command")
    assert (run / "mld.pt").read_bytes() == before


def test_a_run_can_start_from_the_weights_of_another(trained, config, mocap_folder, tmp_path):
    """With no steps of its own it has the other's networks."""
    still = replace(
        config,
        vae_training=replace(config.vae_training, steps=0),
        mld_training=replace(config.mld_training, steps=0),
        lcm_training=replace(config.lcm_training, steps=0),
    )
    recipe(still, mocap_folder, tmp_path / "run", tmp_path / "bundle", "again", start_from=trained / "run")
    for name in ("vae", "mld", "motionlcm"):
        before, after = (torch.load(run / f"{name}.pt")["ema"] for run in (trained / "run", tmp_path / "run"))
        for key, weights in before.items():
            torch.testing.assert_close(after[key], weights)


def test_an_interrupted_stage_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    """Stopped in its sixth step, it makes only the steps that are missing, and the log tells of each."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    made = []

    def run(stop_at):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)

        def losses(batch):
            if len(made) == stop_at:
                raise KeyboardInterrupt
            made.append(len(made))
            return {"loss": network(batch).square().mean()}

        loop.train(
            network, lambda first: repeat(torch.ones(4, 3)), losses, folder=tmp_path, name="stage", steps=10,
            learning_rate=0.1, ema=loop.EMA(network, 0.9),
        )  # fmt: skip
        return network

    with pytest.raises(KeyboardInterrupt):
        run(stop_at=5)
    assert not loop.is_finished(tmp_path, "stage", 10)
    stopped = torch.load(tmp_path / "stage.pt", weights_only=True)
    assert stopped["step"] == 5
    network = run(stop_at=None)
    assert len(made) == 10 and loop.is_finished(tmp_path, "stage", 10)
    assert not torch.equal(network.weight, stopped["module"]["weight"])
    log = [json.loads(line) for line in (tmp_path / "stage.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, 11))
    assert log[5]["loss"] < log[0]["loss"], "it began anew"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["stage.jsonl", "stage.pt"]


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
