# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt generate``: a sentence to one or several motion files."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from motion_engine.cli.options import (
    add_engine_options,
    add_sampling_options,
    number,
    seed_number,
    warn_of_licence,
    whole,
)
from motion_engine.errors import EngineError

if TYPE_CHECKING:
    from motion_engine.request import Variation

HELP = "make motions from a sentence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("prompt", nargs="?", help='for example "a person walks forward and waves"')
    parser.add_argument(
        "--timeline", metavar="PARTS",
        help="in place of the prompt, several ones and their seconds as one continuous motion: "
        '"a person walks: 3; the person sits down: 2", or a JSON file',
    )  # fmt: skip
    parser.add_argument(
        "--surprise", action="store_true",
        help="in place of the prompt: a motion that comes with its own sentence",
    )  # fmt: skip
    parser.add_argument(
        "--vary", type=Path, metavar="FILE",
        help="make motions like the one of this file (.npz, .bvh); the prompt may be left out",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=number, default=0.4, metavar="X",
        help="how far --vary goes: 0 the same motion, 1 another one (default: 0.4)",
    )  # fmt: skip
    parser.add_argument(
        "--control", type=Path, metavar="FILE",
        help="JSON file that says where joints have to be at which times (docs/control.md)",
    )  # fmt: skip
    parser.add_argument(
        "--no-refine", dest="refine", action="store_false",
        help="leave controlled joints where the network puts them, near their targets",
    )  # fmt: skip
    parser.add_argument("--duration", type=number, default=4.0, metavar="SECONDS", help="default: 4")
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="default: 0; the same seed gives the same motion"
    )
    parser.add_argument(
        "--count", type=whole, default=1, metavar="N", help="variations, 1 to 32 (default: 1)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("clip.npz"), metavar="FILE",
        help="where to write; .npz, .bvh, .glb or .fbx (default: clip.npz)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print only the names of the files")
    add_sampling_options(parser)
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Generate, write and report; EngineError for anything the user can mend."""
    from motion_engine import bundle, loop, output
    from motion_engine.control import Controls
    from motion_engine.engine import Engine
    from motion_engine.request import GenerateRequest
    from motion_engine.timeline import check_request, read_timeline

    given = [arguments.prompt is not None, arguments.timeline is not None, arguments.surprise]
    if sum(given) > 1 or (not any(given) and arguments.vary is None):
        message = "There must be a prompt, a timeline, --surprise or --vary."
        if any(given):
            message = "Of a prompt, a timeline and --surprise one can be given, not both."
        raise EngineError(
            "bad_request", message, 'Write for instance: motion-prompt generate "a person walks forward".'
        )
    controls = None if arguments.control is None else Controls.read(arguments.control)
    if controls is not None and not arguments.refine:
        controls = replace(controls, refine=False)
    request = GenerateRequest(
        prompt=arguments.prompt or "",
        duration=arguments.duration,
        seed=arguments.seed,
        count=arguments.count,
        sampler=arguments.sampler,
        steps=arguments.steps,
        guidance=arguments.guidance,
        tries=arguments.tries,
        foot_lock=arguments.foot_lock,
        floor=arguments.floor,
        controls=controls,
        prompts=None if arguments.timeline is None else read_timeline(arguments.timeline),
        variation=None if arguments.vary is None else _variation(arguments.vary, arguments.strength),
        surprise=arguments.surprise,
    )
    output.check_format(arguments.out)
    task = "joint" if arguments.surprise else "variation" if arguments.vary is not None else "text_to_motion"
    chosen = bundle.find_for(task, arguments.bundle)
    check_request(chosen, request)
    output.prepare_folder(arguments.out.parent)
    engine = Engine(chosen, arguments.device, arguments.backend, arguments.threads)
    start = time.perf_counter()
    on_progress = None if arguments.quiet or not sys.stderr.isatty() else _show_progress
    motions = engine.generate(request, on_progress=on_progress)
    elapsed = time.perf_counter() - start
    for motion, path in zip(motions, output.clip_paths(arguments.out, len(motions)), strict=True):
        quality = output.describe_quality(motion.provenance.get("quality", {}))
        if controlled := motion.provenance.get("controls"):
            quality += f"; {controlled['targets']} targets met to {controlled['mean_error'] * 100:.1f} cm"
        if missing := motion.provenance.get("unmet"):
            quality += f"; not done: {', '.join(missing)}"
        if motion.provenance.get("far"):
            quality += "; far from its words: the model knows little of this"
        if arguments.fps:
            motion = motion.resample(arguments.fps)
        motion = loop.cycle(motion, arguments.loop, arguments.in_place)
        output.save(motion, path)
        if arguments.quiet:
            print(path)
        else:
            seed = motion.provenance.get("seed")
            if arguments.surprise:
                print(motion.provenance["prompt"])
            print(
                f"{path}  {motion.duration:.2f} s at {motion.fps:g} fps, seed {seed}; {quality}".rstrip("; ")
            )
    if not arguments.quiet:
        device = f"{engine.bundle.name} on {engine.device}"
        what = "1 motion" if len(motions) == 1 else f"{len(motions)} motions"
        print(f"{what} in {elapsed * 1e3:.0f} ms with {device}.", file=sys.stderr)
    warn_of_licence(chosen)
    return 0


def _variation(source: Path, strength: float) -> Variation:
    from motion_engine.captioning.canonical import Clip
    from motion_engine.cli.convert import read_clip
    from motion_engine.request import Variation

    return Variation(Clip.of(read_clip(source)), strength)


def _show_progress(step: int, steps: int) -> None:
    width = 30
    filled = width * step // max(steps, 1)
    end = "\r\033[K" if step >= steps else ""
    print(
        f"\r[{'#' * filled}{'.' * (width - filled)}] step {step}/{steps}{end}",
        end="",
        file=sys.stderr,
        flush=True,
    )
