# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps remembered per rig: one small file each in a folder that the caller names."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .document import MapError, dumps, fingerprint, loads
from .matching import Parents
from .recognition import Mapping


def path_of(folder: Path, parents: Parents) -> Path:
    """Where the map of this rig is, or would be."""
    return folder / f"{fingerprint(parents)}.json"


def remember(folder: Path, mapping: Mapping, parents: Parents) -> Path:
    """Write the map of a rig in one go, so that a crash leaves the old one; returns the file.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = path_of(folder, parents)
    handle, part = tempfile.mkstemp(prefix=target.stem, suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(dumps(mapping, parents))
        Path(part).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(part).unlink()
        raise
    return target


def recall(folder: Path, parents: Parents) -> Mapping | None:
    """The map that was remembered for a rig with these bones, or None.

    Raises
    ------
    MapError
        If there is one that cannot be read any more; the message names the file.
    """
    target = path_of(folder, parents)
    try:
        text = target.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MapError(f"The rig map {target} cannot be read: {error}") from None
    try:
        return loads(text, parents)
    except MapError as error:
        raise MapError(f"The rig map {target} cannot be used. {error}") from None


def forget(folder: Path, parents: Parents) -> bool:
    """Remove the map of a rig; whether there was one."""
    try:
        path_of(folder, parents).unlink()
    except FileNotFoundError:
        return False
    return True
