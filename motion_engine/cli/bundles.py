# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt bundles``: the installed model bundles and their licences; adding and removing one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "list the installed model bundles, add one, remove one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="list this folder, not the usual places")
    actions = parser.add_subparsers(dest="action", metavar="add | remove")
    adding = actions.add_parser("add", help="add a model pack (.zip) or the folder of a bundle")
    adding.add_argument(
        "source", type=Path, metavar="PACK", help="zip of a model, or folder with a manifest.json"
    )
    removing = actions.add_parser("remove", help="delete a bundle that was added")
    removing.add_argument("name", metavar="NAME", help="as 'motion-prompt bundles' lists it")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the list has exit code 1 when there is no bundle that can be used."""
    if arguments.action == "add":
        return _add(arguments.source)
    if arguments.action == "remove":
        from motion_engine import packs

        print(f"{arguments.name}: removed from {packs.remove(arguments.name).parent}")
        return 0
    return _list(arguments.dir)


def _list(folder: Path | None) -> int:
    from motion_engine import licence
    from motion_engine.bundle import default_bundles_dir, list_bundles, user_bundles_dir

    bundles = list_bundles(folder)
    for bundle in bundles:
        if bundle.ok:
            print(f"{bundle.name}: {bundle.title} ({licence.describe(bundle.licence)})")
            print(f"    {bundle.path}" + (f", with files of {bundle.leans_on}" if bundle.leans_on else ""))
        else:
            print(f"{bundle.name}: cannot be used: {bundle.problem}")
            print(f"    {bundle.path}")
    if not bundles:
        places = [folder] if folder else [default_bundles_dir(), user_bundles_dir()]
        print(f"No model bundle in {' or '.join(map(str, places))}.")
    return 0 if any(bundle.ok for bundle in bundles) else 1


def _add(source: Path) -> int:
    from motion_engine import licence, packs

    bundle = packs.add(source)
    print(f"{bundle.name}: {bundle.title} {bundle.version} was added to {bundle.path.parent}")
    if bundle.other is not None:
        print(f"    It uses files of {bundle.other.name}, which has to stay.")
    print(f"    Licence: {bundle.licence}.")
    for line in bundle.manifest["attribution"]:
        print(f"    {line}")
    if not bundle.commercial:
        print(f"    NON-COMMERCIAL. {licence.NOT_FOR_SALE}")
    return 0
