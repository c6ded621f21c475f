# SPDX-License-Identifier: GPL-3.0-or-later
"""One command makes a page about a bundle, goes on where it stopped, and says what is wrong."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from evaluate_set import small_set
from PIL import Image

from motion_engine.engine import Engine
from training.__main__ import main
from training.evaluate import train_evaluator
from training.evaluate.own_evaluator import EvaluatorConfig
from training.export.random_bundle import write_random_bundle


@pytest.fixture(scope="module")
def ready(emdm_config, tmp_path_factory):
    """Folder with a set, an evaluator of two steps and a bundle of random weights."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("report")
    motion_set = small_set(takes=1)
    motion_set.save(folder / "set.npz")
    small = EvaluatorConfig("all-MiniLM-L6-v2", width=16, embedding=8)
    train_evaluator.train_evaluator(motion_set, folder / "evaluator", small, steps=2, batch=8)
    write_random_bundle(folder, emdm_config, ("motionlcm", "mld", "emdm"))
    return folder


def run(monkeypatch, folder, *words):
    command = [
        "report", "--bundle", str(folder / "random"), "--set", str(folder / "set.npz"), "--run", str(folder / "run"),
        "--evaluator", str(folder / "evaluator"), "--out", str(folder / "out"), "--runs", "2", "--sets", "2",
        "--texts", "2", "--repeats", "2", "--raw", "2", "--suite-seeds", "0", "--threads", "1",
        "--steps", "mld=11", "--steps", "motionlcm=1,4", "--steps", "emdm=2,4",
        *words,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["python -m training", *command])
    return main()


@pytest.fixture(scope="module")
def out(ready):
    """Folder of a finished report."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert run(monkeypatch, ready) == 0
    return ready / "out"


def test_the_page(ready, out, monkeypatch, capsys):
    page = (out / "report.md").read_text()
    for text in (
        "| real |", "| MLD, 11 steps |", "| MotionLCM, 1 step |", "| MotionLCM, 4 steps |", "| EMDM, 2 steps |",
        "| EMDM, 4 steps |", "without clean-up",
        "R-precision top 3 over real", "foot skate over real", "jerk over real", "python -m training report",
        "No row for the VAE", "fid_steps.png", "sheet_2.png", "32 windows",
    ):  # fmt: skip
        assert text in page, text
    assert str(ready) not in page, "folders of this machine are nobody's business"
    data = json.loads((out / "report.json").read_text())
    (scores,) = data["evaluators"].values()
    assert scores["real"]["fid"] is None and scores["MotionLCM, 1 step"]["fid"][0] > 0
    assert scores["MLD, 11 steps"]["fid"][1] is None, "one set has no interval"
    assert data["milliseconds"]["MotionLCM, 4 steps"] > 0
    assert data["quality"]["MLD, 11 steps"]["bone_drift"] < 0.1
    for name in ("fid_milliseconds.png", "fid_steps.png"):
        assert (out / name).stat().st_size < 150_000
    sheets = sorted(out.glob("sheet_*.png"))
    assert len(sheets) == 2 and sum(sheet.stat().st_size for sheet in sheets) < 400_000
    assert Image.open(sheets[0]).width > 600
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["python -m training", "compare", str(out), str(out / "report.json")])
    assert main() == 0
    table = capsys.readouterr().out
    assert table.count("random 0.0.1") == 2 and "R over real" in table


def test_what_was_made_is_used_again(ready, out, monkeypatch):
    first = json.loads((out / "report.json").read_text())

    def never(*_, **__):
        raise AssertionError("it generated again")

    monkeypatch.setattr(Engine, "generate", never)
    assert run(monkeypatch, ready) == 0
    assert json.loads((out / "report.json").read_text())["evaluators"] == first["evaluators"]


def test_mistakes_are_named(ready, monkeypatch, capsys):
    for words, sentence in (
        (("--steps", "mote=10"), "has no sampler mote"),
        (("--steps", "mld"), "not of the form"),
        (("--sets", "0"), "at least one run and one set"),
        (("--sources", "elsewhere"), "no captioned windows"),
        (("--evaluator", str(ready)), "no finished evaluator"),
        (("--bundle", "no-such-bundle"), "no bundle"),
        (("--set", str(ready / "absent.npz")), "no set"),
    ):
        assert run(monkeypatch, ready, *words) == 2
        assert sentence in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["python -m training", "compare", str(ready)])
    assert main() == 2 and "holds no report" in capsys.readouterr().err
