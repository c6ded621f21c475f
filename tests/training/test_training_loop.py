# SPDX-License-Identifier: GPL-3.0-or-later
"""Interruptions and full memory change nothing about what is learned."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import repeat

import pytest
import torch

from training import loop
from training.data.motion_set import MotionSet
from training.recipe import recipe
from training.train_mld import latent_data, train_mld
from training.train_vae import load_vae, train_vae


@pytest.fixture(scope="module")
def run(config, mocap_folder, tmp_path_factory):
    """A finished tiny run and its set."""
    folder = tmp_path_factory.mktemp("whole")
    recipe(config, mocap_folder, folder / "run", folder / "bundle", "")
    return folder / "run"


def curve(folder, name):
    lines = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


@pytest.mark.parametrize("stage", ["vae", "mld"])
def test_an_interrupted_run_resumes_to_the_same_loss_curve(run, config, tmp_path, monkeypatch, stage):
    motion_set = MotionSet.load(run / "motions.npz")
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    if stage == "mld":
        for name in ("vae.pt", "normaliser.npz", "captions.npz"):
            (tmp_path / name).symlink_to(run / name)

    def train(folder):
        folder.mkdir(exist_ok=True)
        if stage == "vae":
            train_vae(config, motion_set, folder)
        else:
            train_mld(config, latent_data(config, motion_set, tmp_path), folder)

    train(tmp_path / "whole")
    steps = 0
    backward = torch.Tensor.backward

    def interrupted(tensor, *arguments, **more):
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        return backward(tensor, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "backward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped")
    train(tmp_path / "stopped")
    assert len(curve(tmp_path / "whole", stage)) >= 6
    assert curve(tmp_path / "stopped", stage) == curve(tmp_path / "whole", stage)


def test_a_batch_that_does_not_fit_is_worked_off_in_parts_and_that_is_said(tmp_path, capsys):
    data = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))

    def weights(largest, folder):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)

        def losses(batch):
            if len(batch) > largest:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return {"loss": network(batch).square().mean()}

        loop.train(
            network, lambda first: repeat(data), losses, folder=folder, name="stage", steps=5, learning_rate=0.1,
            ema=loop.EMA(network, 0.9),
        )  # fmt: skip
        return network.weight

    whole, parts = weights(8, tmp_path / "whole"), weights(2, tmp_path / "parts")
    torch.testing.assert_close(whole, parts)
    printed = capsys.readouterr()
    assert "out of memory" in printed.out + printed.err and "in 4 parts" in printed.out + printed.err


def test_memory_that_never_suffices_ends_the_run_with_the_error(tmp_path):
    network = torch.nn.Linear(3, 1)

    def losses(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        loop.train(
            network, lambda first: repeat(torch.ones(32, 3)), losses, folder=tmp_path, name="stage", steps=2,
            learning_rate=0.1, ema=loop.EMA(network, 0.9),
        )  # fmt: skip


def test_a_checkpoint_of_another_model_is_named(run, config, tmp_path):
    other = replace(config, vae=replace(config.vae, width=16))
    with pytest.raises(ValueError, match=r"vae\.pt holds another network than the configuration describes"):
        load_vae(other, run)
    torch.save({"weights": torch.ones(3)}, tmp_path / "vae.pt")
    with pytest.raises(ValueError, match="made by another program"):
        load_vae(config, tmp_path)
    (tmp_path / "vae.pt").write_bytes((run / "vae.pt").read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged"):
        load_vae(config, tmp_path)
    with pytest.raises(FileNotFoundError, match="run the stage that makes it first"):
        load_vae(config, tmp_path / "nothing")
