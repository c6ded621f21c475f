# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing clips to disk: names, folders that cannot be written, a line about quality."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from motion_engine import formats
from motion_engine.errors import EngineError
from motion_engine.motion import Motion


def clip_paths(out: Path, count: int) -> list[Path]:
    """``clip.npz`` for one clip, ``clip-1.npz`` ... ``clip-N.npz`` for more."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{index}{out.suffix}") for index in range(1, count + 1)]


def check_format(out: Path) -> None:
    """Refuse a file name whose suffix names no format, or one that nothing here can write.

    Raises
    ------
    EngineError
        ``unknown_format`` or ``no_blender``.
    """
    try:
        if formats.check_suffix(out) == ".fbx":
            from motion_engine.formats import fbx

            fbx.require_blender()
    except ValueError:
        raise EngineError(
            "unknown_format",
            f"'{out}' does not say in which format to write.",
            f"End the file name in {', '.join(formats.SUFFIXES)}.",
        ) from None


def prepare_folder(folder: Path) -> None:
    """Make ``folder`` when it is missing and try to write into it.

    Raises
    ------
    EngineError
        ``cannot_write``, before anything has been computed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from None


def save(motion: Motion, path: Path) -> None:
    """`formats.save`, with a full disk or a protected file told as an EngineError."""
    try:
        formats.save(motion, path)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> EngineError:
    """The EngineError for a failed write."""
    reason = error.strerror or str(error)
    return EngineError(
        "cannot_write", f"Cannot write to '{path}': {reason}.", "Choose another place with --out."
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_quality(quality: dict[str, Any]) -> str:
    """Quality scores as ``name value, name value``; an empty text when there are none."""
    parts = []
    for name, value in quality.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
        parts.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(parts)
