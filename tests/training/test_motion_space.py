# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM on frames in place of latents: frames side by side are exact, and a bundle of them runs like any other."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine import features
from motion_engine.bundle import find
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.runtime.torch.emdm import WindowsOut
from motion_engine.runtime.torch.vae import MotionVAE, VAEConfig
from training.config import Config
from training.data.motion_set import MotionSet
from training.data.training_items import training_items
from training.denoising_gan import Diffusion
from training.latents import batches
from training.motion_space import begin_in_motion_space, map_in
from training.recipe import export_run, recipe, train_stage
from training.restore import restore
from training.train_emdm import emdm_sections, make_generator
from training.train_mld import latent_data
from training.train_vae import train_vae

FRAMES = VAEConfig(width=0, latent_channels=1052, downsampling=4, blocks=0)


def in_motion_space(config, **changes):
    changes = {"warm_start": "", **changes}
    return replace(
        config,
        vae=FRAMES,
        vae_training=replace(config.vae_training, steps=0),
        emdm_training=replace(config.emdm_training, **changes),
    )


@pytest.fixture(scope="module")
def latent_bundle(config, mocap_folder, tmp_path_factory):
    """A bundle whose teacher knows latents, and its run."""
    folder = tmp_path_factory.mktemp("latent")
    recipe(config, mocap_folder, folder / "run", folder / "models" / "tiny", "")
    return folder


@pytest.fixture(scope="module")
def trained(emdm_config, latent_bundle, tmp_path_factory):
    """A finished run in motion space that begins with the teacher of the other bundle, its set and its bundle."""
    folder = tmp_path_factory.mktemp("frames")
    config = in_motion_space(emdm_config, warm_start=str(latent_bundle / "models" / "tiny"))
    motion_set = MotionSet.load(latent_bundle / "run" / "motions.npz")
    for stage in ("vae", "emdm"):
        train_stage(stage, config, motion_set, folder / "run")
    export_run(config, motion_set, folder / "run", folder / "models" / "frames", "")
    return folder, config, motion_set


def test_frames_side_by_side_come_back_to_the_last_digit():
    vae = MotionVAE(FRAMES)
    rows = torch.randn(3, 24, features.N_FEATURES)
    mean, log_variance = vae.encode(rows)
    assert mean.shape == log_variance.shape == (3, 6, 1052)
    assert torch.equal(mean[1, 2], rows[1, 8:12].flatten()), "the first of the four frames comes first"
    assert torch.equal(vae.decode(mean), rows)
    assert float(log_variance.exp().max()) < 1e-8 and not list(vae.parameters())


@pytest.mark.parametrize("channels", [24, 263, 1051])
def test_channels_that_are_not_the_frames_numbers(channels):
    with pytest.raises(ValueError, match=rf"latent_channels must be 1052, not {channels}\."):
        MotionVAE(replace(FRAMES, latent_channels=channels))


def test_what_cannot_be_trained_on_frames_says_so(emdm_config, tmp_path):
    config = in_motion_space(emdm_config)
    for stage in ("mld", "motionlcm", "control"):
        with pytest.raises(ValueError, match=rf"width 0 the networks see frames, and {stage} is made"):
            train_stage(stage, config, None, tmp_path)
    with pytest.raises(ValueError, match="no decoder that could be trained"):
        train_vae(config, None, tmp_path, tmp_path, decoder_only=True)
    for name in ("mld", "motionlcm"):
        with pytest.raises(ValueError, match="warm_start names, with a \\[vae\\] of width 0, a bundle"):
            emdm_sections(in_motion_space(emdm_config, warm_start=name))


def test_a_teacher_that_is_missing_or_of_another_size(emdm_config, latent_bundle, tmp_path):
    generator = make_generator(in_motion_space(emdm_config))
    with pytest.raises(ValueError, match="warm_start: There is no bundle 'nowhere'"):
        begin_in_motion_space(generator, in_motion_space(emdm_config, warm_start="nowhere"), None, tmp_path)
    config = in_motion_space(emdm_config, warm_start=str(latent_bundle / "models" / "tiny"))
    wide = replace(config, denoiser=replace(config.denoiser, layers=5))
    with pytest.raises(ValueError, match=r"the teacher of .* is of another size than"):
        begin_in_motion_space(make_generator(wide), wide, None, tmp_path)


