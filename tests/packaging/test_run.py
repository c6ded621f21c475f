# SPDX-License-Identifier: GPL-3.0-or-later
"""The two commands of the README, as far as they can be tried without installing anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import run

ROOT = Path(run.__file__).parent


@pytest.mark.parametrize(
    "line",
    [
        "12 passed in 3.20s",
        "1 failed, 11 passed, 2 skipped in 75.01s (0:01:15)",
        "===== 3 skipped in 0.02s =====",
        "2 errors in 1.00s",
    ],
)
def test_closing_line_of_pytest_is_recognised(line: str) -> None:
    assert run.CLOSING_LINE.match(line)


@pytest.mark.parametrize(
    "line", ["tests/a.py::test_x PASSED", "the run passed in good order", "............ [100%]"]
)
def test_other_lines_are_not_taken_for_it(line: str) -> None:
    assert not run.CLOSING_LINE.match(line)


def test_every_test_folder_belongs_to_a_suite() -> None:
    suites = run.suites()
    folders = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "tests").rglob("test_*.py")}
    everything = next(s for s in suites if "tests" in s.pytest)
    ignored = {w.removeprefix("--ignore=") for w in everything.pytest if w.startswith("--ignore=")}
    named = {w for s in suites for w in s.pytest if w.startswith("tests/")}
    for folder in folders:
        left_out = any(folder.startswith(i) for i in ignored)
        assert not left_out or any(folder.startswith(n) for n in named), f"nothing runs {folder}"


def test_unknown_suite_name_lists_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.all_tests(["nonsense"]) == 2
    assert "packaging" in capsys.readouterr().out


def test_setup_that_was_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call finds the marker; it would fail if it called pip, as the requirement does not exist."""
    monkeypatch.setattr(run, "run_quietly", lambda *arguments: None)
    folder = tmp_path / ".venv-try"
    first = run.make_venv(folder, [sys.executable], ["no-such-requirement"])
    made = (folder / "pyvenv.cfg").stat().st_mtime_ns

    def refuse(*arguments: object) -> None:
        raise AssertionError("pip ran again")

    monkeypatch.setattr(run, "run_quietly", refuse)
    assert run.make_venv(folder, [sys.executable], ["no-such-requirement"]) == first
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == made
    with pytest.raises(AssertionError, match="pip ran again"):
        run.make_venv(folder, [sys.executable], ["another-requirement"])


def test_failed_installation_shows_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no space left on device'); raise SystemExit(3)"]
    with pytest.raises(run.SetupError, match="no space left on device"):
        run.run_quietly(command, "installing", tmp_path / "log")


def test_demo_without_blender_says_what_is_left_out(tmp_path: Path) -> None:
    """An empty PATH and home: no Blender; this environment has no bpy package either."""
    env = {**os.environ, "PATH": "", "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-m", "demo", "a person walks forward", "--out", str(tmp_path / "out")]
    out = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stdout + out.stderr
    made = {p.suffix for p in (tmp_path / "out").iterdir()}
    assert {".npz", ".bvh", ".glb", ".png"} <= made
    if ".blend" not in made:
        assert "Left out" in out.stdout


def test_demo_refuses_nonsense_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "walk", "--duration", "1000", "--out", str(tmp_path / "out")]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert out.returncode == 1
    assert "Traceback" not in out.stderr
    assert not (tmp_path / "out").exists()
