# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed, what works, what is wrong and how to mend it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from motion_engine import __version__
from motion_engine.errors import EngineError

REQUIRED = (
    "numpy",
    "onnxruntime",
    "tokenizers",
    "safetensors",
    "pydantic",
    "fastapi",
    "uvicorn",
    "psutil",
    "platformdirs",
    "tqdm",
    "pygltflib",
)
OPTIONAL = {"torch": "for training and the torch backend", "bpy": "for Blender without its window"}
MEMORY_NEEDED = 600e6
DISK_NEEDED = 50e6


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    topic : what was looked at.
    status : ``ok``, ``note`` (works without it) or ``problem``.
    text : what was found.
    fix : what to do about a problem, else empty.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    text: str
    fix: str = ""


def examine(bundle: str | None = None, device: str = "auto", backend: str = "onnx") -> Iterator[Finding]:
    """Look at everything, one finding after another, the quick ones first; never raises."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _packages,
        _machine,
        _providers,
        _folders,
        _loopback,
        _bundles,
        lambda: _trial(bundle, device, backend),
    ]
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # a report that dies on what it should report is of no use
            topic = getattr(check, "__name__", "trial").strip("_<>")
            yield Finding(topic, "problem", f"{type(error).__name__}: {error}", "Report this line.")


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield Finding("motion-prompt", "ok", f"{__version__} ({Path(__file__).parent})")


def _packages() -> Iterator[Finding]:
    for name in REQUIRED:
        try:
            importlib.import_module(name)
            yield Finding(name, "ok", _version(name) or "present")
        except Exception as error:  # broken binaries raise anything from ImportError to OSError
            fix = f"Run '{Path(sys.executable).name} -m pip install --force-reinstall {name}'."
            if sys.platform == "win32" and "DLL" in str(error):
                fix = "Install the Visual C++ Redistributable (x64) from Microsoft."
            missing = isinstance(error, ModuleNotFoundError) and error.name == name
            yield Finding(
                name, "problem", "not installed" if missing else f"cannot be imported: {error}", fix
            )
    for name, purpose in OPTIONAL.items():
        version = _version(name)
        if version:
            yield Finding(name, "ok", f"{version} ({purpose})")
        else:
            yield Finding(name, "note", f"not installed; needed only {purpose}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available
    text = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {free / 1e9:.1f} GB memory free"
    )
    if free < MEMORY_NEEDED:
        yield Finding("machine", "problem", text, "Close other programs: the engine needs 0.6 GB.")
    else:
        yield Finding("machine", "ok", text)


def _providers() -> Iterator[Finding]:
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    local = [name.removesuffix("ExecutionProvider") for name in providers if not name.startswith("Azure")]
    names = ", ".join(local)
    if "CPUExecutionProvider" in providers:
        yield Finding("devices", "ok", names)
    else:
        yield Finding("devices", "problem", names, "Reinstall onnxruntime: its CPU part is missing.")


def _folders() -> Iterator[Finding]:
    for topic, folder in (("this folder", Path.cwd()), ("temporary folder", Path(tempfile.gettempdir()))):
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            fix = "Write elsewhere with --out." if topic == "this folder" else "Set TMPDIR to another folder."
            yield Finding(topic, "problem", f"{folder} cannot be written: {error.strerror}", fix)
            continue
        free = shutil.disk_usage(folder).free
        if free < DISK_NEEDED:
            yield Finding(
                topic, "problem", f"{folder} has {free / 1e6:.0f} MB left", "Make room on the disk."
            )
        else:
            yield Finding(topic, "ok", f"{folder} can be written, {free / 1e9:.0f} GB free")


def _loopback() -> Iterator[Finding]:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                yield Finding("local port", "ok", f"a program here can reach 127.0.0.1 (tried port {port})")
    except OSError as error:
        yield Finding(
            "local port",
            "problem",
            f"127.0.0.1 cannot be reached: {error}",
            "Allow local connections in the firewall; Blender talks to the engine through one.",
        )


def _bundles() -> Iterator[Finding]:
    from motion_engine.bundle import default_bundles_dir, list_bundles
    from motion_engine.licence import describe

    bundles = list_bundles()
    for bundle in bundles:
        if bundle.ok:
            files = (
                f"files as listed, also those of {bundle.leans_on}" if bundle.leans_on else "files as listed"
            )
            text = f"{bundle.title}, {describe(bundle.licence)}, {files} ({bundle.path})"
            yield Finding(f"bundle {bundle.name}", "ok", text)
        else:
            fix = f"Put the bundle back as it was released, or remove {bundle.path}."
            yield Finding(f"bundle {bundle.name}", "problem", str(bundle.problem), fix)
    if not bundles:
        yield Finding(
            "bundles",
            "problem",
            f"no model bundle in {default_bundles_dir()}",
            "Reinstall motion-prompt, or set MOTION_PROMPT_BUNDLES to the folder that holds your bundles.",
        )


def _trial(bundle: str | None, device: str, backend: str) -> Iterator[Finding]:
    from motion_engine.engine import Engine, GenerateRequest

    start = time.perf_counter()
    try:
        engine = Engine.load(bundle, device=device, backend=backend)
        loaded = time.perf_counter()
        engine.generate(GenerateRequest(prompt="a person walks forward", duration=2.0))
    except EngineError as error:
        yield Finding("trial", "problem", error.message, error.fix)
        return
    seconds = f"loaded in {loaded - start:.1f} s, 2 s of walking in {time.perf_counter() - loaded:.2f} s"
    yield Finding("trial", "ok", f"{engine.bundle.name} on {engine.device}: {seconds}")
