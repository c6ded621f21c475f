# SPDX-License-Identifier: GPL-3.0-or-later
"""The captioners of a bundle say what its engine says, and get their rows on the page."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from evaluate_set import small_set

from motion_engine.captioning.canonical import Clip
from motion_engine.engine import Engine
from training.__main__ import main
from training.data.motion_set import MotionSet
from training.evaluate import train_evaluator
from training.evaluate.bundle_captioners import PLAIN, JointSpace, bundle_captioners
from training.evaluate.caption_tables import read_ablation
from training.evaluate.own_evaluator import EvaluatorConfig
from training.export.random_bundle import write_random_bundle


@pytest.fixture(scope="module")
def motion_set():
    whole = small_set(takes=1)
    windows = [window for window in whole.windows if window.clip in list(whole.motions)[:12]]
    return MotionSet({window.clip: whole.motions[window.clip] for window in windows}, windows, whole.fps)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.set_num_threads(1)
    return write_random_bundle(tmp_path_factory.mktemp("bundle"), samplers=("motionlcm",), captions=True)


@pytest.fixture(scope="module")
def engine(bundle):
    return Engine.load(bundle, device="cpu", threads=1)


def test_captioners(engine, motion_set):
    motions = list(motion_set.motions.values())[:3]
    captioners = bundle_captioners(engine, (1, 3))
    shipped = next(name for name in captioners if name.startswith("as shipped"))
    assert list(captioners) == [PLAIN, "MoTe, 1 step", "MoTe, 3 steps", shipped]
    said = {name: captioner(motions) for name, captioner in captioners.items()}
    for captioner in captioners.values():
        alone = captioner(motions[1:2])
        assert len(alone) == 1 and isinstance(alone[0][0], str)
    results = engine.caption([Clip.of(motion) for motion in motions])
    assert [sentence for sentence, _ in said[shipped]] == [result.text for result in results]
    assert len({str(said[name]) for name in captioners}) == 4, "each goes a road of its own"
    for sentence, others in said[PLAIN]:
        assert sentence and sentence not in others


def test_joint_space(engine, motion_set):
    space = JointSpace(engine)
    motions = list(motion_set.motions.values())[:3]
    made = engine.embed(["a person bows"], [Clip.of(motion) for motion in motions])
    rows = space.embed_motions(motions)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    assert (rows * made.clips).sum(axis=1).min() > 0.99, "as the engine's"
    assert np.allclose(space.embed_texts(["a person bows"]), made.texts, atol=1e-5)


def test_the_page(bundle, motion_set, tmp_path, monkeypatch):
    motion_set.save(tmp_path / "set.npz")
    small = EvaluatorConfig("all-MiniLM-L6-v2", width=16, embedding=8)
    train_evaluator.train_evaluator(motion_set, tmp_path / "evaluator", small, steps=1, batch=4)
    command = [
        "caption-scores", "--bundle", str(bundle), "--set", str(tmp_path / "set.npz"), "--run",
        str(tmp_path / "run"), "--evaluator", str(tmp_path / "evaluator"), "--out", str(tmp_path / "out"),
        "--runs", "1", "--threads", "1", "--samples", "2", "--mote-steps", "2",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["python -m training", *command])
    assert main() == 0
    page = (tmp_path / "out" / "captions.md").read_text()
    data = json.loads((tmp_path / "out" / "captions.json").read_text())
    names = [row["name"] for row in data["rows"]]
    assert names[:4] == ["real", "nearest neighbour", PLAIN, "MoTe, 2 steps"] and "as shipped" in names[4]
    assert list(data["retrieval"]) == ["joint space of random", "own, 259 features"]
    assert all(row["ms"] > 0 for row in data["rows"][1:])
    assert data["rows"][0]["r1"] is None, "two windows fill no group of 32"
    assert "has no joint space" not in page and f"**{names[4]}: " in page


def test_a_row_of_the_ablation_needs_mote_as_a_sampler(bundle, motion_set, tmp_path, monkeypatch, capsys):
    motion_set.save(tmp_path / "set.npz")
    small = EvaluatorConfig("all-MiniLM-L6-v2", width=16, embedding=8)
    train_evaluator.train_evaluator(motion_set, tmp_path / "evaluator", small, steps=1, batch=4)
    offering = tmp_path / "offering"
    shutil.copytree(bundle, offering)
    manifest = json.loads((offering / "manifest.json").read_text())
    manifest["samplers"]["mote"] = {"steps": 2, "guidance": 2.0}
    (offering / "manifest.json").write_text(json.dumps(manifest))
    rest = [
        "--set", str(tmp_path / "set.npz"), "--run", str(tmp_path / "run"), "--evaluator",
        str(tmp_path / "evaluator"), "--steps", "2", "--samples", "2", "--threads", "1",
    ]  # fmt: skip
    for folder, code in ((bundle, 2), (offering, 0)):
        command = ["mote-row", "--bundle", str(folder), "--name", "small", *rest]
        monkeypatch.setattr(sys, "argv", ["python -m training", *command])
        assert main() == code
    assert "does not offer MoTe as a sampler" in capsys.readouterr().err
    (row,) = read_ablation(tmp_path / "run" / "ablation.jsonl")
    assert row["interaction"] == manifest["networks"]["mote"]["interaction"]
    assert row["parameters"] > 1000 and row["ms"] > 0 and row["bleu1"] >= 0
