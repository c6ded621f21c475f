# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt bench``: the promised figures, measured on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from motion_engine.cli.options import BACKENDS, positive_int

HELP = "measure speed, memory and size on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--repeat", type=positive_int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--bundle", metavar="NAME", help="measure this model bundle")
    parser.add_argument("--device", default="cpu", help="measure this device (default: cpu)")
    parser.add_argument("--backend", choices=BACKENDS, default="onnx", help="default: onnx")
    parser.add_argument(
        "--blender-python", default=sys.executable, metavar="PATH",
        help="a Python that has bpy, for the rows about keyframes (default: this one)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print one row a figure, each ending in ``ok``, ``MISSED`` or why it was not measured."""
    from motion_engine.bench import format_row, measure

    rows = []
    for row in measure(
        arguments.repeat, arguments.bundle, arguments.device, arguments.backend, arguments.blender_python
    ):
        rows.append(row)
        if not arguments.json:
            print(format_row(row), flush=True)
    if arguments.json:
        print(json.dumps([{**asdict(row), "verdict": row.verdict} for row in rows], indent=1))
    return 0
