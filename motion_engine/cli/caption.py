# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt caption``: sentences and tags for a motion file, or for every one in a folder."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from motion_engine.cli.options import add_engine_options, positive_int, warn_of_licence

if TYPE_CHECKING:
    from motion_engine.captioning.caption_file import Row

HELP = "describe motion files in words"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "place", type=Path, metavar="FILE|FOLDER",
        help="motion file, or folder of such: .npz, .bvh; .fbx, .glb and .bvh of other rigs through Blender",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help=".csv or .json; what it holds already is not made again (default: captions.csv in the folder; "
        "the sentence of a single file is printed)",
    )  # fmt: skip
    parser.add_argument(
        "--count",
        type=positive_int,
        default=1,
        metavar="N",
        help="sentences of each clip, 1 to 5 (default: 1)",
    )
    parser.add_argument("--again", action="store_true", help="describe files again that are in --out")
    parser.add_argument("--quiet", action="store_true", help="print no sentences of a folder's files")
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Describe what is not described yet; exit code 1 when a clip could not be."""
    from tqdm import tqdm

    from motion_engine import bundle, output
    from motion_engine.captioning import folder_run, library
    from motion_engine.captioning.caption_file import CaptionFile
    from motion_engine.captioning.limits import check_count
    from motion_engine.captioning.vector_file import VectorFile
    from motion_engine.engine import Engine

    check_count(arguments.count)
    folder, files = library.motion_files(arguments.place)
    single = arguments.place.is_file()
    chosen = bundle.find_for("motion_to_text", arguments.bundle)
    out = arguments.out or (None if single else folder / "captions.csv")
    kept = None
    left = files
    if out is not None:
        output.prepare_folder(out.parent)
        kept = CaptionFile(out, fresh=arguments.again)
        if not single:
            kept.keep_only(set(files))
        done = kept.done()
        left = [file for file in files if file not in done]
    vectors = VectorFile(folder, chosen)
    problems = described = 0
    signal.signal(signal.SIGTERM, _interrupt)
    if left:
        engine = Engine(chosen, arguments.device, arguments.backend, arguments.threads)
        with tqdm(total=len(left), unit="file", disable=None if len(left) > 1 else True) as bar:

            def on_file(file: str, rows: list[Row], found: Any) -> None:
                nonlocal problems, described
                failed = [row for row in rows if row["error"]]
                problems += len(failed)
                described += len(rows) > len(failed)
                if kept is not None:
                    kept.replace(file, rows)
                if not failed:
                    vectors.put(file, found)
                for row in failed:
                    bar.write(f"{_name(row)}: {row['error']}", file=sys.stderr)
                if single or not arguments.quiet:
                    for row in folder_run.whole(rows) if not single else rows:
                        if not row["error"]:
                            bar.write(_line(row), file=sys.stdout)
                bar.update()

            try:
                folder_run.describe(engine, library.clips_of(folder, left), arguments.count, on_file)
            finally:
                if kept is not None:
                    kept.save()
                if not single:
                    vectors.save()
    elif kept is not None:
        kept.save()
    warn_of_licence(chosen)
    if kept is not None:
        before = len(files) - len(left)
        print(f"{described} described, {before} described before, {problems} problem(s); see {kept.path}")
    return 1 if problems else 0


def _name(row: Row) -> str:
    return f"{row['file']}#{row['clip']}" if row["clip"] else str(row["file"])


def _line(row: Row) -> str:
    part = "" if row["segment"] == 0 and row["start"] == 0 else f"  {row['start']:.1f}-{row['end']:.1f} s"
    tags = f"  [{', '.join(row['tags'])}]" if row["tags"] else ""
    others = "".join(f"\n    or: {text}" for text in row["alternatives"])
    return f"{_name(row)}{part}: {row['text']}{tags}{others}"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
