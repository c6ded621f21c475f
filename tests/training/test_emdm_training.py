# SPDX-License-Identifier: GPL-3.0-or-later
"""The latent EMDM on made-up clips: it trains, resumes along the same curve, and its bundle offers the sampler."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_engine import bench, features, skeleton
from motion_engine import quaternion as quat
from motion_engine.bundle import find
from motion_engine.cli import main
from motion_engine.client import start_engine
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.motion import Motion
from motion_engine.runtime.torch.backend import stored_weights
from motion_engine.runtime.torch.emdm import teacher_times
from motion_engine.samplers import emdm
from motion_engine.samplers.schedule import ALPHA_BAR
from training import loop
from training.config import AdapterSection
from training.curves import draw_curves
from training.data.motion_set import MotionSet
from training.ddim import clean_and_noise
from training.denoising_gan import gradient_penalty
from training.evaluate.generated import model_rows
from training.recipe import export_run, extend_run, recipe, train_stage
from training.restore import restore
from training.train_emdm import (
    foot_slide,
    load_emdm,
    make_discriminator,
    make_generator,
    train_emdm,
    warm_start,
)
from training.train_lcm import load_lcm
from training.train_mld import latent_data, load_mld


@pytest.fixture(scope="module")
def run(emdm_config, mocap_folder, tmp_path_factory):
    """A finished run of the recipe, with the stage after it."""
    folder = tmp_path_factory.mktemp("run")
    recipe(emdm_config, mocap_folder, folder / "run", folder / "without" / "tiny", "")
    assert not (folder / "run" / "emdm.pt").exists(), "the recipe trains it only when it is asked for"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        train_stage("emdm", emdm_config, MotionSet.load(folder / "run" / "motions.npz"), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def bundle(emdm_config, run):
    out = run.parent / "with" / "tiny"
    export_run(emdm_config, MotionSet.load(run / "motions.npz"), run, out, "")
    return out


def rows_of(folder):
    return [json.loads(line) for line in (folder / "emdm.jsonl").read_text().splitlines()]


def test_the_log_tells_losses_and_balance(run, tmp_path):
    rows = rows_of(run)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    told = {"discriminator", "logit_real", "logit_fake", "right_real", "right_fake", "adversarial"}
    told |= {"reconstruction", "geometric", "foot", "loss"}
    assert all(told <= set(row) for row in rows)
    assert [row["step"] for row in rows if "r1" in row] == [1, 4]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    draw_curves(run / "emdm.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_both_networks_have_learned(run, emdm_config):
    state = torch.load(run / "emdm.pt", weights_only=True)
    fresh = {"module": make_generator(emdm_config), "discriminator": make_discriminator(emdm_config)}
    for part, network in fresh.items():
        names = dict(network.named_parameters())
        assert set(state[part]) == set(names)
        assert all(torch.isfinite(value).all() for value in state[part].values())
    # the last map of z began at zero
    assert state["module"]["noise.4.weight"].abs().max() > 0


def test_an_interrupted_run_resumes_to_the_same_curve(run, emdm_config, tmp_path, monkeypatch):
    """Two networks, two optimisers, the average: every loss of every step, to the last digit."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    for name in ("vae.pt", "normaliser.npz", "captions.npz", "mld.pt"):
        shutil.copy(run / name, tmp_path / name)
    data = latent_data(emdm_config, MotionSet.load(run / "motions.npz"), tmp_path)
    steps, backward = 0, torch.Tensor.backward

    def interrupted(tensor, *arguments, **more):
        nonlocal steps
        steps += 1
        if steps == 8:  # the generator's turn of the fourth step: the discriminator has moved already
            raise KeyboardInterrupt
        return backward(tensor, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "backward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_emdm(emdm_config, data, tmp_path)
    train_emdm(emdm_config, data, tmp_path)

    def told(folder):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(folder)]

    assert told(tmp_path) == told(run)
    for part in ("module", "ema", "discriminator"):
        one, other = (torch.load(folder / "emdm.pt", weights_only=True)[part] for folder in (run, tmp_path))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_generator_begins_as_its_teacher(run, emdm_config):
    """Before training it names the clean latents that the teacher names at the same level of noise."""
    torch.manual_seed(0)
    latents, text, z = torch.randn(4, 9, 4), torch.randn(4, 5, 384), torch.randn(4, 8)
    time = torch.arange(4)
    shares = torch.tensor(emdm.alpha_bar(4)[1:]).float()[:, None, None]
    for name, w in (("mld", None), ("motionlcm", torch.full((4,), 3.0))):  # the preset's scale is 4
        generator = make_generator(emdm_config)
        warm_start(generator, emdm_config, run, name)
        teacher = load_mld(emdm_config, run) if name == "mld" else load_lcm(emdm_config, run)
        with torch.no_grad():
            output = teacher(latents, torch.from_numpy(teacher_times(4)), text, w)
            expected, _ = clean_and_noise(output, latents, shares, "v")
            torch.testing.assert_close(generator.eval()(latents, time, text, z), expected)


