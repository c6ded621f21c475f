# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender with the freshly built extension installed, or a skip that says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from blender_window import REPOSITORY, SHARE, BlenderWindow, find_real_blender


@pytest.fixture(scope="session")
def real_blender() -> str:
    """Return the command ``real-blender`` with its Blender set up."""
    tool = find_real_blender()
    if tool is None:
        pytest.skip("no real-blender here (set MOTION_PROMPT_REAL_BLENDER, or put it on the PATH)")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("real-blender needs root")
    done = subprocess.run([tool, "setup"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"real-blender could not set up its Blender: {(done.stdout + done.stderr)[-300:]}")
    return tool


@pytest.fixture(scope="session")
def extension_zip(real_blender: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the zip for the Python inside that Blender."""
    home = SHARE / f"probe-{uuid.uuid4().hex[:8]}"
    probe = BlenderWindow(real_blender, home)
    try:
        code = "import sys; print('PYTHON', '%d.%d' % sys.version_info[:2])"
        printed = probe.command("-b", "--factory-startup", "--python-expr", code)
    finally:
        probe.close()
        shutil.rmtree(home, ignore_errors=True)
    version = next(line.split()[1] for line in printed.splitlines() if line.startswith("PYTHON"))
    out = tmp_path_factory.mktemp("zip")
    command = [
        sys.executable,
        "build_addon.py",
        "--platform",
        "linux-x64",
        "--python",
        version,
        "--out",
        str(out),
    ]
    built = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.zip"))


@pytest.fixture(scope="session")
def window(real_blender: str, extension_zip: Path) -> Iterator[BlenderWindow]:
    """Install the zip the way a user does and open Blender's window."""
    blender = BlenderWindow(real_blender, SHARE / f"window-{uuid.uuid4().hex[:8]}")
    try:
        shutil.copy(extension_zip, blender.home / extension_zip.name)
        install = ("--command", "extension", "install-file", "-r", "user_default", "-e", extension_zip.name)
        print(blender.command(*install))
        blender.open()
        yield blender
    finally:
        blender.close()
        shutil.rmtree(blender.home, ignore_errors=True)
