# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt bundles``: the installed model bundles and their licences."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "list the installed model bundles"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="look here instead of the usual place")


def run(arguments: argparse.Namespace) -> int:
    """Print one bundle a line; exit code 1 when there is none that can be used."""
    from motion_engine.bundle import default_bundles_dir, list_bundles

    folder = arguments.dir or default_bundles_dir()
    bundles = list_bundles(folder)
    for bundle in bundles:
        print(f"{bundle.name}: {bundle.title} ({bundle.licence})")
        print(f"    {bundle.path}" if bundle.ok else f"    cannot be used: {bundle.problem}")
    if not bundles:
        print(f"No model bundle in {folder}.")
    return 0 if any(bundle.ok for bundle in bundles) else 1
