# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# workers side by side share the cores: threads that wait for one another would take three times as long
if (workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // workers, 1)))


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


@pytest.fixture(scope="session")
def caption_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the untrained bundle ``random``, which offers every task, and ``plain``, which only generates.

    Sentences of ``random`` are words in any order, and short, so that they are soon made; ``mote`` is the same with
    the other captioner.
    """
    pytest.importorskip("torch")
    from training.export.random_bundle import write_random_bundle

    folder = tmp_path_factory.mktemp("bundles")
    random = write_random_bundle(folder, captions=True)
    manifest = json.loads((random / "manifest.json").read_text(encoding="utf-8"))
    manifest["captions"]["max_words"] = 10
    (random / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for name, changes in (
        ("plain", {"tasks": ["text_to_motion"]}),
        ("mote", {"captions": manifest["captions"] | {"captioner": "mote"}}),
    ):
        shutil.copytree(random, folder / name)
        changed = manifest | {"name": name} | changes
        (folder / name / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    return folder