def test_times_of_the_teacher_have_the_noise_of_the_levels():
    found = teacher_times(10)
    near = ALPHA_BAR[np.round(found).astype(int)]
    np.testing.assert_allclose(near, np.maximum(emdm.alpha_bar(10)[1:], ALPHA_BAR[-1]), atol=2e-3)
    assert found[-1] == 999


def test_the_discriminator_honours_lengths_and_reads_the_words(emdm_config):
    torch.manual_seed(0)
    network = make_discriminator(emdm_config)
    earlier, later, text = torch.randn(2, 9, 4), torch.randn(2, 9, 4), torch.randn(2, 5, 384)
    mask = torch.arange(9) < torch.tensor([[9], [4]])
    words = torch.arange(5) < torch.tensor([[5], [3]])
    time = torch.tensor([1, 2])
    before = network(earlier, later, time, text, mask, words)
    spoiled = [torch.where(mask[..., None], x, torch.full_like(x, 99.0)) for x in (earlier, later)]
    other = torch.where(words[..., None], text, torch.full_like(text, 99.0))
    torch.testing.assert_close(network(*spoiled, time, other, mask, words), before)
    alone = network(earlier[1:, :4], later[1:, :4], time[1:], text[1:, :3], mask[1:, :4], words[1:, :3])
    torch.testing.assert_close(alone, before[1:])
    for changed in (
        network(earlier + 0.1, later, time, text, mask, words),
        network(earlier, later + 0.1, time, text, mask, words),
        network(earlier, later, time + 1, text, mask, words),
        network(earlier, later, time, -text, mask, words),
    ):
        assert (changed - before).abs().min() > 1e-6


def test_the_penalty_is_the_squared_gradient_and_has_a_gradient_itself(emdm_config):
    data = torch.randn(3, 5, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 0.0, 0.0, 2.0], requires_grad=True)
    penalty = gradient_penalty(data @ weight, data)
    assert float(penalty.detach()) == pytest.approx(9.0)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())


def test_foot_slide_is_the_speed_of_feet_that_should_stand():
    turns = np.zeros((20, 22, 3))
    root = np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (20, 1))
    sliding = root + np.arange(20)[:, None] * [0.0, 0.0, 0.03]
    still, moving = (
        torch.from_numpy(
            features.encode(Motion.from_rotations(quat.from_axis_angle(turns), path, 20.0))
        ).float()[None]
        for path in (root, sliding)
    )
    mask = torch.ones(still.shape[:2], dtype=torch.bool)
    assert float(foot_slide(moving, still, mask)) == pytest.approx(0.03, abs=1e-4)
    assert float(foot_slide(still, still, mask)) < 1e-4
    assert float(foot_slide(moving, moving, mask)) == 0.0, "feet that travel may"


def test_the_bundle_offers_the_sampler_and_both_backends_agree(bundle):
    engine = Engine.load(bundle, threads=1)
    assert engine.bundle.samplers["emdm"] == {"steps": 4, "guidance": 2.5, "levels": 4, "noise_width": 8}
    assert engine.bundle.default_sampler == "motionlcm"
    request = GenerateRequest("a person waves", duration=3.0, seed=5, sampler="emdm")
    told = []
    by_onnx = engine.generate(request, on_progress=lambda i, n: told.append((i, n)))[0]
    by_torch = Engine.load(bundle, backend="torch", device="cpu").generate(request)[0]
    np.testing.assert_allclose(by_onnx.joints, by_torch.joints, atol=1e-3)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert by_onnx.provenance["sampler"] == "emdm" and by_onnx.provenance["steps"] == 4
    again = engine.generate(request)[0]
    np.testing.assert_array_equal(again.joints, by_onnx.joints)
    other = engine.generate(replace(request, seed=6))[0]
    assert np.abs(other.joints - by_onnx.joints).max() > 1e-4


