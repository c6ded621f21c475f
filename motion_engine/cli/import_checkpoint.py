# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt import-checkpoint``: an official checkpoint of MLD, MotionLCM or EMDM becomes a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from motion_engine.cli.options import positive_int
from motion_engine.errors import EngineError

HELP = "make a bundle from an official checkpoint of MLD, MotionLCM or EMDM"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the authors' .ckpt or .pth file")
    parser.add_argument(
        "--kind", required=True, choices=("mld", "motionlcm", "motionlcm-control", "emdm"), help="what it is"
    )
    parser.add_argument(
        "--version", choices=("v1", "v2"), help="of the networks (needed for MLD and MotionLCM)"
    )
    parser.add_argument(
        "--levels", type=positive_int, default=10, metavar="N",
        help="noise levels that an EMDM was trained with (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--stats", type=Path, metavar="FOLDER", help="folder with Mean.npy and Std.npy of HumanML3D (needed)"
    )
    parser.add_argument(
        "--text-encoder", type=Path, metavar="FOLDER",
        help="folder of the text encoder, or of CLIP's tokenizer.json for an EMDM "
        "(default: the Hugging Face cache; nothing is downloaded)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the bundle (default: among your own)")
    parser.add_argument("--name", help="name of the bundle (default: KIND-VERSION, or emdm)")


def run(arguments: argparse.Namespace) -> int:
    """Import and say where the bundle is; EngineError for anything the user can mend."""
    from motion_engine.bundle import user_bundles_dir
    from motion_engine.import_checkpoint import CONTROL_LEFT_OUT, import_checkpoint

    if arguments.kind == "emdm":
        arguments.version = ""
    elif arguments.version is None:
        raise EngineError(
            "missing_version",
            f"A checkpoint of {arguments.kind} is of one of two versions.",
            "Add --version v1 or --version v2.",
        )
    name = arguments.name or "-".join(filter(None, (arguments.kind, arguments.version)))
    out = arguments.out or user_bundles_dir() / name
    import_checkpoint(
        arguments.file,
        arguments.kind,
        arguments.version,
        out,
        name=name,
        stats=arguments.stats,
        text_encoder=arguments.text_encoder,
        levels=arguments.levels,
    )
    print(f"{out}  bundle {name!r}: non-commercial scientific research only.")
    if arguments.kind == "motionlcm-control":
        print(f"It makes motions from sentences.{CONTROL_LEFT_OUT}")
    return 0
