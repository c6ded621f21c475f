# SPDX-License-Identifier: GPL-3.0-or-later
"""The student's adapter on moments: the Fréchet distance falls, and the adapter stands beside another."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine.bundle import find
from motion_engine.engine import Engine
from motion_engine.weights import read
from training import loop, low_rank
from training.config import AdapterSection, LCMMoments
from training.data.motion_set import MotionSet
from training.evaluate import metrics
from training.export.adapter import stored_adapter
from training.frechet import FrechetQueue
from training.recipe import extend_run, recipe, train_stage
from training.restore import restore
from training.train_lcm_moments import NAME

MOMENTS = LCMMoments(
    steps=60, batch=8, learning_rate=2e-2, guidance_range=[1.5, 3.5], ema=0.5, warm_up=2, sampler_steps=4,
    taught=[0, 3], weights=[1.0, 1.4], queue=24, tokens=0.1, keep=0.1, huber=0.5, judge_width=16, judge_steps=4,
    rarity=0.5, shares={"waves": 0.7, "walks": 0.3},
)  # fmt: skip


def samples(count: int, spread: float, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mixed = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    return torch.randn(count, 5, generator=random) @ mixed * spread + spread


def test_the_distance_is_that_of_the_metrics():
    made, wanted = samples(400, 1.0, 1), samples(400, 0.7, 2)
    queue = FrechetQueue(400)
    queue.add(made, wanted)
    scale = float(np.trace(np.cov(wanted.numpy().T)))
    assert queue.distance == pytest.approx(metrics.fid(wanted.numpy(), made.numpy()) / scale, rel=0.02)
    queue.add(made[:150], wanted[:150])
    assert len(queue.made) == len(queue.wanted) == 400
    assert torch.equal(queue.made[-150:], made[:150])


def test_the_pull_is_the_derivative_of_the_distance():
    made, wanted = samples(300, 1.0, 1), samples(300, 0.7, 2)
    queue = FrechetQueue(300)
    queue.add(made, wanted)
    given = made.clone().requires_grad_()
    queue.pull(given).backward()
    direction = samples(300, 0.3, 3)
    told = float((given.grad * direction).sum())
    found = []
    for size in (1e-3, -1e-3):
        moved = FrechetQueue(300)
        moved.add(made + size * direction, wanted)
        found.append(moved.distance)
    assert told == pytest.approx((found[0] - found[1]) / 2e-3, rel=0.02)


def test_going_down_makes_the_moments_alike():
    made, wanted = samples(300, 1.0, 1).requires_grad_(), samples(300, 0.5, 2)
    optimiser = torch.optim.Adam([made], lr=0.02)
    queue = FrechetQueue(300)
    queue.add(made, wanted)
    before = queue.distance
    for _ in range(150):
        optimiser.zero_grad()
        queue.pull(made).backward()
        optimiser.step()
        queue.add(made, wanted)
    assert queue.distance < 0.05 * before


@pytest.fixture(scope="module")
def trained(config, mocap_folder, tmp_path_factory):
    """A tiny run, its bundle, and the configuration of this stage."""
    folder = tmp_path_factory.mktemp("moments")
    recipe(config, mocap_folder, folder / "run", folder / "before" / "tiny", "")
    return folder, replace(config, adapter=AdapterSection("tiny", 2), lcm_moments=MOMENTS)


def test_the_distance_falls_and_the_adapter_stands_beside_another(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(low_rank, "SMALLEST", 512)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    folder, config = trained
    bundle = find(folder / "before" / "tiny")
    restore(bundle, tmp_path / "start")
    motion_set = MotionSet.load(folder / "run" / "motions.npz")
    train_stage(NAME, config, motion_set, tmp_path / "run", tmp_path / "start")
    rows = [json.loads(line) for line in (tmp_path / "run" / f"{NAME}.jsonl").read_text().splitlines()]
    first, last = (np.mean([row["distance"] for row in part]) for part in (rows[:5], rows[-5:]))
    assert last < first
    assert rows[-1]["kept"] > 0
    assert {"judge_full", "judge_essential"} <= {path.name for path in (tmp_path / "run").iterdir()}

    one = tmp_path / "one" / "tiny"
    extend_run(config, bundle, tmp_path / "run", one, "")
    tuned = replace(config, presets=config.presets | {"motionlcm": {"steps": 2, "guidance": 5.5}})
    extend_run(tuned, find(one), tmp_path / "run", tmp_path / "two" / "tiny", "", 0.5, beside=2)
    found = find(tmp_path / "two" / "tiny")  # checks every hash
    assert found.samplers["motionlcm"]["guidance"] == 5.5
    assert found.samplers["motionlcm"]["grid"] == bundle.samplers["motionlcm"]["grid"]
    names = ["motionlcm.adapter.safetensors", "motionlcm.2.adapter.safetensors"]
    assert found.manifest["adapters"]["motionlcm"] == names
    kinds = [{value.dtype.name for value in read(found.path / name).values()} for name in names]
    assert kinds == [{"float16"}, {"int8", "float16"}]
    alone, both = stored_adapter(find(one), "motionlcm"), stored_adapter(found, "motionlcm")
    for key in [key.removesuffix(".up") for key in alone if key.endswith(".up")]:
        change, twice = (each[f"{key}.up"] @ each[f"{key}.down"] for each in (alone, both))
        torch.testing.assert_close(
            twice, 1.5 * change, atol=0.02 * float(change.abs().max()) + 1e-6, rtol=0.02
        )
    joined = tmp_path / "three" / "tiny"
    extend_run(config, found, tmp_path / "run", joined, "")  # all in one again, with no file left behind
    assert find(joined).manifest["adapters"]["motionlcm"] == names[0]
    assert names[1] not in find(joined).manifest["files"] and not (joined / names[1]).exists()
    with pytest.raises(ValueError, match="1 or more, not 0"):
        extend_run(config, bundle, tmp_path / "run", tmp_path / "none" / "tiny", "", beside=0)
    assert not (tmp_path / "none").exists()

    random = np.random.default_rng(0)
    given = {
        "latents": random.standard_normal((1, 6, config.vae.latent_channels), dtype=np.float32),
        "time": np.array([999.0], np.float32), "guidance": np.array([2.5], np.float32),
        "text": random.standard_normal((1, 4, config.denoiser.text_width), dtype=np.float32),
    }  # fmt: skip
    before, after, same = (
        Engine(each, "cpu", backend).network("motionlcm")(given)[0]
        for each, backend in ((bundle, "onnx"), (found, "onnx"), (found, "torch"))
    )
    assert np.abs(before - after).max() > 0.01 * np.abs(before).max()
    np.testing.assert_allclose(after, same, atol=0.02 * float(np.abs(after).max()))


def test_judges_of_a_finished_stage_are_kept(trained, tmp_path):
    folder, config = trained
    motion_set = MotionSet.load(folder / "run" / "motions.npz")
    short = replace(config, lcm_moments=replace(MOMENTS, steps=1))
    train_stage(NAME, short, motion_set, tmp_path / "run", folder / "run")
    judge = tmp_path / "run" / "judge_full" / "evaluator.pt"
    at = judge.stat().st_mtime_ns
    longer = replace(config, lcm_moments=replace(MOMENTS, steps=2))
    train_stage(NAME, longer, motion_set, tmp_path / "run", folder / "run")
    assert judge.stat().st_mtime_ns == at
    assert torch.load(tmp_path / "run" / f"{NAME}.pt", weights_only=True)["step"] == 2


@pytest.mark.parametrize(
    ("change", "words"), [({"lcm_moments": None}, "lcm_moments"), ({"adapter": None}, "--rank")]
)
def test_moments_need_settings_and_an_adapter(trained, tmp_path, change, words):
    folder, config = trained
    motion_set = MotionSet.load(folder / "run" / "motions.npz")
    with pytest.raises(ValueError, match=words):
        train_stage(NAME, replace(config, **change), motion_set, tmp_path, folder / "run")


def test_moments_need_a_student(trained, tmp_path):
    folder, config = trained
    motion_set = MotionSet.load(folder / "run" / "motions.npz")
    restore(find(folder / "before" / "tiny"), tmp_path)
    with pytest.raises(ValueError, match="--start-from"):
        train_stage(NAME, config, motion_set, tmp_path)
