# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a Blender to run: the ``bpy`` package of this Python, or an installed Blender. Nothing is imported."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

VARIABLE = "MOTION_PROMPT_BLENDER"
"""Environment variable that names a Blender, or a Python that has the package bpy."""

USUAL_PLACES = (
    ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
    ("~/Applications", "Blender*.app/Contents/MacOS/Blender"),
    ("C:/Program Files/Blender Foundation", "Blender */blender.exe"),
    ("/opt", "blender*/blender"),
    ("~", "blender*/blender"),
    ("/snap/bin", "blender"),
)


def find_blender() -> str | None:
    """Path of an installed Blender, newest first, or None."""
    found = shutil.which("blender")
    if found:
        return found
    for folder, pattern in USUAL_PLACES:
        matches = sorted(Path(folder).expanduser().glob(pattern))
        if matches:
            return str(matches[-1])
    return None


def script_commands(script: str | Path) -> list[list[str]]:
    """Commands that run a script with bpy, best first; its own arguments are to follow after ``--``.

    The Python or Blender that `VARIABLE` names comes first, then this Python when it has bpy, then an installed
    Blender.
    """
    programs: list[str] = []
    named = os.environ.get(VARIABLE)
    if named:
        programs.append(named)
    if importlib.util.find_spec("bpy") is not None:
        programs.append(sys.executable)
    installed = find_blender()
    if installed:
        programs.append(installed)
    return [_command(program, str(script)) for program in programs]


def _command(program: str, script: str) -> list[str]:
    if "python" in Path(program).name.lower():
        return [program, script]
    return [program, "-b", "--factory-startup", "--python-exit-code", "1", "--python", script]
