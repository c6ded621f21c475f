# SPDX-License-Identifier: GPL-3.0-or-later
"""``manifest.json`` of a batch: what was asked, what was made, and what is still to do.

::

    {"format": "motion-prompt batch", "version": 1, "engine_version": ..., "bundle": {...},
     "items": [{"name", "asked_name", "line", "status", "request", "bundle", "error", "clips": [...]}],
     "bad_lines": [{"line", "text", "message"}]}

where a clip is ``{"seed", "files": [{"path", "format", "sha256", "bytes"}], "quality", "provenance"}``.
The file is replaced in one step, so that an interruption leaves the last complete one.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from motion_engine import __version__
from motion_engine.errors import EngineError
from motion_engine.formats.atomic import replacing

FILE_NAME = "manifest.json"
FORMAT = "motion-prompt batch"
VERSION = 1

Entry = dict[str, Any]


class Manifest:
    """The manifest of a folder of clips, in memory and on disk.

    Parameters
    ----------
    folder : Path
        Where the clips and ``manifest.json`` lie.

    Raises
    ------
    EngineError
        ``bad_manifest`` when the folder holds a manifest.json that is not ours or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.items: list[Entry] = []
        self.bad_lines: list[dict[str, Any]] = []
        self.bundle: dict[str, Any] = {}
        self._saved_at = 0.0
        self._save_cost = 0.0
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise ValueError("it is of another kind or version")
            self.items = [entry for entry in data["items"] if entry["name"] and "request" in entry]
            self.bundle = dict(data["bundle"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(
                "bad_manifest",
                f"'{self.path}' is not the manifest of a batch: {error}.",
                "Move it away, or choose another folder with --out.",
            ) from None

    def find(
        self, asked_name: str | None, request: dict[str, Any], bundle: dict[str, Any], taken: set[int]
    ) -> Entry | None:
        """The entry of an earlier run for the same name, request and bundle whose id is not in ``taken``."""
        for entry in self.items:
            if (
                entry["request"] == request
                and entry.get("asked_name") == asked_name
                and entry.get("bundle") == bundle
                and id(entry) not in taken
            ):
                return entry
        return None

    def is_done(self, entry: Entry, formats: tuple[str, ...]) -> bool:
        """Whether all clips of an entry exist in all ``formats``."""
        clips = entry.get("clips", [])
        if entry.get("status") != "done" or len(clips) != entry["request"]["count"]:
            return False
        return all(
            any(file["format"] == name and (self.folder / file["path"]).is_file() for file in clip["files"])
            for clip in clips
            for name in formats
        )

    def owned_files(self) -> set[str]:
        """Names of the files that the entries list, in lower case."""
        return {
            file["path"].lower()
            for entry in self.items
            for clip in entry.get("clips", [])
            for file in clip["files"]
        }

    def save(self) -> None:
        """Write the manifest; OSError when that is not possible."""
        start = time.monotonic()
        data = {
            "format": FORMAT,
            "version": VERSION,
            "engine_version": __version__,
            "bundle": self.bundle,
            "items": self.items,
            "bad_lines": self.bad_lines,
        }
        with replacing(self.path) as file:
            file.write(json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8"))
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - start

    def save_when_due(self) -> None:
        """Write at most once a second, and less often once writing takes long: what a killed process loses
        is made again by the next run."""
        if time.monotonic() - self._saved_at >= max(1.0, 20 * self._save_cost):
            self.save()
