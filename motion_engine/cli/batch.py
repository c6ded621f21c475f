# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt batch``: a list of prompts to a folder of clips with a manifest."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from motion_engine.cli.options import (
    add_engine_options,
    add_sampling_options,
    number,
    seed_number,
    warn_of_licence,
)
from motion_engine.errors import EngineError

HELP = "make a clip for every line of a text file"

FORMATS = ("npz", "bvh", "glb", "fbx")


def file_formats(text: str) -> tuple[str, ...]:
    """``npz,bvh`` as a tuple."""
    names = tuple(dict.fromkeys(name.strip().lower().lstrip(".") for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"'{text}' should be one or more of {', '.join(FORMATS)}")
    return names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "prompts",
        help="a text file, one prompt a line, optional fields after bars: "
        "'a man sits down | duration=3 | seed=5 | count=2 | name=sit'; or CSV with a heading; '-' reads "
        "standard input",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the clips")
    parser.add_argument(
        "--format",
        type=file_formats,
        default=("npz",),
        metavar="LIST",
        help="npz, bvh, glb, fbx (default: npz)",
    )
    parser.add_argument(
        "--duration", type=number, default=4.0, help="seconds of lines without one (default: 4)"
    )
    parser.add_argument("--seed", type=seed_number, default=0, help="seed of lines without one (default: 0)")
    add_sampling_options(parser)
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make what is not made yet; exit code 1 when a line was bad or an item failed."""
    from tqdm import tqdm

    from motion_engine import batch_run, output
    from motion_engine.batch import parse_batch
    from motion_engine.batch_manifest import Manifest
    from motion_engine.engine import Engine

    for name in arguments.format:
        output.check_format(arguments.out / f"clip.{name}")
    items, bad_lines = parse_batch(_read(arguments.prompts))
    for bad in bad_lines:
        print(f"line {bad.line}: {bad.message}: {bad.text.strip()}", file=sys.stderr)
    if not items:
        raise EngineError(
            "empty_batch", f"'{arguments.prompts}' holds no usable prompt.", "Write one sentence a line."
        )
    defaults = batch_run.BatchDefaults(
        formats=arguments.format,
        duration=arguments.duration,
        seed=arguments.seed,
        sampler=arguments.sampler,
        steps=arguments.steps,
        guidance=arguments.guidance,
        tries=arguments.tries,
        foot_lock=arguments.foot_lock,
        floor=arguments.floor,
        fps=arguments.fps,
        loop=arguments.loop,
        in_place=arguments.in_place,
    )
    output.prepare_folder(arguments.out)
    manifest = Manifest(arguments.out)
    manifest.bad_lines = [{"line": bad.line, "text": bad.text, "message": bad.message} for bad in bad_lines]
    engine = Engine.load(
        arguments.bundle, device=arguments.device, backend=arguments.backend, threads=arguments.threads
    )
    bundle = {"name": engine.bundle.name, "version": engine.bundle.version, "sha256": engine.bundle.sha256}
    tasks, done = batch_run.plan(items, defaults, manifest, bundle)
    signal.signal(signal.SIGTERM, _interrupt)
    failed = 0
    with tqdm(total=len(items), initial=done, unit="prompt", disable=None) as bar:

        def on_item(task: batch_run.Task) -> None:
            nonlocal failed
            error = task.entry["error"]
            if error:
                failed += 1
                bar.write(f"line {task.entry['line']}: {error['message']} {error['fix']}", file=sys.stderr)
            bar.update()

        try:
            batch_run.run(tasks, engine, manifest, defaults, on_item)
        except OSError as error:
            raise output.cannot_write(manifest.path, error) from None
    warn_of_licence(engine.bundle)
    made = len(tasks) - failed
    print(
        f"{made} made, {done} made before, {failed} failed, {len(bad_lines)} bad line(s); see {manifest.path}"
    )
    return 1 if failed or bad_lines else 0


def _read(source: str) -> str:
    from motion_engine.batch import decode_batch

    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise EngineError(
            "cannot_read", f"Cannot read '{source}': {error.strerror or error}.", "Check the file name."
        ) from None
    try:
        return decode_batch(data)
    except ValueError as error:
        raise EngineError("not_text", f"Cannot read '{source}': {error}.") from None


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
