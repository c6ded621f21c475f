# SPDX-License-Identifier: GPL-3.0-or-later
"""How to start the engine: which Python, which command line, which environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON_VARIABLE = "MOTION_PROMPT_ENGINE_PYTHON"
_NEEDED = (
    "motion_engine", "numpy", "onnxruntime", "tokenizers", "fastapi", "uvicorn", "pydantic", "psutil", "platformdirs",
    "safetensors",
)  # fmt: skip


@dataclass(frozen=True)
class Launch:
    """A command line and its environment."""

    command: list[str]
    environment: dict[str, str]


def own_python() -> str:
    """The interpreter that belongs to this process.

    Some builds leave Blender's own binary in ``sys.executable``; then the interpreter next to the standard library
    is taken.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    if Path(sys.executable or "").stem.lower().startswith("python"):
        return sys.executable
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        for name in ("bin/python" + version, "bin/python3", "bin/python", "bin/python.exe", "python.exe"):
            candidate = Path(prefix, name)
            if candidate.is_file():
                return str(candidate)
    raise FileNotFoundError("This Blender has no Python interpreter of its own to run the engine with.")


def import_folders() -> list[str]:
    """Folders from which this process imports the engine and what it needs, without importing them."""
    folders: list[str] = []
    for name in _NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        folder = str(Path(spec.origin).parent.parent)
        if folder not in folders:
            folders.append(folder)
    return folders


def engine_launch(python: str = "", bundle: str = "") -> Launch:
    """The engine's command line.

    Parameters
    ----------
    python : another interpreter, chosen by the user; the variable ``MOTION_PROMPT_ENGINE_PYTHON`` goes before it.
        It must have the engine's requirements installed itself.
    bundle : name of the model to load first; empty for the default.
    """
    chosen = os.environ.get(PYTHON_VARIABLE, "") or python
    environment = {
        k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"}
    }
    folders = import_folders()
    if chosen:
        folders = folders[:1]  # the engine itself; compiled packages belong to this interpreter only
        if not Path(folders[0], "pyproject.toml").is_file():
            folders = []
    else:
        environment["PYTHONNOUSERSITE"] = "1"
    if folders:
        environment["PYTHONPATH"] = os.pathsep.join(folders)
    environment["PYTHONUTF8"] = "1"
    command = [chosen or own_python(), "-m", "motion_engine", "serve", "--parent-pid", str(os.getpid())]
    if bundle:
        command += ["--bundle", bundle]
    return Launch(command, environment)
