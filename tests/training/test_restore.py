# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's folder made of a bundle, and acts that few clips show."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine import bundle as bundles
from motion_engine.runtime.onnx import OnnxNetwork, providers_for
from training.data.motion_set import MotionSet
from training.data.rarity import rarity_weights
from training.loop import read_checkpoint
from training.recipe import extend_run, recipe, train_stage
from training.restore import restore
from training.train_vae import report_reconstruction, train_vae


@pytest.fixture(scope="module")
def trained(config, mocap_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("restore")
    recipe(config, mocap_folder, folder / "run", folder / "models" / "tiny", "the command")
    return folder


def test_a_bundle_becomes_a_run_that_measures_the_same_and_can_be_trained_further(
    trained, config, mocap_folder
):
    bundle = bundles.load(trained / "models" / "tiny")
    again = trained / "again"
    assert {"vae", "mld", "motionlcm"} <= set(restore(bundle, again))
    motion_set = MotionSet.load(trained / "run" / "motions.npz")
    before = report_reconstruction(config, motion_set, trained / "run")
    after = report_reconstruction(config, motion_set, again)
    assert after["mpjpe_mm"] == pytest.approx(before["mpjpe_mm"], rel=0.05)  # weights were rounded
    still = replace(
        config,
        vae_training=replace(config.vae_training, steps=0),
        mld_training=replace(config.mld_training, steps=0),
        lcm_training=replace(config.lcm_training, steps=0),
    )
    recipe(still, mocap_folder, trained / "further", trained / "models" / "further", "again", again)
    assert bundles.load(trained / "models" / "further").name == bundle.name


def test_a_folder_with_checkpoints_is_not_overwritten(trained):
    with pytest.raises(ValueError, match="name an empty folder"):
        restore(bundles.load(trained / "models" / "tiny"), trained / "run")


def test_the_encoder_of_a_bundle_undoes_its_decoder_as_the_run_does(trained):
    bundle = bundles.load(trained / "models" / "tiny")
    encoder = OnnxNetwork(bundle.path / "encoder.onnx", providers_for("cpu"), 1)
    rows = np.zeros((1, 24, 263), dtype=np.float32)
    assert encoder({"features": rows})[0].shape == (1, 6, bundle.manifest["latent_channels"])


def test_a_decoder_trained_further_takes_the_place_of_the_bundles(trained, config, tmp_path):
    bundle = bundles.load(trained / "models" / "tiny")
    start, run, out = tmp_path / "start", tmp_path / "run", tmp_path / "new" / "tiny"
    restore(bundle, start)
    motion_set = MotionSet.load(trained / "run" / "motions.npz")
    with pytest.raises(ValueError, match="--start-from"):
        train_vae(config, motion_set, run, decoder_only=True)
    # so fast that the few steps change more than rounding does
    fast = replace(config, vae_training=replace(config.vae_training, learning_rate=0.1))
    train_stage("vae", fast, motion_set, run, start, decoder_only=True)
    shutil.copyfile(start / "latent_stats.npz", run / "latent_stats.npz")
    before, after = (read_checkpoint(folder / "vae.pt")["ema"] for folder in (start, run))
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder"}
    extend_run(config, bundle, run, out, "")
    different = {
        file.name for file in out.iterdir() if file.read_bytes() != (bundle.path / file.name).read_bytes()
    }
    assert different == {"decoder.safetensors", "manifest.json"}
    with pytest.raises(ValueError, match="no network that the bundle lacks"):
        extend_run(config, bundles.load(out), run, out, "")


def test_an_act_that_few_clips_show_is_drawn_more_often():
    captions = ["a person walks forward"] * 40 + ["a person throws a jab"] * 2
    sources = ["a"] * 21 + ["b"] * 21
    weights = rarity_weights(captions, sources, 0.5)
    assert weights[-1] > 2 * weights[21]
    assert weights[:21].mean() == pytest.approx(1) and weights[21:].mean() == pytest.approx(1)
    np.testing.assert_allclose(rarity_weights(captions, sources, 0.0), 1.0)