def test_the_map_in_finds_latents_and_lets_no_more_noise_through():
    """Least squares where the latents are loud enough; unit noise on the frames stays unit noise at most."""
    random = torch.Generator().manual_seed(0)
    causes = torch.randn(4000, 6, generator=random)
    patches = causes @ torch.randn(6, 40, generator=random) + 0.01 * torch.randn(4000, 40, generator=random)
    matrix = map_in(patches, causes)
    assert (patches @ matrix.T - causes).square().mean() < 0.05
    assert matrix.square().sum(dim=1).mean() <= 1.0 + 1e-6
    # latents that are quiet in the frames: the map gives up some of them rather than be drowned in noise
    quiet = map_in(0.1 * patches, causes)
    assert float(quiet.square().sum(dim=1).mean()) == pytest.approx(1.0, abs=1e-3)


def windows_out():
    """Tokens of eight numbers; each says its own number everywhere."""
    out = WindowsOut(1, 8)
    torch.nn.init.ones_(out.weight)
    return out


def test_windows_fade_into_each_other():
    said = torch.tensor([[[1.0], [2.0], [4.0]]])
    found = windows_out().blended(said, None).detach().flatten()
    assert found.shape == (24,)
    torch.testing.assert_close(found[:4], torch.ones(4), msg="nobody else speaks of the beginning")
    torch.testing.assert_close(found[20:], torch.full((4,), 4.0))
    inner = found[4:20]
    assert (torch.diff(inner) >= 0).all() and float(torch.diff(inner[:8]).max()) < 0.13
    assert float((found[7] + found[8]) / 2) == pytest.approx(1.5), "in the middle both count alike"
    torch.testing.assert_close(windows_out().blended(torch.ones(2, 5, 1), None), torch.ones(2, 5, 8))


def test_what_lies_behind_a_clips_length_is_not_blended_in():
    out = windows_out()
    said = torch.randn(2, 6, 1)
    mask = torch.arange(6) < torch.tensor([[6], [3]])
    spoiled = torch.where(mask[..., None], said, torch.full_like(said, 99.0))
    alone = out.blended(said[1:, :3], None)
    torch.testing.assert_close(out.blended(spoiled, mask)[1:, :3], alone)
    torch.testing.assert_close(out.blended(said, mask)[:1], out.blended(said[:1], None))


def test_one_deviation_for_all_channels(trained):
    """A number that never changes is no reason to divide by nothing."""
    folder, config, motion_set = trained
    with np.load(folder / "run" / "latent_stats.npz") as stats:
        assert stats["mean"].shape == stats["std"].shape == (1052,)
        assert len(np.unique(stats["std"])) == 1 and stats["std"][0] > 0.1
    data = latent_data(config, motion_set, folder / "run")
    longest = max(len(window.mean) for window in data.windows)
    assert longest <= config.data.max_frames // 4
    assert all(torch.isfinite(w.mean).all() and not w.deviation.any() for w in data.windows)
    every = torch.cat([window.mean for window in data.windows])
    assert float(every.square().mean()) == pytest.approx(1.0, abs=0.01)


def test_windows_are_the_clips_themselves(trained):
    folder, config, motion_set = trained
    item = training_items(motion_set, config.data)[0]
    window = latent_data(config, motion_set, folder / "run").windows[0]
    with np.load(folder / "run" / "latent_stats.npz") as stats:
        patches = window.mean.numpy() * stats["std"] + stats["mean"]
    with np.load(folder / "run" / "normaliser.npz") as stats:
        rows = patches.reshape(-1, features.N_FEATURES) * stats["std"] + stats["mean"]
    np.testing.assert_allclose(rows, item.features[: len(rows)], atol=1e-4)


