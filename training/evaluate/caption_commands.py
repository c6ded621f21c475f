# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-commands ``caption-scores`` and ``mote-row`` of ``python -m training``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

Adder = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]

ABLATION, TEXT_TO_MOTION = "ablation.jsonl", "text_to_motion.jsonl"
"""Files of a run's folder with rows for the page."""


def add_commands(command: Adder) -> None:
    """Add the sub-commands by ``command(name, run, help)``, which returns its parser."""
    sub = command(
        "caption-scores", _caption_scores,
        "Measure captions and retrieval on held-out clips and write a page with tables and pictures.",
    )  # fmt: skip
    sub.add_argument("--bundle", default=None, help="name or folder; the default one when left out")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument(
        "--run", type=Path, required=True,
        help=f"folder of the run: captions are kept in it; {ABLATION} and {TEXT_TO_MOTION} are shown if it has them",
    )  # fmt: skip
    sub.add_argument("--evaluator", type=Path, required=True, help="folder of an evaluator")
    sub.add_argument("--out", type=Path, default=Path("docs/report"))
    sub.add_argument(
        "--sources", default="", help="comma-separated; those of the bundle's training when left out"
    )
    sub.add_argument("--samples", type=int, default=None, help="windows; all of the test split when left out")
    sub.add_argument("--runs", type=int, default=20, help="draws of groups")
    sub.add_argument("--mote-steps", default="", metavar="N,N", help="rows of MoTe: numbers of steps")
    sub.add_argument(
        "--captions", action="append", default=[], metavar="NAME=FILE",
        help="a row of captions made elsewhere: JSON lines with window and sentence",
    )  # fmt: skip
    sub.add_argument("--threads", type=int, default=2)

    sub = command(
        "mote-row", _mote_row, f"Measure MoTe of one bundle in both directions: a line of {ABLATION}."
    )
    sub.add_argument("--bundle", required=True, help="name or folder, exported with [presets.mote]")
    sub.add_argument("--name", required=True, help="of the row")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--run", type=Path, required=True, help=f"folder whose {ABLATION} gets the line")
    sub.add_argument("--evaluator", type=Path, required=True, help="folder of an evaluator")
    sub.add_argument("--steps", type=int, default=10, help="from text to motion")
    sub.add_argument("--caption-steps", type=int, default=1, help="from motion to text")
    sub.add_argument("--samples", type=int, default=None, help="windows; all of the test split when left out")
    sub.add_argument("--threads", type=int, default=2)


def _mote_row(arguments: argparse.Namespace) -> None:
    from motion_engine.engine import Engine
    from training.data.motion_set import MotionSet
    from training.evaluate.held_out import HeldOut
    from training.evaluate.mote_row import mote_row
    from training.evaluate.own_evaluator import OwnEvaluator

    engine = Engine.load(arguments.bundle, device="cpu", threads=arguments.threads)
    held_out = HeldOut.choose(MotionSet.load(arguments.set), samples=arguments.samples)
    row = mote_row(
        engine, held_out, OwnEvaluator.load(arguments.evaluator), arguments.name, arguments.steps,
        arguments.caption_steps,
    )  # fmt: skip
    arguments.run.mkdir(parents=True, exist_ok=True)
    with (arguments.run / ABLATION).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row))


def _caption_scores(arguments: argparse.Namespace) -> None:
    import torch

    from motion_engine.engine import Engine
    from motion_engine.errors import EngineError
    from training.data.motion_set import MotionSet
    from training.evaluate.caption_page import PAGE
    from training.evaluate.caption_study import CaptionSizes, study
    from training.evaluate.own_evaluator import OwnEvaluator

    if arguments.runs < 1 or (arguments.samples is not None and arguments.samples < 2):
        raise ValueError("Captions are measured in one run or more, on two windows or more.")
    steps = [word for word in arguments.mote_steps.split(",") if word]
    if not all(word.isdigit() and int(word) > 0 for word in steps):
        raise ValueError(f"--mote-steps {arguments.mote_steps} is not of the form N or N,N.")
    files = {}
    for entry in arguments.captions:
        name, equals, file = entry.partition("=")
        if not (name and equals and file):
            raise ValueError(f"--captions {entry} is not of the form NAME=FILE.")
        files[name] = Path(file)
    evaluator = OwnEvaluator.load(arguments.evaluator)
    if not arguments.set.exists():
        raise FileNotFoundError(f"There is no set {arguments.set}: make it with `python -m training import`.")
    threads = min(arguments.threads, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    # folders elsewhere on this machine are shown by their names
    words = [_shown(word) for word in sys.argv[1:]]
    try:
        study(
            Engine.load(arguments.bundle, device="cpu", threads=threads), MotionSet.load(arguments.set),
            arguments.run, evaluator, arguments.out,
            CaptionSizes(arguments.samples, arguments.runs, tuple(map(int, steps))),
            sources=[name for name in arguments.sources.split(",") if name],
            files=files, command="python -m training " + " ".join(map(shlex.quote, words)), threads=threads,
        )  # fmt: skip
    except EngineError as error:
        raise ValueError(str(error)) from error
    print(arguments.out / PAGE)


def _shown(word: str) -> str:
    """A word of the command, its folder left out where that is absolute."""
    name, equals, path = word.rpartition("=")
    return name + equals + (Path(path).name if Path(path).is_absolute() else path)
