# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the engine, and what is said when it does not come up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

import motion_engine  # noqa: E402
from blender_addon import headless  # noqa: E402
from blender_addon.engine.launch import Launch, engine_launch, own_python  # noqa: E402
from blender_addon.engine.process import EngineProcess, EngineStartError, describe_exit  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402


def test_own_python_when_sys_executable_is_blender(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/blender/blender")
    found = Path(own_python())
    assert found.is_file()
    assert found.name.startswith("python")


def test_no_python_at_all_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "")
    for name in ("prefix", "base_prefix", "exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no Python interpreter"):
        own_python()


def test_the_engine_is_found_where_this_process_finds_it(monkeypatch):
    monkeypatch.delenv("MOTION_PROMPT_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("PYTHONHOME", "/somewhere")
    launch = engine_launch()
    engine_folder = str(Path(motion_engine.__file__).parent.parent)
    assert launch.environment["PYTHONPATH"].split(os.pathsep)[0] == engine_folder
    assert "PYTHONHOME" not in launch.environment
    assert launch.command[1:4] == ["-m", "motion_engine", "serve"]
    assert str(os.getpid()) in launch.command


def test_another_python_gets_no_compiled_packages_of_this_one(monkeypatch):
    monkeypatch.setenv("MOTION_PROMPT_ENGINE_PYTHON", "/elsewhere/python")
    launch = engine_launch("/preferences/python")
    assert launch.command[0] == "/elsewhere/python"
    assert "site-packages" not in launch.environment.get("PYTHONPATH", "")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("print('hello')", "did not start"),
        ("raise SystemExit('no such thing')", "no such thing"),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
def test_a_process_that_is_no_engine(tmp_path, code, sentence):
    launch = Launch([sys.executable, "-c", code], dict(os.environ))
    process = EngineProcess(launch, tmp_path / "engine.log")
    with pytest.raises(EngineStartError, match=sentence):
        process.wait_until_listening(lambda: False)
    assert process.exit_code() is not None


def test_waiting_for_the_engine_can_be_cancelled(tmp_path):
    launch = Launch([sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ))
    process = EngineProcess(launch, tmp_path / "engine.log")
    assert process.wait_until_listening(lambda: True) is None
    process.stop()
    assert process.exit_code() is not None


def test_exit_codes_in_words():
    assert describe_exit(0) == "exit code 0"
    if os.name == "posix":
        assert "SIGKILL" in describe_exit(-9)


def test_no_bundle_is_said(scene, monkeypatch, tmp_path):
    session.stop()
    monkeypatch.setenv("MOTION_PROMPT_BUNDLES", str(tmp_path))
    with pytest.raises(UserError, match="bundle"):
        headless.generate("a person walks", duration=1)
    assert len(bpy.data.objects) == 0
    session.stop()
