# SPDX-License-Identifier: GPL-3.0-or-later
"""A paper's recipe from the dataset's folder to a bundle."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from motion_engine.errors import EngineError
from motion_engine.features import N_FEATURES
from motion_engine.formats.atomic import replacing
from motion_engine.runtime.torch.paper import text_folder
from motion_engine.runtime.torch.paper.bundle import PRESETS, PaperBundle, write_bundle
from motion_engine.runtime.torch.paper.denoiser import Denoiser
from training.loop import is_finished, pick_device
from training.paper import emdm, stages
from training.paper.config import PaperConfig
from training.paper.control import train_control
from training.paper.data import PaperData, SentenceVectors
from training.paper.emdm_config import is_emdm


def recipe(
    config: PaperConfig,
    data_folder: Path,
    run: Path,
    *,
    epochs: int | None = None,
    text_encoder: Path | None = None,
    out: Path | None = None,
    command: str = "",
) -> None:
    """Train every stage of ``config`` in the folder ``run``; with ``out``, write the bundle.

    Finished stages are left as they are, an interrupted one goes on. ``epochs`` replaces the published numbers of all
    stages.

    Raises
    ------
    ValueError, FileNotFoundError
        If data, text encoder or a checkpoint cannot be used; the sentence says why.
    """
    if out is not None and config.data.features != N_FEATURES:
        raise ValueError(
            f"A bundle needs the {N_FEATURES} numbers of HumanML3D; {config.bundle.name} has"
            f" {config.data.features} of another skeleton. Leave --out away."
        )
    if epochs is not None:
        config = _shortened(config, epochs)
    data = PaperData.read(data_folder, config.data)
    text = _text_encoder(config, text_encoder)
    run.mkdir(parents=True, exist_ok=True)
    _same_networks(config, run)
    captions = [caption for item in data.items for caption in item.captions]
    vectors = SentenceVectors(captions, text, run / "captions.npz", pick_device())
    print(f"{len(data.items)} items, {len(data.skipped)} files skipped.")
    (run / "skipped.txt").write_text("\n".join(data.skipped), encoding="utf-8")
    for stage, train in (
        ("vae", stages.train_vae),
        ("mld", stages.train_mld),
        ("motionlcm", stages.train_motionlcm),
        ("control", train_control),
    ):
        if getattr(config, stage) is None or is_finished(run, stage, stages.steps_of(config, data, stage)):
            continue
        train(config, data, vectors, run)
    if out is not None:
        _export(config, data, text, run, out, command)


def _same_networks(config: PaperConfig, run: Path) -> None:
    """Refuse a run whose checkpoints were trained with other networks; a new run notes its own."""
    file = run / "networks.json"
    present = {"features": config.data.features, **asdict(config.networks)}
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        other = [f"{key} {before.get(key)} there, {value} here" for key, value in present.items()
                 if before.get(key) != value]  # fmt: skip
        if other:
            raise ValueError(
                f"{run} holds checkpoints of another network than the configuration describes"
                f" ({'; '.join(other)}). Use the configuration it was trained with, or another folder for the run."
            )
    with replacing(file) as stream:
        stream.write(json.dumps(present).encode("utf-8"))


def _shortened(config: PaperConfig, epochs: int) -> PaperConfig:
    if epochs < 1:
        raise ValueError(f"--epochs must be 1 or more, not {epochs}.")
    distilled = config.motionlcm and replace(config.motionlcm, epochs=epochs)
    controlled = config.control and replace(config.control, epochs=epochs)
    return replace(
        config,
        vae=replace(config.vae, epochs=epochs),
        mld=replace(config.mld, epochs=epochs),
        motionlcm=distilled,
        control=controlled,
    )


def _text_encoder(config: PaperConfig, folder: Path | None) -> text_folder.TextNetwork:
    try:
        text = text_folder.read(text_folder.find(config.networks.text_encoder, folder))
    except EngineError as error:
        raise ValueError(str(error)) from error
    if text.width != config.networks.text_width:
        raise ValueError(
            f"The text encoder gives {text.width} numbers a sentence; {config.bundle.name} reads"
            f" {config.networks.text_width}."
        )
    return text


def _export(
    config: PaperConfig, data: PaperData, text: text_folder.TextNetwork, run: Path, out: Path, command: str
) -> None:
    denoisers: dict[str, Denoiser] = {}
    if config.motionlcm is not None:
        denoisers["motionlcm"] = stages.load_motionlcm(config, run)
    denoisers["mld"] = stages.load_mld(config, run)
    bundle = config.bundle
    about = {
        "name": bundle.name,
        "title": bundle.title,
        "version": bundle.version,
        "description": bundle.description,
        "licence": bundle.licence,
        "attribution": bundle.attribution,
    }
    write_bundle(
        out,
        PaperBundle(
            about,
            stages.load_vae(config, run),
            denoisers,
            {name: PRESETS[name, config.networks.version] for name in denoisers},
            text,
            data.mean,
            data.std,
            fps=config.data.fps,
            shortest=config.data.shortest,
            longest=config.data.longest,
            extra={"made_with": command, "training_data": {"items": len(data.items)}},
        ),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m training paper``."""
    parser.add_argument(
        "data", type=Path, help="folder with new_joint_vecs, texts, train.txt, Mean.npy, Std.npy"
    )
    parser.add_argument("--config", required=True, help="name in training/configs, or a file")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and logs")
    parser.add_argument("--epochs", type=int, default=None, help="instead of the published numbers")
    parser.add_argument("--text-encoder", type=Path, default=None, help="folder of Sentence-T5 or CLIP")
    parser.add_argument("--out", type=Path, default=None, help="folder of the bundle to write")


def run_command(arguments: argparse.Namespace) -> None:
    """``python -m training paper``."""
    if is_emdm(arguments.config):
        emdm.run_command(arguments)
    else:
        _latent_recipe(arguments)
    print(arguments.out or arguments.run)


def _latent_recipe(arguments: argparse.Namespace) -> None:
    recipe(
        PaperConfig.read(arguments.config),
        arguments.data,
        arguments.run,
        epochs=arguments.epochs,
        text_encoder=arguments.text_encoder,
        out=arguments.out,
        command=f"python -m training paper DATA --config {arguments.config}",
    )
