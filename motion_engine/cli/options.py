# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motion_engine.bundle import Bundle

BACKENDS = ("onnx", "torch")


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def non_negative(text: str) -> float:
    """A finite number, 0 or more."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def frame_rate(text: str) -> float:
    """Frames a second, 1 to 480."""
    value = number(text)
    if not 1 <= value <= 480:
        raise argparse.ArgumentTypeError(f"must be from 1 to 480 frames a second, not {text}")
    return value


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def positive_int(text: str) -> int:
    """A whole number, 1 or more."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return value


def seed_number(text: str) -> int:
    """A seed: 0 to 2^32 - 1."""
    value = whole(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be from 0 to {2**32 - 1}, not {text}")
    return value


def port_number(text: str) -> int:
    """A TCP port, 0 for a free one."""
    value = whole(text)
    if not 0 <= value < 65536:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, not {text}")
    return value


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Which bundle runs, and on what."""
    group = parser.add_argument_group("engine")
    group.add_argument(
        "--bundle", metavar="NAME", help="model bundle, by name or folder (see 'motion-prompt bundles')"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    group.add_argument(
        "--backend", choices=BACKENDS, default="onnx", help="what computes the networks (default: onnx)"
    )
    group.add_argument("--threads", type=positive_int, metavar="N", help="CPU threads (default: all cores)")


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """How motions are sampled and cleaned up."""
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--sampler", metavar="NAME", help="sampler of the bundle (default: the bundle's own for what is made)"
    )
    group.add_argument("--steps", type=whole, metavar="N", help="sampler steps (default: the sampler's own)")
    group.add_argument("--guidance", type=number, metavar="X", help="how strictly the prompt is followed")
    group.add_argument(
        "--tries", type=whole, metavar="N",
        help="how often a motion may be drawn that does not do what its words measurably say (default: the sampler's "
        "own; 1: once)",
    )  # fmt: skip
    group.add_argument(
        "--no-foot-lock", dest="foot_lock", action="store_false", help="leave sliding feet as they are"
    )
    group.add_argument("--no-floor", dest="floor", action="store_false", help="leave the height as it is")
    group.add_argument("--fps", type=frame_rate, help="resample to this rate (default: the bundle's own)")
    group.add_argument(
        "--loop", type=non_negative, default=0.0, metavar="SECONDS",
        help="blend the last seconds into the first frame, so that the clip can be repeated (0.5 is usual)",
    )  # fmt: skip
    group.add_argument(
        "--in-place", dest="in_place", action="store_true", help="take the travel over ground out"
    )


def warn_of_licence(bundle: Bundle) -> None:
    """Say on standard error what must not be done with the clips of a non-commercial bundle."""
    from motion_engine.licence import NOT_FOR_SALE

    if not bundle.commercial:
        print(f"{bundle.title} is non-commercial ({bundle.licence}). {NOT_FOR_SALE}", file=sys.stderr)
