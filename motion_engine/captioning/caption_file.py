# SPDX-License-Identifier: GPL-3.0-or-later
"""The captions of a folder in one ``.csv`` or ``.json`` file, which a later run goes on with.

A row is a clip, a part of a long clip, or the summary of its parts (segment -1): `COLUMNS`. In JSON the rows are a
list under ``captions``, with tags and alternatives as lists; in CSV tags are separated by ``; `` and alternatives by
`` | ``. The file is replaced in one step, so that an interruption leaves the last complete one.
"""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

from motion_engine.errors import EngineError
from motion_engine.formats.atomic import replacing
from motion_engine.output import cannot_write

COLUMNS = ("file", "clip", "segment", "start", "end", "text", "score", "tags", "alternatives", "error")
SUFFIXES = (".csv", ".json")
FORMAT = "motion-prompt captions"

SAVE_SECONDS = 5.0
"""How often the file is written while clips are described."""

_LISTS = {"tags": "; ", "alternatives": " | "}

Row = dict[str, Any]


class CaptionFile:
    """The rows of a captions file, in memory and on disk.

    Parameters
    ----------
    path : a ``.csv`` or ``.json`` file; read where it exists.
    fresh : leave out what the file holds.

    Raises
    ------
    EngineError
        ``unknown_format``, or ``bad_captions`` for a file that is something else.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        if path.suffix.lower() not in SUFFIXES:
            raise EngineError(
                "unknown_format",
                f"'{path}' does not say in which format to write.",
                f"End the file name in {' or '.join(SUFFIXES)}.",
            )
        self.rows: list[Row] = []
        self._saved_at = time.monotonic()
        self._dirty = False
        if path.exists() and not fresh:
            try:
                self.rows = self._read()
            except OSError as error:
                raise EngineError(
                    "cannot_read", f"Cannot read '{path}': {error.strerror}.", "Check the file."
                ) from None
            except (ValueError, KeyError, TypeError) as error:
                raise EngineError(
                    "bad_captions",
                    f"'{path}' is no captions file: {error}.",
                    "Choose another --out, or delete it.",
                ) from None

    def done(self) -> set[str]:
        """Files that are described already; those with a problem are tried again."""
        broken = {row["file"] for row in self.rows if row["error"] and not row["clip"]}
        return {row["file"] for row in self.rows} - broken

    def replace(self, file: str, rows: list[Row]) -> None:
        """Put in the rows of a file, in place of those that were there."""
        self.rows = [row for row in self.rows if row["file"] != file] + rows
        self._dirty = True
        if time.monotonic() - self._saved_at > SAVE_SECONDS:
            self.save()

    def keep_only(self, files: set[str]) -> None:
        """Leave out the rows of files that are gone."""
        kept = [row for row in self.rows if row["file"] in files]
        self._dirty |= len(kept) != len(self.rows)
        self.rows = kept

    def texts(self) -> dict[tuple[str, str, int], str]:
        """Sentences by file, clip and segment."""
        return {(row["file"], row["clip"], row["segment"]): row["text"] for row in self.rows}

    def save(self) -> None:
        """Write the file if anything is new; EngineError ``cannot_write``."""
        if not self._dirty:
            return
        self.rows.sort(key=lambda row: row["file"])
        try:
            with replacing(self.path) as file:
                file.write(self._text().encode("utf-8"))
        except OSError as error:
            raise cannot_write(self.path, error) from None
        self._saved_at, self._dirty = time.monotonic(), False

    def _text(self) -> str:
        if self.path.suffix.lower() == ".json":
            return json.dumps({"format": FORMAT, "captions": self.rows}, indent=1, ensure_ascii=False) + "\n"
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow(row | {name: mark.join(row[name]) for name, mark in _LISTS.items()})
        return out.getvalue()

    def _read(self) -> list[Row]:
        text = self.path.read_text(encoding="utf-8-sig")
        if self.path.suffix.lower() == ".json":
            data = json.loads(text)
            if not isinstance(data, dict) or data.get("format") != FORMAT:
                raise ValueError(f"it does not say that it is '{FORMAT}'")
            return [{name: row[name] for name in COLUMNS} for row in data["captions"]]
        reader = csv.DictReader(io.StringIO(text))
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"its heading is not {','.join(COLUMNS)}")
        rows = []
        for line in reader:
            row: Row = dict(line)
            row["segment"] = int(row["segment"])
            for name in ("start", "end", "score"):
                row[name] = float(row[name])
            for name, mark in _LISTS.items():
                row[name] = row[name].split(mark) if row[name] else []
            rows.append(row)
        return rows