def test_an_adapter_takes_a_generator_to_other_levels(bundle, run, emdm_config, tmp_path):
    base = find(bundle)
    restore(base, tmp_path / "start")
    more = replace(
        emdm_config,
        emdm=replace(emdm_config.emdm, levels=emdm_config.emdm.levels + 2),
        presets={**emdm_config.presets, "emdm": {"steps": emdm_config.emdm.levels + 2, "guidance": 2.0}},
    )
    adapting = replace(more, adapter=AdapterSection("tiny", 2))
    # what a bundle gives back has no discriminator: a new one begins
    train_stage("emdm", adapting, MotionSet.load(run / "motions.npz"), tmp_path / "more", tmp_path / "start")
    extend_run(more, base, tmp_path / "more", tmp_path / "tiny", "")
    found = find(tmp_path / "tiny")
    assert set(found.manifest["adapters"]) == {"emdm"}
    assert found.samplers["emdm"]["levels"] == found.samplers["emdm"]["steps"] == more.emdm.levels
    for name in ("emdm.safetensors", "mld.safetensors"):
        assert found.manifest["files"][name] == base.manifest["files"][name]
    request = GenerateRequest("a person waves", 2.0, sampler="emdm")
    one, other = (Engine(found, "cpu", backend).generate(request)[0].joints for backend in ("onnx", "torch"))
    np.testing.assert_allclose(one, other, atol=2e-3)
    wanted = load_emdm(more, tmp_path / "more").state_dict()
    for key, value in stored_weights(found, "emdm").items():
        assert torch.allclose(value, wanted[key], atol=0.02 * float(wanted[key].abs().max()) + 1e-4), key


def test_an_adapter_of_emdm_needs_a_generator(emdm_config, run, tmp_path):
    adapting = replace(emdm_config, adapter=AdapterSection("tiny", 2))
    with pytest.raises(ValueError, match="--start-from"):
        train_emdm(adapting, None, tmp_path)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_fewer_steps_and_no_guidance(bundle, steps):
    engine = Engine.load(bundle, threads=1)
    request = GenerateRequest("a person waves", duration=2.0, sampler="emdm", steps=steps, guidance=1.0)
    motion = engine.generate(request)[0]
    assert motion.n_frames == 40 and np.isfinite(motion.joints).all()


@pytest.mark.parametrize("steps", [0, -1, 5, 50])
def test_steps_that_the_schedule_lacks(bundle, steps):
    engine = Engine.load(bundle, threads=1)
    with pytest.raises(EngineError, match=rf"takes 1 to 4 steps, not {steps}\.") as caught:
        engine.generate(GenerateRequest("a person waves", sampler="emdm", steps=steps))
    assert caught.value.code == "bad_steps" and "4 is usual" in caught.value.fix


@pytest.mark.parametrize("guidance", [0.0, 0.99, 21.0, float("nan")])
def test_guidance_that_cannot_be(bundle, guidance):
    with pytest.raises(EngineError, match="cannot be used"):
        Engine.load(bundle, threads=1).generate(
            GenerateRequest("a person waves", sampler="emdm", guidance=guidance)
        )


def test_a_bundle_without_the_sampler_says_what_it_has(run):
    engine = Engine.load(run.parent / "without" / "tiny", threads=1)
    with pytest.raises(EngineError, match="has no sampler 'emdm'") as caught:
        engine.generate(GenerateRequest("a person waves", sampler="emdm"))
    assert "motionlcm, mld" in caught.value.fix


