# SPDX-License-Identifier: GPL-3.0-or-later
"""A real engine process for the tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from motion_engine.bundle import list_bundles
from motion_engine.cli import main
from motion_engine.client import EngineProcess, start_engine

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bundle_name() -> str:
    """Name of a bundle that can be used; the repository ships one."""
    usable = [bundle.name for bundle in list_bundles() if bundle.ok]
    assert usable, f"no usable model bundle: {list_bundles()}"
    return usable[0]


@pytest.fixture(scope="session")
def engine(bundle_name: str) -> Iterator[EngineProcess]:
    """One engine for all tests that leave it alive."""
    with start_engine() as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``motion-prompt`` with these arguments, as a user would."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "motion_engine", *map(str, arguments)]
        options = {"cwd": REPOSITORY, "capture_output": True, "text": True, "timeout": 120} | options
        return subprocess.run(line, check=False, **options)

    return run


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in this process: for the many requests that are refused at once."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        line = [str(argument) for argument in arguments]
        try:
            code = main(line)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(line, code, out, err)

    return run
