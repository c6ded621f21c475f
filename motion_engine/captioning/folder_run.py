# SPDX-License-Identifier: GPL-3.0-or-later
"""Describing and comparing all clips of a folder, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motion_engine.captioning.caption_file import Row
from motion_engine.captioning.captioner import MANY_TOGETHER, WHOLE, Caption, Result
from motion_engine.captioning.joint_space import ClipProblem
from motion_engine.captioning.library import FileClip
from motion_engine.captioning.vector_file import Place
from motion_engine.errors import EngineError

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]
Vectors = list[tuple[Place, Array]]

OnFile = Callable[[str, list[Row], Vectors], None]
"""Called when a file is done: its name, its rows, and the vectors of its parts."""


def describe(engine: Engine, clips: Iterable[FileClip], count: int, on_file: OnFile) -> None:
    """Describe clips; ``on_file`` is called with each file as soon as all of its clips are done."""
    rows: dict[str, list[Row]] = {}
    vectors: dict[str, Vectors] = {}
    for group in _groups(clips):
        usable = [item.clip for item in group if not isinstance(item.clip, EngineError)]
        told: dict[int, list[Result]] = {index: [] for index in range(len(usable))}
        for result in engine.caption(usable, count, together=MANY_TOGETHER):
            told[result.clip].append(result)
        numbers = iter(range(len(usable)))
        for item in group:
            if isinstance(item.clip, EngineError):
                results: list[Result] = [ClipProblem.of(0, item.clip)]
            else:
                results = told[next(numbers)]
            of_file = rows.setdefault(item.file, [])
            of_file += [row(item, result) for result in results]
            found = [r for r in results if isinstance(r, Caption) and r.vector is not None]
            vectors.setdefault(item.file, []).extend(
                (Place(item.file, item.name, r.segment, round(r.start, 3), round(r.end, 3)), r.vector)
                for r in found
                if r.vector is not None
            )
            if item.is_last:
                on_file(item.file, rows.pop(item.file), vectors.pop(item.file))


def compare(engine: Engine, clips: Iterable[FileClip], on_file: Callable[[str, Vectors, str], None]) -> None:
    """Bring clips to the joint space; ``on_file`` is called with each file's vectors and its problem, if any."""
    vectors: dict[str, Vectors] = {}
    for item in clips:
        problem = ""
        of_file = vectors.setdefault(item.file, [])
        if isinstance(item.clip, EngineError):
            problem = str(item.clip)
        else:
            found = engine.embed(clips=[item.clip])
            problem = found.problems[0].message if found.problems else ""
            for segment, (place, vector) in enumerate(zip(found.spans[0], found.parts[0], strict=True)):
                start, end = round(place[0], 3), round(place[1], 3)
                of_file.append((Place(item.file, item.name, segment, start, end), vector))
        if item.is_last:
            on_file(item.file, vectors.pop(item.file), problem)


def row(item: FileClip, result: Result) -> Row:
    """A result as a row of a captions file."""
    if isinstance(result, ClipProblem):
        error = f"{result.message} {result.fix}".strip()
        empty: Row = {"segment": 0, "start": 0.0, "end": 0.0, "text": "", "score": 0.0}
        return {"file": item.file, "clip": item.name, **empty, "tags": [], "alternatives": [], "error": error}
    return {
        "file": item.file,
        "clip": item.name,
        "segment": result.segment,
        "start": round(result.start, 3),
        "end": round(result.end, 3),
        "text": result.text,
        "score": round(result.score, 4),
        "tags": list(result.tags),
        "alternatives": [sentence.text for sentence in result.alternatives],
        "error": "",
    }


def _groups(clips: Iterable[FileClip]) -> Iterator[list[FileClip]]:
    group: list[FileClip] = []
    for clip in clips:
        group.append(clip)
        if len(group) == MANY_TOGETHER:
            yield group
            group = []
    if group:
        yield group


def whole(rows: list[Row]) -> list[Row]:
    """One row a clip: the summary where there are parts."""
    summarised = {(r["file"], r["clip"]) for r in rows if r["segment"] == WHOLE}
    return [r for r in rows if r["segment"] == WHOLE or (r["file"], r["clip"]) not in summarised]
