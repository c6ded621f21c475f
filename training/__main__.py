# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m training``: from raw mocap to a bundle, in one command or stage by stage."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from motion_engine.formats.atomic import replacing
from training.config import AdapterSection, Config
from training.data.bvh_folder import import_folder
from training.data.motion_set import MotionSet, window_motion
from training.evaluate.commands import add_commands as add_evaluation

_COMMAND = "python -m training recipe DATA --config {}"
"""What a manifest says about how its bundle was made."""

START_FROM = "folder of a finished run whose weights are trained further"


def _import(arguments: argparse.Namespace) -> None:
    sources = [name for name in arguments.sources.split(",") if name]
    found, skipped = import_folder(arguments.data, arguments.fps, sources)
    found.save(arguments.out)
    for line in skipped:
        print(f"skipped {line}", file=sys.stderr)
    print(found.summary())
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB, {len(skipped)} clips skipped")


def _sheet(arguments: argparse.Namespace) -> None:
    from training.contact_sheet import save_contact_sheet

    motion_set = MotionSet.load(arguments.set)
    windows = [w for w in motion_set.windows if arguments.clip in w.clip]
    if not windows:
        raise ValueError(f"No clip's name contains {arguments.clip!r}.")
    random = np.random.default_rng(arguments.seed)
    chosen = [windows[i] for i in sorted(random.permutation(len(windows))[: arguments.count])]
    titles = [f"{w.clip} {w.start:.1f}-{w.end:.1f} s: {w.captions[0]}" for w in chosen]
    save_contact_sheet([window_motion(motion_set, w) for w in chosen], titles, arguments.out)
    print(arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from training.recipe import train_stage

    config = Config.read(arguments.config)
    if getattr(arguments, "rank", None) is not None:
        config = replace(config, adapter=AdapterSection(config.bundle.name, arguments.rank))
    train_stage(
        arguments.command,
        config,
        MotionSet.load(arguments.set),
        arguments.run,
        arguments.start_from,
        getattr(arguments, "decoder_only", False),
    )


def _export(arguments: argparse.Namespace) -> None:
    from training.recipe import export_run

    config = Config.read(arguments.config)
    export_run(
        config, MotionSet.load(arguments.set), arguments.run, arguments.out, _COMMAND.format(arguments.config)
    )
    print(arguments.out)


def _extend(arguments: argparse.Namespace) -> None:
    from motion_engine.bundle import find
    from training.export.adapter import without_adapters
    from training.recipe import extend_run

    name = Path(arguments.bundle).name  # a folder elsewhere on this machine says nothing to others
    command = f"python -m training extend --config {arguments.config} --bundle {name} --run RUN --out OUT"
    if arguments.strength != 1.0:
        command += f" --strength {arguments.strength:g}"
    if arguments.beside is not None:
        command += f" --beside {arguments.beside}"
    command += "".join(f" --anew {network}" for network in arguments.anew)
    extend_run(
        Config.read(arguments.config), without_adapters(find(arguments.bundle), arguments.anew), arguments.run,
        arguments.out, command, arguments.strength, arguments.beside,
    )  # fmt: skip
    print(arguments.out)


def _restore(arguments: argparse.Namespace) -> None:
    from motion_engine.bundle import find
    from training.export.adapter import without_adapters
    from training.restore import restore

    bundle = without_adapters(find(arguments.bundle), arguments.anew)
    print(f"{arguments.run}: {', '.join(restore(bundle, arguments.run))}")


def _recipe(arguments: argparse.Namespace) -> None:
    from training.recipe import recipe

    recipe(
        Config.read(arguments.config),
        arguments.data,
        arguments.run,
        arguments.out,
        _COMMAND.format(arguments.config)
        + (f" --start-from {arguments.start_from}" if arguments.start_from else ""),
        arguments.start_from,
    )
    print(arguments.out)


def _samples(arguments: argparse.Namespace) -> None:
    from motion_engine.engine import Engine
    from training.samples import PROMPTS, sample_sheets

    engine = Engine.load(arguments.bundle)
    sample_sheets(
        engine,
        arguments.out,
        arguments.prompt or PROMPTS,
        duration=arguments.duration,
        sampler=arguments.sampler,
        steps=arguments.steps,
        guidance=arguments.guidance,
    )
    print(arguments.out)


def _curves(arguments: argparse.Namespace) -> None:
    from training.curves import draw_curves

    draw_curves(arguments.log, arguments.out)
    print(arguments.out)


def _control_scores(arguments: argparse.Namespace) -> None:
    from motion_engine.engine import Engine
    from training.control_scores import control_scores, table

    engine = Engine.load(arguments.bundle, threads=arguments.threads)
    rows = control_scores(engine, MotionSet.load(arguments.set), arguments.split, arguments.count)
    print(table(rows))
    if arguments.out:
        with replacing(arguments.out) as file:
            file.write((json.dumps(rows, indent=1) + "\n").encode("utf-8"))


def _prompts(arguments: argparse.Namespace) -> None:
    from training.prompt_suite import load_suite, score_suite
    from training.prompt_suite_check import check_suite, fairness_table

    suite = load_suite()
    if arguments.check:
        print(fairness_table(check_suite(suite, MotionSet.load(arguments.check))))
        return
    from motion_engine.engine import Engine
    from training.prompt_suite_report import write_suite

    engine = Engine.load(arguments.bundle, threads=arguments.threads)
    result = score_suite(
        engine, arguments.seeds, arguments.sampler, arguments.steps, suite, keep_motions=arguments.sheets,
        tries=arguments.tries,
    )  # fmt: skip
    print(result.markdown())
    if arguments.out:
        write_suite(result, arguments.out)
        print(arguments.out)


def _text_encoder(arguments: argparse.Namespace) -> None:
    from training.export.text_encoder import export_text_encoder

    export_text_encoder(arguments.out)
    print(arguments.out)


def _parser() -> argparse.ArgumentParser:
    from training.recipe import ADAPTED

    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run_command=run)
        return sub

    sub = command("import", _import, "Read a folder of BVH files with captions.jsonl into one compact file.")
    sub.add_argument("data", type=Path, help="folder with captions.jsonl and SOURCE/ or SOURCE.tar.xz")
    sub.add_argument("--out", type=Path, required=True, help="the .npz to write")
    sub.add_argument("--sources", default="", help="comma-separated names; all when left out")
    sub.add_argument("--fps", type=float, default=20.0)

    sub = command("sheet", _sheet, "Draw captioned windows as a contact sheet.")
    sub.add_argument("set", type=Path)
    sub.add_argument("--clip", default="", help="part of the clip's name")
    sub.add_argument("--count", type=int, default=8)
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--out", type=Path, required=True)

    for name, text in (
        ("vae", "Stage one: train the motion VAE."),
        ("mld", "Stage two: train the latent diffusion teacher."),
        ("motionlcm", "Stage three: distil the teacher."),
        (
            "motionlcm_moments",
            "Student: train an adapter that brings what it makes, as a whole, nearer to the data.",
        ),
        ("control", "Stage four: train the control network on the distilled student."),
        ("control_frames", "Stage five: train the control of decoded frames."),
        ("emdm", "Another sampler: train the denoising diffusion GAN, from the teacher's weights on."),
        ("captioner", "Caption side: train joint space, captioner and text encoder-decoder."),
        ("self_critical", "Captioner: train the decoder further on the score of what it says."),
        ("mote_motion", "MoTe, first part: train the motion encoder-decoder."),
        ("mote", "MoTe, second part: train the diffusion model of motion and text."),
    ):
        sub = command(name, _train, text)
        _stage_arguments(sub)
        sub.add_argument("--start-from", type=Path, default=None, help=START_FROM)
        if name == "vae":
            sub.add_argument(
                "--decoder-only",
                action="store_true",
                help="leave the encoder of --start-from, and so the latents",
            )
        if name in ADAPTED:
            sub.add_argument(
                "--rank",
                type=int,
                help="train low-rank matrices of this rank beside the weights of --start-from",
            )

    sub = command("curves", _curves, "Draw the losses of a stage, and how a GAN's two networks keep step.")
    sub.add_argument("log", type=Path, metavar="FILE", help="STAGE.jsonl of a run")
    sub.add_argument("--out", type=Path, required=True, help="the .png to write")

    sub = command(
        "control-scores", _control_scores, "Measure how a bundle meets controls taken from held-out clips."
    )
    sub.add_argument("--bundle", required=True, help="name or folder")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--split", choices=("val", "test"), default="test")
    sub.add_argument("--count", type=int, default=24, help="windows of each row")
    sub.add_argument("--threads", type=int, default=None)
    sub.add_argument("--out", type=Path, default=None, help="JSON file for the rows")

    sub = command("export", _export, "Write the bundle of a finished run.")
    _stage_arguments(sub)
    sub.add_argument("--out", type=Path, required=True, help="folder of the bundle")

    sub = command(
        "extend",
        _extend,
        "Add EMDM, the caption side and the adapters of a run to a bundle; the rest stays as it is.",
    )
    sub.add_argument("--config", default="base", help="name in training/configs, or a file")
    sub.add_argument("--bundle", required=True, help="name or folder of the bundle")
    sub.add_argument(
        "--run", type=Path, required=True, help="folder that `restore` made, with what was trained since"
    )
    sub.add_argument("--out", type=Path, required=True, help="folder of the new bundle; may be the old one")
    sub.add_argument("--strength", type=float, default=1.0, help="what adapters are multiplied with")
    sub.add_argument(
        "--beside", type=int, metavar="RANK",
        help="store adapters at this rank in 8 bits beside the bundle's, in place of adding them to those",
    )  # fmt: skip
    _anew_argument(sub)

    sub = command(
        "restore",
        _restore,
        "Make a run's folder of a bundle, to train its networks further with --start-from.",
    )
    sub.add_argument("--bundle", required=True, help="name or folder")
    sub.add_argument("--run", type=Path, required=True, help="the empty folder to fill")
    _anew_argument(sub)

    sub = command("recipe", _recipe, "Everything: import, three stages, export. Goes on where it stopped.")
    sub.add_argument("data", type=Path)
    sub.add_argument("--config", default="base")
    sub.add_argument("--run", type=Path, default=Path("runs/base"))
    sub.add_argument("--start-from", type=Path, default=None, help=START_FROM)
    sub.add_argument("--out", type=Path, required=True, help="folder of the bundle")

    from training.paper import recipe as paper_recipe

    sub = command("paper", paper_recipe.run_command, "A paper's recipe on the HumanML3D or KIT-ML folder.")
    paper_recipe.add_arguments(sub)

    sub = command("samples", _samples, "Draw what a bundle makes of fixed prompts.")
    sub.add_argument("--bundle", default=None, help="name or folder")
    sub.add_argument("--prompt", action="append")
    sub.add_argument("--duration", type=float, default=4.0)
    sub.add_argument("--sampler", default=None)
    sub.add_argument("--steps", type=int, default=None)
    sub.add_argument("--guidance", type=float, default=None)
    sub.add_argument("--out", type=Path, required=True, help="folder for the pictures")

    sub = command("prompts", _prompts, "Score a bundle on the public prompt suite.")
    sub.add_argument("--bundle", default=None, help="name or folder")
    sub.add_argument("--seeds", type=int, default=5, help="takes a prompt")
    sub.add_argument("--sampler", default=None)
    sub.add_argument("--steps", type=int, default=None)
    sub.add_argument(
        "--tries", type=int, default=None,
        help="draws of a take that misses its words; the bundle's preset when left out, 1 scores the first draws",
    )  # fmt: skip
    sub.add_argument("--threads", type=int, default=None)
    sub.add_argument("--sheets", action="store_true", help="draw the prompts that fail, into --out")
    sub.add_argument("--out", type=Path, help="folder for suite.json, suite.md and the pictures")
    sub.add_argument(
        "--check", type=Path, metavar="SET",
        help="check the expectations on real windows instead: what `import` wrote",
    )  # fmt: skip

    sub = command("text-encoder", _text_encoder, "Export all-MiniLM-L6-v2 for the engine.")
    sub.add_argument("--out", type=Path, default=Path("assets/text_encoders/all-MiniLM-L6-v2"))

    add_evaluation(command)
    return parser


def _anew_argument(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--anew",
        action="append",
        default=[],
        metavar="NETWORK",
        help="leave the adapter out that the bundle has of this network, which is to get another one",
    )


def _stage_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", default="base", help="name in training/configs, or a file")
    sub.add_argument("--set", type=Path, required=True, help="what `import` wrote")
    sub.add_argument("--run", type=Path, required=True, help="folder of checkpoints and logs")


def main() -> int:
    """Run a command; a mistake of the user ends with one sentence and status 2."""
    arguments = _parser().parse_args()
    try:
        arguments.run_command(arguments)
    except (ValueError, FileNotFoundError) as error:
        print(f"python -m training: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
