# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions made of the held-out windows, kept in files so that an interrupted measurement goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion
from training.evaluate.held_out import HeldOut

Spoken = tuple[str, Sequence[str]]
"""A sentence and other sentences, best first."""

Captioner = Callable[[Sequence[Motion]], Sequence[Spoken]]
"""What makes captions: of each motion a sentence and alternatives."""

SAVE_SECONDS = 60.0


@dataclass
class CaptionSet:
    """Captions in the order of the windows; milliseconds a clip, empty where none were measured."""

    name: str
    sentences: list[str]
    alternatives: list[list[str]]
    milliseconds: list[float]

    @property
    def mean_milliseconds(self) -> float | None:
        """Of a clip."""
        return float(np.mean(self.milliseconds)) if self.milliseconds else None


def window_keys(held_out: HeldOut) -> list[str]:
    """What a file of captions calls the windows: clip, start and end in seconds."""
    return [f"{window.clip} {window.start:g}-{window.end:g}" for window in held_out.windows]


def caption_set(name: str, captioner: Captioner, held_out: HeldOut, file: Path, version: str) -> CaptionSet:
    """Captions of every window, one clip at a time, with the time of each.

    What ``file`` holds of an earlier try of the same version on the same windows is used; it is written once a minute
    and at the end.

    Parameters
    ----------
    version : stands for the captioner: its weights and settings. Another version does not use what is in the file.
    """
    keys = window_keys(held_out)
    told = hashlib.sha256(json.dumps([name, version, keys]).encode("utf-8")).hexdigest()
    done = _read(file, told)
    if len(done) < len(keys):
        captioner(held_out.motions[:1])  # loads networks: not part of a clip's time
        saved = time.monotonic()
        bar = tqdm(range(len(done), len(keys)), desc=name, initial=len(done), total=len(keys), mininterval=5)
        for index in bar:
            start = time.perf_counter()
            ((sentence, others),) = captioner([held_out.motions[index]])
            took = 1000 * (time.perf_counter() - start)
            done.append(
                {
                    "window": keys[index],
                    "sentence": sentence,
                    "alternatives": list(others),
                    "milliseconds": took,
                }
            )
            if time.monotonic() - saved > SAVE_SECONDS:
                _write(file, told, done)
                saved = time.monotonic()
        _write(file, told, done)
    return _as_set(name, done)


def read_captions(name: str, file: Path, held_out: HeldOut) -> CaptionSet:
    """Captions made elsewhere: lines of JSON with ``window`` (see `window_keys`) and ``sentence``.

    ``alternatives`` and ``milliseconds`` are optional. The files that `caption_set` writes are of this kind.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is damaged, or a window has no caption in it.
    """
    if not file.exists():
        raise FileNotFoundError(f"There is no file of captions {file}.")
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        found = {str(line["window"]): line for line in lines if "window" in line}
        rows = [found.get(key) for key in window_keys(held_out)]
        lacking = sum(row is None for row in rows)
        if lacking:
            raise ValueError(
                f"{file} lacks captions of {lacking} of the {len(rows)} windows; was it made of another set?"
            )
        return _as_set(name, [row for row in rows if row is not None])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no file of captions: {error!r}") from error


def _as_set(name: str, rows: Sequence[dict[str, Any]]) -> CaptionSet:
    times = [float(row["milliseconds"]) for row in rows if row.get("milliseconds") is not None]
    return CaptionSet(
        name,
        [str(row["sentence"]) for row in rows],
        [[str(other) for other in row.get("alternatives", ())] for row in rows],
        times if len(times) == len(rows) else [],
    )


def _read(file: Path, told: str) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    head, *lines = file.read_text(encoding="utf-8").splitlines() or ["{}"]
    return [json.loads(line) for line in lines] if json.loads(head).get("key") == told else []


def _write(file: Path, told: str, rows: Sequence[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as out:
        text = "\n".join(json.dumps(row) for row in [{"key": told}, *rows]) + "\n"
        out.write(text.encode("utf-8"))
