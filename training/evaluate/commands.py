# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-commands ``evaluator``, ``report`` and ``compare`` of ``python -m training``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from training.evaluate.caption_commands import add_commands as add_caption_commands
from training.evaluate.held_out import LONGEST

Adder = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]


def add_commands(command: Adder) -> None:
    """Add the sub-commands by ``command(name, run, help)``, which returns the parser of the new one."""
    sub = command("evaluator", _evaluator, "Train the evaluator that the report measures with.")
    sub.add_argument(
        "--config", default="base", help="names the text encoder: name or file of a bundle's settings"
    )
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--run", type=Path, required=True, help="folder of the evaluator")
    sub.add_argument("--features", default="full", help="full (259 numbers a frame) or essential (67)")
    sub.add_argument("--loss", default="infonce", help="infonce, or margin as Guo et al.")
    sub.add_argument("--steps", type=int, default=None)
    sub.add_argument("--batch", type=int, default=None)

    sub = command(
        "report", _report, "Measure a bundle and write a page with tables, figures and contact sheets."
    )
    sub.add_argument("--bundle", default=None, help="name or folder; the default one when left out")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument(
        "--run", type=Path, required=True, help="folder of the run: the VAE, and the cache of the report"
    )
    sub.add_argument(
        "--evaluator",
        type=Path,
        action="append",
        required=True,
        help="folder of an evaluator; may be given twice",
    )
    sub.add_argument("--out", type=Path, default=Path("docs/report"))
    sub.add_argument(
        "--sources", default="", help="comma-separated; those of the bundle's training when left out"
    )
    sub.add_argument("--samples", type=int, default=None, help="windows; all of the test split when left out")
    sub.add_argument("--runs", type=int, default=20, help="draws of groups and pairs")
    sub.add_argument("--sets", type=int, default=3, help="generated sets of a fast row")
    sub.add_argument(
        "--slow-sets", type=int, default=1, help="generated sets of a row of more than ten steps"
    )
    sub.add_argument("--texts", type=int, default=12, help="texts for MultiModality; 0 leaves it out")
    sub.add_argument("--repeats", type=int, default=20, help="motions a text for MultiModality")
    sub.add_argument("--raw", type=int, default=60, help="windows made without clean-up too")
    sub.add_argument(
        "--control",
        type=int,
        default=12,
        help="windows for each row of control; 0 leaves it out",
    )
    sub.add_argument("--suite-seeds", type=int, default=5, help="seeds of the prompt suite; 0 leaves it out")
    sub.add_argument(
        "--steps",
        action="append",
        default=[],
        metavar="SAMPLER=N,N",
        help="other steps of a sampler: mld=10,50",
    )
    sub.add_argument("--threads", type=int, default=2)

    sub = command("compare", _compare, "One table of several reports.")
    sub.add_argument("report", type=Path, nargs="+", help="folders that `report` wrote")

    sub = command(
        "sampler-scores",
        _sampler_scores,
        "FID, text match, skate and jerk of one sampler: a row of an ablation.",
    )
    sub.add_argument("--bundle", default=None, help="name or folder; the default one when left out")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--evaluator", type=Path, required=True, help="folder of an evaluator")
    sub.add_argument("--sampler", required=True)
    sub.add_argument("--steps", type=int, default=None, help="the bundle's preset when left out")
    sub.add_argument("--guidance", type=float, default=None, help="the bundle's preset when left out")
    sub.add_argument("--samples", type=int, default=None, help="windows; all of the test split when left out")
    sub.add_argument("--sets", type=int, default=1, help="times that all windows are made; FID is the mean")
    sub.add_argument("--no-clean-up", action="store_true", help="what the networks make, as it is")
    sub.add_argument("--tries", type=int, default=1, help="draws of a motion that misses its words")
    sub.add_argument("--threads", type=int, default=2)

    sub = command(
        "expectations", _expectations,
        "Check on measured clips the rules by which the engine tells whether a motion does what its words say.",
    )  # fmt: skip
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--splits", default="test", help="comma-separated: train, val, test")
    sub.add_argument("--least", type=int, default=1, help="rows that are said so often, at least")

    add_caption_commands(command)


