# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt find``: the clips of a folder that fit some words best."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion_engine.cli.options import add_engine_options, positive_int

if TYPE_CHECKING:
    from motion_engine.captioning.vector_file import Place

HELP = "find motion files by words"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("folder", type=Path, help="folder of motion files, or one file")
    parser.add_argument("words", help='for example "a person throws something"')
    parser.add_argument(
        "--count", type=positive_int, default=10, metavar="N", help="how many clips to print (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="print the clips as JSON")
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the clips that are new, rank all, print the best."""
    from tqdm import tqdm

    from motion_engine import bundle
    from motion_engine.captioning import folder_run, library
    from motion_engine.captioning.limits import check_text
    from motion_engine.captioning.vector_file import VectorFile
    from motion_engine.engine import Engine

    words = check_text(arguments.words, "The text")
    folder, files = library.motion_files(arguments.folder)
    chosen = bundle.find_for("embed", arguments.bundle)
    vectors = VectorFile(folder, chosen)
    engine = Engine(chosen, arguments.device, arguments.backend, arguments.threads)
    new = [file for file in files if not vectors.fresh(file)]
    with tqdm(total=len(new), unit="file", disable=None if len(new) > 1 else True) as bar:

        def on_file(file: str, found: Any, problem: str) -> None:
            if problem:
                bar.write(f"{file}: {problem}", file=sys.stderr)
            else:
                vectors.put(file, found)
            bar.update()

        try:
            folder_run.compare(engine, library.clips_of(folder, new), on_file)
        finally:
            written = vectors.save()
    if not written:
        print(f"'{folder}' cannot be written to, so its clips are read again next time.", file=sys.stderr)
    places, rows = vectors.of(files)
    similarity = rows @ engine.embed([words]).texts[0]
    best: dict[tuple[str, str], tuple[float, Place]] = {}
    for place, value in sorted(zip(places, similarity.tolist(), strict=True), key=lambda pair: -pair[1]):
        best.setdefault((place.file, place.clip), (value, place))  # of a long clip the part that fits best
    found = list(best.values())[: arguments.count]
    texts = _captions(folder)
    if arguments.json:
        shown = [
            {
                "file": place.file, "clip": place.clip, "segment": place.segment, "start": place.start,
                "end": place.end, "similarity": round(value, 4),
                "text": texts.get((place.file, place.clip, place.segment), ""),
            }
            for value, place in found
        ]  # fmt: skip
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return 0
    for value, place in found:
        name = f"{place.file}#{place.clip}" if place.clip else place.file
        part = f"  {place.start:.1f}-{place.end:.1f} s" if place.segment > 0 or place.start > 0 else ""
        text = texts.get((place.file, place.clip, place.segment), "")
        print(f"{value:5.2f}  {name}{part}{'  ' + text if text else ''}")
    return 0


def _captions(folder: Path) -> dict[tuple[str, str, int], str]:
    """Sentences of the folder's captions file, where it has one."""
    from motion_engine.captioning.caption_file import SUFFIXES, CaptionFile
    from motion_engine.errors import EngineError

    for suffix in SUFFIXES:
        path = folder / f"captions{suffix}"
        if path.exists():
            try:
                return CaptionFile(path).texts()
            except EngineError:
                continue
    return {}
