# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on registered in the bpy module, a fresh file for each test, the real engine where one is asked for.

Without the bpy module every test file here skips itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


_status = [0]


def pytest_sessionfinish(exitstatus: int) -> None:
    _status[0] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave without Blender's destructors: that of 4.5 waits for ever once a library was loaded, as Rigify does."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[0])


@pytest.fixture(scope="session")
def registered() -> Iterator[None]:
    import blender_addon

    blender_addon.register()
    yield
    blender_addon.unregister()


@pytest.fixture
def scene(registered: None) -> Iterator[Any]:
    """An empty file with the add-on's settings at their defaults."""
    import bpy

    from blender_addon.session import session

    bpy.ops.wm.read_factory_settings(use_empty=True)
    session.health = {}
    yield bpy.context.scene
    session.cancel()
    session.end_runs(keep=False)
    session.unplaced = None


@pytest.fixture
def engine(scene: Any) -> None:
    """The engine itself, started by the add-on at the first job and kept for the next test."""
    from motion_engine.bundle import list_bundles

    if not any(bundle.ok for bundle in list_bundles()):
        pytest.skip("no model bundle here")


@pytest.fixture
def run() -> Callable[..., None]:
    """Pump until the task is over, or until a condition holds."""
    from blender_addon.session import pump, session

    def run_until(condition: Callable[[], bool] | None = None, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while pump() and not (condition is not None and condition()):
            assert time.monotonic() < deadline, f"still running: {session.activity}, {session.progress:.2f}"
            time.sleep(0.005)

    return run_until


@pytest.fixture(scope="session")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Folder of a bundle with random weights that captions, made where torch is; None where one is there already."""
    from motion_engine.bundle import list_bundles, load

    wanted = {"motion_to_text", "embed", "variation", "joint"}
    if any(info.ok and wanted <= set(load(info.path).tasks) for info in list_bundles()):
        return None
    repository = Path(__file__).resolve().parents[2]
    python = os.environ.get(
        "MOTION_PROMPT_TRAINING_PYTHON", str(repository / ".venv-test" / "bin" / "python")
    )
    if not Path(python).is_file():
        pytest.skip("no bundle that captions, and no Python with torch to make one")
    folder = tmp_path_factory.mktemp("captioner")
    command = [python, "-m", "training.export.random_bundle", str(folder)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "random"


@pytest.fixture(scope="module")
def with_captioner(captioner: Path | None) -> Iterator[None]:
    """The engine has a bundle that captions while the tests of a module run."""
    if captioner is None:
        yield
        return
    placed = Path(os.environ["MOTION_PROMPT_USER_BUNDLES"], captioner.name)
    shutil.copytree(captioner, placed)
    yield
    shutil.rmtree(placed)


@pytest.fixture
def captions(engine: None, with_captioner: None, scene: Any) -> Any:
    """The settings of the Library, with the real engine and a model that captions."""
    scene.render.fps = 20
    return scene.motion_prompt.captions
