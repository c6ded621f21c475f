# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree is clean by the linter and the type checker that `pyproject.toml` sets up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["mypy"]], ids=["ruff", "mypy"])
def test_clean(command):
    pytest.importorskip(command[0], reason="needs the extra `dev`")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_imports_torch_only_in_its_torch_runtime():
    modules = "motion_engine.engine, motion_engine.cli, motion_engine.server"
    script = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False).returncode == 0