def test_the_teachers_layers_are_the_start(trained, latent_bundle, tmp_path):
    """Its maps of frames are new, all else is the teacher's; where clips show through, it finds them."""
    torch.manual_seed(0)
    folder, config, motion_set = trained
    for name in ("vae.pt", "normaliser.npz", "captions.npz"):
        shutil.copy(folder / "run" / name, tmp_path / name)
    data = latent_data(config, motion_set, tmp_path)
    generator = make_generator(config)
    begin_in_motion_space(generator, config, data, tmp_path)
    teacher = torch.load(latent_bundle / "run" / "mld.pt", weights_only=True)["ema"]
    state = generator.state_dict()
    for key in ("positions", "length.bias", "middle.0.norm2.weight"):
        torch.testing.assert_close(state[key], teacher[key].half().float(), atol=1e-3, rtol=1e-2)
    assert state["latent_in.weight"].shape == (32, 1052)
    batch = next(batches(data.windows, data.captions, config, 32, 0.1, seed=7))
    diffusion = Diffusion(4)
    errors = []
    for level in range(4):
        time = torch.full((32,), level)
        _, later = diffusion.pair(
            batch.latents, time, torch.randn_like(batch.latents), torch.randn_like(batch.latents)
        )
        with torch.no_grad():
            made = generator(later, time, batch.text, torch.randn(32, 8), batch.mask, batch.text_mask)
        errors.append(float((made - batch.latents)[batch.mask].square().mean()))
    # a teacher of twelve steps makes nothing of noise alone
    assert errors[0] < 0.9 * float(batch.latents[batch.mask].square().mean())
    assert errors == sorted(errors), "less noise leaves more to see"


def test_the_bundle_runs_on_both_backends(trained):
    folder, _, _ = trained
    engine = Engine.load(folder / "models" / "frames", threads=1)
    assert list(engine.bundle.samplers) == ["emdm"] and engine.bundle.default_sampler == "emdm"
    request = GenerateRequest("a person waves", duration=3.05, seed=5, count=2)
    by_onnx = engine.generate(request)
    assert [motion.n_frames for motion in by_onnx] == [61, 61], "lengths between four and four frames too"
    assert by_onnx[0].provenance["sampler"] == "emdm" and np.isfinite(by_onnx[0].joints).all()
    by_torch = Engine.load(folder / "models" / "frames", backend="torch", device="cpu").generate(request)
    np.testing.assert_allclose(by_onnx[0].joints, by_torch[0].joints, atol=1e-3)
    latents = np.random.default_rng(0).standard_normal((1, 5, 1052), dtype=np.float32)
    found = engine._decoder({"latents": latents})[0]
    np.testing.assert_array_equal(found, latents.reshape(1, 20, 263))


def test_a_run_without_the_sampler_cannot_be_exported(trained, tmp_path):
    folder, config, motion_set = trained
    for name in ("vae.pt", "normaliser.npz", "latent_stats.npz"):
        shutil.copy(folder / "run" / name, tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"emdm\.pt is missing: run the stage that makes it first"):
        export_run(config, motion_set, tmp_path, tmp_path / "out", "")


def test_a_bundle_can_be_restored(trained, tmp_path):
    folder, config, motion_set = trained
    assert restore(find(folder / "models" / "frames"), tmp_path) == ["vae", "emdm"]
    export_run(config, motion_set, tmp_path, tmp_path / "again", "")
    request = GenerateRequest("a person waves", duration=2.0)
    first, again = (
        Engine.load(bundle, threads=1).generate(request)[0]
        for bundle in (folder / "models" / "frames", tmp_path / "again")
    )
    np.testing.assert_allclose(again.joints, first.joints, atol=1e-3)


def test_the_shipped_configuration_is_the_default_bundles_but_for_the_frames():
    config, base = Config.read("motion_space"), Config.read("base")
    assert config.vae == FRAMES
    assert config.data == base.data and config.denoiser == base.denoiser and config.emdm == base.emdm
    emdm_sections(config)
    MotionVAE(config.vae)
