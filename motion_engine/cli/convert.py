# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt convert``: one motion file to another format or frame rate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from motion_engine.cli.options import frame_rate
from motion_engine.errors import EngineError

if TYPE_CHECKING:
    from motion_engine.motion import Motion

HELP = "convert a motion file (.npz, .bvh) to another format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "source", type=Path, help=".npz (AMASS, or joints alone) or .bvh with SMPL joint names"
    )
    parser.add_argument("target", type=Path, help=".npz, .bvh, .glb or .fbx")
    parser.add_argument("--fps", type=frame_rate, help="resample to this rate")
    parser.add_argument("--mirror", action="store_true", help="exchange left and right")


def read_clip(source: Path) -> Motion:
    """The motion of a file.

    Raises
    ------
    EngineError
        ``unknown_format``, ``cannot_read`` or ``bad_file``.
    """
    from motion_engine.formats import bvh, npz

    readers = {".npz": npz.load, ".bvh": bvh.load}
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise EngineError(
            "unknown_format", f"'{source}' cannot be read.", f"Give a file that ends in {', '.join(readers)}."
        )
    try:
        return reader(source)
    except OSError as error:
        raise EngineError(
            "cannot_read", f"Cannot read '{source}': {error.strerror or error}.", "Check the file name."
        ) from None
    except ValueError as error:
        raise EngineError("bad_file", str(error), "Export the file again from where it came.") from None


def run(arguments: argparse.Namespace) -> int:
    """Read, convert, write."""
    from motion_engine import output

    output.check_format(arguments.target)
    motion = read_clip(arguments.source)
    if arguments.mirror:
        motion = motion.mirrored()
    if arguments.fps:
        motion = motion.resample(arguments.fps)
    output.prepare_folder(arguments.target.parent)
    output.save(motion, arguments.target)
    print(f"{arguments.target}  {motion.duration:.2f} s at {motion.fps:g} fps")
    return 0