def _expectations(arguments: argparse.Namespace) -> None:
    from training.data.motion_set import MotionSet
    from training.evaluate.expectation_check import agreement, agreement_table

    rows = agreement(MotionSet.load(arguments.set), arguments.splits.split(","))
    print(agreement_table(rows, arguments.least))


def _evaluator(arguments: argparse.Namespace) -> None:
    from training.config import Config
    from training.data.motion_set import MotionSet
    from training.evaluate import train_evaluator
    from training.evaluate.own_evaluator import EvaluatorConfig

    config = EvaluatorConfig(
        Config.read(arguments.config).bundle.text_encoder, features=arguments.features, loss=arguments.loss
    )
    made = train_evaluator.train_evaluator(
        MotionSet.load(arguments.set),
        arguments.run,
        config,
        arguments.steps or train_evaluator.STEPS,
        arguments.batch or train_evaluator.BATCH,
    )
    print(f"{arguments.run}: held-out measured motions {made.scores} (longest clip {LONGEST} frames)")


def _report(arguments: argparse.Namespace) -> None:
    import torch

    from motion_engine.engine import Engine
    from motion_engine.errors import EngineError
    from training.data.motion_set import MotionSet
    from training.evaluate.own_evaluator import OwnEvaluator
    from training.evaluate.report import ReportSizes, examine
    from training.evaluate.report_page import PAGE, write_page

    steps = {}
    for entry in arguments.steps:
        name, _, numbers = entry.partition("=")
        if not numbers.replace(",", "").isdigit():
            raise ValueError(f"--steps {entry} is not of the form SAMPLER=N or SAMPLER=N,N.")
        steps[name] = [int(number) for number in numbers.split(",") if number]
    sizes = ReportSizes(
        arguments.samples, arguments.runs, arguments.sets, arguments.slow_sets, arguments.texts, arguments.repeats,
        arguments.raw, arguments.control, arguments.suite_seeds,
    )  # fmt: skip
    if min(sizes.runs, sizes.sets, sizes.slow_sets) < 1 or (sizes.samples is not None and sizes.samples < 2):
        raise ValueError("A report needs at least one run and one set, and two windows.")
    evaluators = [OwnEvaluator.load(folder) for folder in arguments.evaluator]
    if not (arguments.set).exists():
        raise FileNotFoundError(f"There is no set {arguments.set}: make it with `python -m training import`.")
    threads = min(arguments.threads, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    try:
        engine = Engine.load(arguments.bundle, device="cpu", threads=threads)
        findings = examine(
            engine, MotionSet.load(arguments.set), arguments.run, evaluators, arguments.out, sizes,
            sources=[name for name in arguments.sources.split(",") if name], steps=steps,
        )  # fmt: skip
    except EngineError as error:
        raise ValueError(str(error)) from error
    # folders elsewhere on this machine are shown by their names
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = "python -m training " + " ".join(shlex.quote(word) for word in words)
    write_page(findings, arguments.out, command, threads, sizes)
    print(arguments.out / PAGE)


def _compare(arguments: argparse.Namespace) -> None:
    from training.evaluate.compare import compare

    print(compare(arguments.report))


def _sampler_scores(arguments: argparse.Namespace) -> None:
    from motion_engine.engine import Engine
    from motion_engine.errors import EngineError
    from training.data.motion_set import MotionSet
    from training.evaluate.held_out import HeldOut
    from training.evaluate.own_evaluator import OwnEvaluator
    from training.evaluate.sampler_scores import sampler_scores

    if arguments.sets < 1:
        raise ValueError(f"--sets is 1 or more, not {arguments.sets}.")
    evaluator = OwnEvaluator.load(arguments.evaluator)
    held_out = HeldOut.choose(MotionSet.load(arguments.set), samples=arguments.samples)
    try:
        engine = Engine.load(arguments.bundle, device="cpu", threads=arguments.threads)
        row = sampler_scores(
            engine,
            held_out,
            evaluator,
            arguments.sampler,
            arguments.steps,
            arguments.guidance,
            arguments.sets,
            not arguments.no_clean_up,
            arguments.tries,
        )
    except EngineError as error:
        raise ValueError(str(error)) from error
    print(json.dumps(row))
