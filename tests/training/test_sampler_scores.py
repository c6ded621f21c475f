# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of an ablation name what was run, and a sampler that is missing is refused with a sentence."""

from __future__ import annotations

import pytest

from training.__main__ import main


def test_the_command_asks_for_a_set_and_an_evaluator(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["training", "sampler-scores", "--sampler", "emdm"])
    with pytest.raises(SystemExit):
        main()
    assert "--set" in capsys.readouterr().err


def test_an_unfinished_evaluator_is_named(monkeypatch, capsys, tmp_path):
    words = [
        "sampler-scores",
        "--sampler",
        "emdm",
        "--set",
        str(tmp_path / "x.npz"),
        "--evaluator",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", ["training", *words])
    assert main() == 2
    assert "holds no finished evaluator" in capsys.readouterr().err


def test_no_set_of_motions_is_refused(monkeypatch, capsys, tmp_path):
    words = [
        "sampler-scores",
        "--sampler",
        "emdm",
        "--sets",
        "0",
        "--set",
        "x.npz",
        "--evaluator",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", ["training", *words])
    assert main() == 2
    assert "--sets is 1 or more" in capsys.readouterr().err
