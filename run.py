#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up and go: one command for the main job, one for all tests.

    python run.py "someone waves with the right hand"    prompt -> animated .blend, preview, .npz, .bvh, .glb
        --duration 4     seconds, 0.5 to 9.8
        --seed 0         another number, another take
        --out FOLDER     where the files go (out/<prompt> unless told)
        --no-clip        only the picture of the poses, no moving preview
    python run.py test                                   set up and run every test suite
    python run.py test packaging                         only the suites whose name contains a word

Needs Python 3.11 or newer and nothing else; what it installs stays in ``.venv*`` folders beside this file.
Each step is skipped when it was done before, so running a command again is quick.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
BPY_PYTHON = (3, 11)  # the only Python for which the bpy package has wheels
BPY_VERSIONS = ("4.2", "4.5", "5.0")
CLOSING_LINE = re.compile(
    r"^=*\s*(\d+ (passed|failed|skipped|error|deselected|xfailed)|no tests ran).* in [\d.]+s"
)
PRINT_LOCK = threading.Lock()


class SetupError(Exception):
    """Setting up failed; the message is a sentence for the user."""


def say(text: str = "") -> None:
    """Print a line at once, also when the output goes to a file."""
    with PRINT_LOCK:
        print(text, flush=True)


def clean_environment() -> dict[str, str]:
    """Return the environment for child processes: no pip chatter, UTF-8, no foreign Python settings."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    env.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PYTHONUTF8="1")
    return env


# --------------------------------------------------------------------------------------------------
# Python versions and virtual environments


def python_version(command: list[str]) -> tuple[int, int] | None:
    """Return (major, minor) of the Python that `command` starts, or None if it does not start."""
    code = "import sys, venv; print(*sys.version_info[:2])"
    try:
        out = subprocess.run([*command, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = out.stdout.split()
    return (int(words[0]), int(words[1])) if out.returncode == 0 and len(words) == 2 else None


def find_bpy_python() -> list[str] | None:
    """Return the command of a Python that bpy wheels exist for, or None where there is none.

    Looks at this Python, ``python3.11``, the Windows launcher ``py -3.11`` and, if installed, ``uv``.
    """
    if sys.version_info[:2] == BPY_PYTHON:
        return [sys.executable]
    name = "{}.{}".format(*BPY_PYTHON)
    candidates = [["python" + name], ["python3.11.exe"], ["py", "-" + name]]
    for command in candidates:
        if shutil.which(command[0]) and python_version(command) == BPY_PYTHON:
            return command
    if shutil.which("uv"):
        for attempt in (["uv", "python", "find", name], ["uv", "python", "install", name]):
            out = subprocess.run(attempt, capture_output=True, text=True)
            found = subprocess.run(["uv", "python", "find", name], capture_output=True, text=True)
            path = found.stdout.strip()
            if out.returncode == 0 and path and python_version([path]) == BPY_PYTHON:
                return [path]
    return None


def venv_python(folder: Path) -> Path:
    """Return the path of the interpreter inside a virtual environment."""
    return folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


def run_quietly(command: list[str], what: str, log: Path) -> None:
    """Run a command with its output in `log`; on failure show the end of it and raise SetupError.

    Parameters
    ----------
    command : list of str
    what : str
        What happens, for the messages ("installing bpy 5.0 in .venv-bpy50").
    log : Path
        File that receives everything the command prints.
    """
    started = time.monotonic()
    say(f"  {what} ...")
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=clean_environment()
        )
        while True:
            try:
                code = process.wait(timeout=30)
                break
            except subprocess.TimeoutExpired:
                say(f"  {what}: still at it after {time.monotonic() - started:.0f} s")
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = [line for line in lines if not line.startswith("WARNING: Location")][-25:]
        raise SetupError(f"{what} failed (exit status {code}).\n    " + "\n    ".join(shown))
    say(f"  {what}: done in {time.monotonic() - started:.0f} s")


def make_venv(folder: Path, python: list[str], requirements: list[str]) -> Path:
    """Make a virtual environment with `requirements`, or keep the one that already has them.

    Parameters
    ----------
    folder : Path
    python : list of str
        Command of the Python to build it with.
    requirements : list of str
        Arguments for ``pip install``.

    Returns
    -------
    Path
        The interpreter inside.
    """
    version = python_version(python)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    key = hashlib.sha256(json.dumps([text, requirements, version, str(ROOT)]).encode()).hexdigest()
    marker = folder / "motion-prompt-setup.txt"
    inside = venv_python(folder)
    if inside.exists() and marker.exists() and marker.read_text(encoding="utf-8") == key:
        return inside
    if version is None:
        raise SetupError(f"{' '.join(python)} does not start, or lacks the venv module.")
    name = folder.name
    if not inside.exists() or python_version([str(inside)]) != version:
        shutil.rmtree(folder, ignore_errors=True)
        out = subprocess.run([*python, "-m", "venv", str(folder)], capture_output=True, text=True)
        if out.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            hint = ""
            if "ensurepip" in out.stdout + out.stderr:
                hint = "\n    On Debian and Ubuntu: sudo apt install python3-venv, then run this again."
            raise SetupError(f"making {name} failed: {(out.stdout + out.stderr).strip()}{hint}")
    marker.unlink(missing_ok=True)
    pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    what = f"installing into {name}: {' '.join(requirements)}"
    run_quietly([*pip, *requirements], what, folder / "pip.log")
    marker.write_text(key, encoding="utf-8")
    return inside


# --------------------------------------------------------------------------------------------------
# The main job


def main_job(arguments: list[str]) -> int:
    """Install what the demo needs and hand the prompt to it; return its exit status."""
    python = find_bpy_python()
    venv = ROOT / ".venv"
    inside = None
    if python:
        say("Setting up (about 400 MB to download the first time, bpy being most of it)")
        try:
            inside = make_venv(venv, python, ["-e", ".[blender]"])
        except SetupError as error:
            say(f"  {error}\n  Going on without the bpy package.")
            python = None
    else:
        say("No Python 3.11 here (this is {}.{}), and the bpy package,".format(*sys.version_info))
        say("Blender as a Python module, exists for no other. An installed Blender is used if there is one.")
    if inside is None:
        inside = make_venv(venv, [sys.executable], ["-e", ".", "pillow>=10"])
    command = [str(inside), "-m", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean_environment()).returncode


# --------------------------------------------------------------------------------------------------
# All tests


@dataclass
class Suite:
    """One test run: its name, the environment it needs and the pytest arguments."""

    name: str
    venv: str
    requirements: list[str]
    pytest: list[str]
    needs_bpy_python: bool = False
    skipped: str = ""
    closing_line: str = ""
    failed: bool = False


def suites() -> list[Suite]:
    """Return all suites in the order in which they run."""
    test_venv, test_needs = ".venv-test", ["-e", ".[dev,train,smpl]"]
    others = ("blender_addon", "demo", "packaging", "real_window", "training", "parity")
    engine = ["tests", *(f"--ignore=tests/{folder}" for folder in others)]
    # nothing there is in a hurry, so two files at a time may share the machine
    two_at_a_time = ["-n", "2", "--dist", "loadfile"]
    training = ["tests/training", "tests/parity", *two_at_a_time]
    found = [
        Suite("engine", test_venv, test_needs, engine),
        Suite("training", test_venv, test_needs, training),
    ]
    # a process of their own for what opens files that others wrote: bpy 4.2 may crash there after a thousand tests
    files = ["tests/blender_addon/test_addon_export.py", "tests/blender_addon/test_addon_fbx.py"]
    addon = ["tests/blender_addon", "tests/demo", *(f"--ignore={file}" for file in files)]
    for version in BPY_VERSIONS:
        for what, chosen in (
            ("add-on", [*addon, *two_at_a_time]),
            ("exports of the add-on", files),
        ):
            found.append(
                Suite(
                    f"{what} on bpy {version}",
                    f".venv-bpy{version.replace('.', '')}",
                    ["-e", ".[dev]", "pillow>=10", f"bpy=={version}.*"],
                    chosen,
                    needs_bpy_python=True,
                )
            )
    found.append(Suite("packaging", test_venv, test_needs, ["tests/packaging"]))
    found.append(Suite("window of a real Blender", test_venv, test_needs, ["tests/real_window"]))
    return found


def run_suite(suite: Suite, python: Path) -> None:
    """Run pytest for one suite, show its output and keep its closing line."""
    say(f"\n== {suite.name}: pytest {' '.join(suite.pytest)}")
    command = [str(python), "-m", "pytest", "--color=no", "-ra", *suite.pytest]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment(),
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        say(line.rstrip())
        if CLOSING_LINE.match(line):
            suite.closing_line = line.strip(" =\n")
    code = process.wait()
    suite.failed = code != 0
    if code and not suite.closing_line:
        suite.closing_line = f"pytest ended with exit status {code}"


def all_tests(only: list[str]) -> int:
    """Set up every environment, run every suite, print one closing line each.

    Parameters
    ----------
    only : list of str
        Words; a suite runs when its name contains one of them. Empty: all.

    Returns
    -------
    int
        0 when no suite failed.
    """
    chosen = [s for s in suites() if not only or any(word in s.name for word in only)]
    if not chosen:
        say("No suite is called that. There are: " + ", ".join(s.name for s in suites()))
        return 2
    bpy_python = find_bpy_python()
    say("Setting up the test environments (the first time: about 2 GB to download; later: nothing)")
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs: dict[str, Future[Path]] = {}
        for suite in chosen:
            if suite.needs_bpy_python and bpy_python is None:
                suite.skipped = "no Python 3.11 on this machine, and bpy wheels exist for no other"
                continue
            if suite.venv not in jobs:
                python = bpy_python if suite.needs_bpy_python and bpy_python else [sys.executable]
                jobs[suite.venv] = pool.submit(make_venv, ROOT / suite.venv, python, suite.requirements)
        for suite in chosen:
            if suite.skipped:
                continue
            try:
                python_path = jobs[suite.venv].result()
            except SetupError as error:
                suite.failed, suite.closing_line = True, "not run: setting up failed"
                say(f"\n== {suite.name}: {error}")
                continue
            run_suite(suite, python_path)
    say("\nAll suites:")
    for suite in chosen:
        state = "skipped" if suite.skipped else "FAILED" if suite.failed else "ok"
        say(f"  {state:8s}{suite.name}: {suite.skipped or suite.closing_line}")
    failed = [s for s in chosen if s.failed]
    say(f"{len(failed)} of {len(chosen)} suites failed" if failed else "All suites passed")
    return 1 if failed else 0


def main() -> int:
    """Read the command line and run the main job or the tests."""
    if tuple(sys.version_info) < (3, 11):
        say("Motion Prompt needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))
        say("Get one at https://www.python.org/downloads/ and run this again with it.")
        return 2
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0
    try:
        if arguments and arguments[0] == "test":
            return all_tests(arguments[1:])
        return main_job(arguments)
    except SetupError as error:
        say(f"Setting up failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Run the same command again to go on.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
