# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a list of prompts: one a line with optional fields after bars, or CSV.

Only the standard library is used here, so that Blender's side can import this file as it is.

The line format::

    # a comment
    a man sits down | duration=3 | seed=5 | count=2 | name=sit
    someone waves with the right hand

A CSV table is recognised by its heading, which holds ``prompt`` and at least one more field name::

    prompt,duration,seed
    "a man walks, then stops",4,7
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FIELDS", "MAX_COUNT", "BatchError", "BatchItem", "decode_batch", "file_stem", "parse_batch"]

MAX_COUNT = 32
MAX_TRIES = 16
MAX_SEED = 2**32 - 1

_WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))]
)


@dataclass(frozen=True)
class BatchItem:
    """One line of a batch: what to generate.

    Attributes
    ----------
    line : int
        Line number in the source text, counted from 1.
    prompt : str
        The sentence.
    duration : float or None
        Seconds; None leaves it to the caller's default.
    seed : int or None
        Seed of the first clip; clip ``i`` uses ``seed + i``.
    count : int
        How many clips to make, 1 to 32.
    name : str or None
        Name of the clip (and of its file or action), as written.
    sampler, steps, guidance, tries
        Sampler settings; None means the bundle's own.
    """

    line: int
    prompt: str
    duration: float | None = None
    seed: int | None = None
    count: int = 1
    name: str | None = None
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    tries: int | None = None


@dataclass(frozen=True)
class BatchError:
    """A line that cannot be used, with a sentence that says why."""

    line: int
    text: str
    message: str


def _number(field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{field} must be a number, not '{text}'") from None
    if not math.isfinite(value):
        raise ValueError(f"{field} must be a finite number, not '{text}'")
    return value


def _duration(text: str) -> float:
    value = _number("duration", text.rstrip().removesuffix("s"))
    if value <= 0:
        raise ValueError(f"duration must be more than 0 seconds, not {text}")
    return value


def _guidance(text: str) -> float:
    value = _number("guidance", text)
    if value < 0:
        raise ValueError(f"guidance must be 0 or more, not {text}")
    return value


def _whole(field: str, low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{field} must be a whole number, not '{text}'") from None
        if not low <= value <= high:
            raise ValueError(f"{field} must be from {low} to {high}, not {text}")
        return value

    return convert


FIELDS: dict[str, Callable[[str], Any]] = {
    "duration": _duration,
    "seed": _whole("seed", 0, MAX_SEED),
    "count": _whole("count", 1, MAX_COUNT),
    "name": str,
    "sampler": str,
    "steps": _whole("steps", 1, 1000),
    "guidance": _guidance,
    "tries": _whole("tries", 1, MAX_TRIES),
}
"""Field name to the function that reads its value."""


def _item(line: int, prompt: str, fields: list[tuple[str, str]]) -> BatchItem:
    """Convert the fields of one line; ValueError says what is wrong with it."""
    prompt = " ".join(prompt.split())
    if not prompt:
        raise ValueError("the line has no prompt")
    values: dict[str, Any] = {}
    for key, text in fields:
        name = key.strip().lower()
        if name not in FIELDS:
            raise ValueError(f"unknown field '{key.strip()}'; the fields are {', '.join(FIELDS)}")
        if name in values:
            raise ValueError(f"the field {name} appears twice")
        text = text.strip()
        if not text:
            raise ValueError(f"the field {name} has no value")
        values[name] = FIELDS[name](text)
    return BatchItem(line=line, prompt=prompt, **values)


def _parse_line(number: int, text: str) -> BatchItem:
    prompt, *parts = text.split("|")
    fields = []
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"'{part.strip()}' after a bar should look like field=value, for example seed=5")
        fields.append((key, value))
    return _item(number, prompt, fields)


def _csv_heading(line: str) -> list[str] | None:
    """Column names when ``line`` is a CSV heading, else None."""
    names = [cell.strip().lower() for cell in next(csv.reader([line]), [])]
    known = {"prompt", *FIELDS}
    if len(names) > 1 and "prompt" in names and set(names) <= known and len(set(names)) == len(names):
        return names
    return None


def _parse_csv(lines: list[str], first: int, heading: list[str]) -> tuple[list[BatchItem], list[BatchError]]:
    """Read the rows below a heading that stands on line ``first`` (counted from 1)."""
    items: list[BatchItem] = []
    errors: list[BatchError] = []
    reader = csv.reader(io.StringIO("\n".join(lines[first:])))
    last = 0
    rows = iter(reader)
    while True:
        number = first + last + 1
        try:
            row = next(rows)
        except StopIteration:
            return items, errors
        except csv.Error as error:
            last = max(reader.line_num, last + 1)
            errors.append(BatchError(number, lines[number - 1], f"not a CSV row: {error}"))
            continue
        last = reader.line_num
        if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
            continue
        try:
            if len(row) > len(heading):
                raise ValueError(
                    f"{len(row)} cells below a heading of {len(heading)}; quote cells that hold a comma"
                )
            cells = dict(zip(heading, row, strict=False))
            prompt = cells.pop("prompt", "")
            items.append(_item(number, prompt, [(k, v) for k, v in cells.items() if v.strip()]))
        except ValueError as error:
            errors.append(BatchError(number, lines[number - 1], str(error)))


def parse_batch(text: str) -> tuple[list[BatchItem], list[BatchError]]:
    """Read a batch of prompts.

    Parameters
    ----------
    text : str
        Lines of ``prompt | field=value | ...``, or a CSV table with a ``prompt`` column. Empty lines and
        lines that begin with ``#`` are skipped.

    Returns
    -------
    items : list of BatchItem
        The good lines, in order.
    errors : list of BatchError
        The bad lines, in order. Never raises for bad text.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    items: list[BatchItem] = []
    errors: list[BatchError] = []
    seen_content = False
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not seen_content:
            seen_content = True
            heading = _csv_heading(line)
            if heading is not None:
                return _parse_csv(lines, number, heading)
        try:
            items.append(_parse_line(number, line))
        except ValueError as error:
            errors.append(BatchError(number, raw, str(error)))
    return items, errors


def decode_batch(data: bytes) -> str:
    """Decode the bytes of a prompt file: UTF-8, or UTF-16 with a byte order mark.

    Raises
    ------
    ValueError
        The bytes are not such text.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text; save it as plain text in UTF-8") from None
    if "\0" in text:
        raise ValueError("the file is not a text file")
    return text


def file_stem(text: str, limit: int = 60) -> str:
    """A file name without suffix that every system accepts, made from a prompt or a given name.

    Letters and digits of any script are kept, everything else becomes ``-``; names that Windows reserves
    get a trailing ``-clip``.
    """
    stem = re.sub(r"[^\w.]+", "-", text.strip(), flags=re.UNICODE).strip("-._")
    while len(stem.encode("utf-8")) > limit:
        stem = stem[:-1]
    stem = stem.strip("-._")
    if not stem:
        return "clip"
    if stem.split(".")[0].lower() in _WINDOWS_DEVICES:
        return f"{stem}-clip"
    return stem
