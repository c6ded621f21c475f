# SPDX-License-Identifier: GPL-3.0-or-later
"""Vectors of the clips of a folder in the joint space, kept in a file, so that a search reads no clip twice."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle import Bundle
from motion_engine.formats.atomic import replacing

Array = NDArray[np.floating]

NAME = "captions.vectors"


@dataclass(frozen=True)
class Place:
    """What a vector stands for: a clip of a file, or a part of it; ``start`` and ``end`` in seconds."""

    file: str
    clip: str
    segment: int
    start: float
    end: float


class VectorFile:
    """The vectors of a folder. A file that has changed since, or vectors of another bundle, count for nothing.

    Parameters
    ----------
    folder : where the clips lie, and the file `NAME`.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._folder = folder
        self._bundle = bundle.sha256
        self._width = int(bundle.manifest["captions"]["embedding"])
        self._stamps: dict[str, list[int]] = {}
        self._found: dict[str, list[tuple[Place, Array]]] = {}
        self._dirty = False
        try:
            with np.load(folder / NAME, allow_pickle=False) as data:
                if str(data["bundle"]) == self._bundle:
                    self._stamps = json.loads(str(data["stamps"]))
                    self._found = {file: [] for file in self._stamps}
                    for place, vector in zip(json.loads(str(data["places"])), data["vectors"], strict=True):
                        self._found[place["file"]].append((Place(**place), vector))
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            self._stamps, self._found = {}, {}

    def fresh(self, file: str) -> bool:
        """Whether the vectors of a file are there, and it has not changed since."""
        return file in self._found and self._stamps.get(file) == self._stamp(file)

    def put(self, file: str, found: Sequence[tuple[Place, Array]]) -> None:
        """Keep the vectors of a file."""
        self._found[file] = list(found)
        self._stamps[file] = self._stamp(file)
        self._dirty = True

    def of(self, files: Sequence[str]) -> tuple[list[Place], Array]:
        """Places and their vectors (n, E) of files."""
        pairs = [pair for file in files for pair in self._found.get(file, [])]
        vectors = np.array([vector for _, vector in pairs], dtype=np.float32)
        return [place for place, _ in pairs], vectors.reshape(-1, self._width)

    def save(self) -> bool:
        """Write the file if anything is new; False where the folder cannot be written to."""
        if not self._dirty:
            return True
        places, vectors = self.of(list(self._found))
        try:
            with replacing(self._folder / NAME) as file:
                np.savez(
                    file,
                    bundle=np.array(self._bundle),
                    stamps=np.array(json.dumps(self._stamps)),
                    places=np.array(json.dumps([asdict(place) for place in places])),
                    vectors=vectors,
                )
        except OSError:
            return False
        self._dirty = False
        return True

    def _stamp(self, file: str) -> list[int]:
        """Time and size of a file, as it is now."""
        try:
            status = (self._folder / file).stat()
        except OSError:
            return []
        return [status.st_mtime_ns, status.st_size]
