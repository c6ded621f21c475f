# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def goldens():
    """Folder of arrays from the official implementations, by name; skips where they are not installed."""
    shared = Path(os.environ.get("MOTION_PROMPT_SHARED", REPOSITORY.parent / "shared"))

    def folder(name: str) -> Path:
        path = shared / "parity" / name
        if not path.is_dir():
            pytest.skip(f"the parity arrays {name!r} are not on this machine")
        return path

    return folder


@pytest.fixture(scope="session", autouse=True)
def no_bundles_of_the_user() -> Iterator[None]:
    """Tests see the shipped bundles alone, whatever the user of this machine has added."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("MOTION_PROMPT_USER_BUNDLES")
        os.environ["MOTION_PROMPT_USER_BUNDLES"] = folder
        yield
        del os.environ["MOTION_PROMPT_USER_BUNDLES"]
        if before is not None:
            os.environ["MOTION_PROMPT_USER_BUNDLES"] = before