def changed_bundle(bundle, folder, replaced, **preset):
    """A copy with other files in place of some, and hashes that agree."""
    import hashlib

    copy = shutil.copytree(bundle, folder)
    for name, source in replaced.items():
        shutil.copy(source, copy / name)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["samplers"]["emdm"] |= preset
    for name in replaced:
        manifest["files"][name] = hashlib.sha256((copy / name).read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize("backend", ["onnx", "torch"])
@pytest.mark.parametrize("other", ["motionlcm", "mld"])
def test_another_network_in_its_place_is_refused(bundle, tmp_path, backend, other):
    """Not only by its hash: a graph of another kind would give noise that looks like a motion."""
    request = GenerateRequest("a person waves", duration=2.0, sampler="emdm")
    files = {f"emdm.{suffix}": bundle / f"{other}.{suffix}" for suffix in ("onnx", "safetensors")}
    wrong = changed_bundle(bundle, tmp_path / "wrong", files)
    with pytest.raises(EngineError) as caught:
        Engine.load(wrong, backend=backend, device="cpu", threads=1).generate(request)
    assert caught.value.code == "broken_network" and "emdm" in caught.value.message


def test_a_generator_of_another_size_and_a_preset_that_lacks_something(bundle, tmp_path):
    request = GenerateRequest("a person waves", duration=2.0, sampler="emdm")
    wrong = changed_bundle(bundle, tmp_path / "wide", {}, noise_width=9)
    with pytest.raises(EngineError, match=r"emdm\.onnx does not fit its bundle"):
        Engine.load(wrong, threads=1).generate(request)
    manifest = json.loads((wrong / "manifest.json").read_text())
    del manifest["samplers"]["emdm"]["levels"]
    (wrong / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EngineError, match="sampler emdm of wide lacks levels"):
        Engine.load(wrong)


def test_the_command_line_makes_it_and_says_what_a_bundle_lacks(bundle, run, tmp_path, capsys):
    clip = tmp_path / "wave.npz"
    asked = ["generate", "a person waves", "--duration", "2", "--sampler", "emdm", "--out", str(clip)]
    assert main([*asked, "--bundle", str(bundle)]) == 0
    with np.load(clip) as made:
        assert np.isfinite(made["joints"]).all()
    clip.unlink()
    assert main([*asked, "--bundle", str(run.parent / "without" / "tiny")]) == 2
    assert "has no sampler 'emdm'" in capsys.readouterr().err and not clip.exists()


def test_the_service_makes_it(bundle):
    """Over HTTP: the list of models names the sampler, progress counts its steps."""
    with start_engine(["--bundle", str(bundle), "--device", "cpu", "--threads", "1"]) as engine:
        engine.wait_until_ready()
        body = {"prompt": "a person waves", "duration": 2.0, "sampler": "emdm", "guidance": 1.0}
        events = list(engine.generate(body))
        assert [event["step"] for event in events if event["event"] == "progress"] == [1, 2, 3, 4]
        assert events[-1]["event"] == "done"
        with pytest.raises(EngineError, match="takes 1 to 4 steps, not 9"):
            list(engine.generate({**body, "steps": 9}))


def test_the_benchmark_has_rows_for_it(bundle):
    rows = list(bench._generation(1, str(bundle), "cpu", "onnx"))
    named = {row.name: row for row in rows}
    assert named["EMDM, 4 s clip, 4 steps"].median > 0
    assert named["EMDM, 4 s clip, 4 steps"].bar == 150.0
    assert bench.format_row(rows[-1]).endswith((" ok", " MISSED"))


def test_the_report_has_a_row_for_it(bundle):
    rows = model_rows(Engine.load(bundle, threads=1).bundle)
    assert [row.name for row in rows][-1] == "EMDM, 4 steps" and rows[0].name == "MLD, 50 steps"


def test_configurations_that_cannot_be_trained_are_named(config, emdm_config, run):
    with pytest.raises(ValueError, match=r"lacks the section \[emdm\]"):
        train_stage("emdm", replace(config, emdm_training=emdm_config.emdm_training), None, run.parent / "x")
    for changes, sentence in (
        ({"warm_start": "teacher"}, "warm_start is one of"),
        ({"penalty_every": 0}, "penalty_every is 1 or more"),
    ):
        wrong = replace(emdm_config, emdm_training=replace(emdm_config.emdm_training, **changes))
        with pytest.raises(ValueError, match=sentence):
            make_generator(wrong)
    with pytest.raises(ValueError, match="levels and noise_width are 1 or more"):
        make_generator(replace(emdm_config, emdm=replace(emdm_config.emdm, levels=0)))


def test_the_curves_of_a_stage_that_never_ran(tmp_path):
    repository = Path(__file__).resolve().parents[2]
    command = ["-m", "training", "curves", str(tmp_path / "emdm.jsonl"), "--out", str(tmp_path / "x.png")]
    done = subprocess.run(
        [sys.executable, *command], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "is missing" in done.stderr
