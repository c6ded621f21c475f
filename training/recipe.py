# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages in order, from raw data to a bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from motion_engine.bundle import Bundle, find
from motion_engine.engine import Engine
from motion_engine.runtime.torch.denoiser import Denoiser
from training.config import Config
from training.data.bvh_folder import import_folder
from training.data.loader import Normaliser
from training.data.motion_set import MotionSet, manifest_of
from training.export.adapter import stored_adapter, write_adapter_bundle
from training.export.bundle import add_scores, write_bundle
from training.export.captions import CaptionSide
from training.export.extend import extend_bundle, new_levels
from training.loop import is_finished, read_checkpoint
from training.low_rank import scaled, split_low_rank, summed
from training.restore import restore
from training.samples import held_out_quality
from training.train_captioner import NAME as CAPTIONER
from training.train_captioner import caption_data, captioner_sections, load_captioner, train_captioner
from training.train_control import load_control, train_control
from training.train_emdm import emdm_sections, load_emdm, train_emdm
from training.train_frame_control import load_frame_control, train_frame_control
from training.train_lcm import load_lcm, train_lcm
from training.train_lcm_moments import NAME as LCM_MOMENTS
from training.train_lcm_moments import moments_section, train_lcm_moments
from training.train_mld import latent_data, load_mld, train_mld
from training.train_mote import DENOISER as MOTE
from training.train_mote import (
    MOTION_TOKENS,
    load_mote,
    load_motion_tokens,
    train_mote,
    train_motion_tokens,
)
from training.train_self_critical import NAME as SELF_CRITICAL
from training.train_self_critical import self_critical_section, train_self_critical
from training.train_vae import load_vae, report_reconstruction, train_vae

VAE_SCORES = "vae_scores.json"
CAPTION_STAGES = {CAPTIONER: train_captioner, MOTION_TOKENS: train_motion_tokens, MOTE: train_mote}
LATENT_STAGES = ("mld", "motionlcm", LCM_MOMENTS, "control")
"""What speaks of velocity, which is too much to say of frames side by side."""

STAGES = (
    "vae",
    "mld",
    "motionlcm",
    LCM_MOMENTS,
    "control",
    "control_frames",
    "emdm",
    *CAPTION_STAGES,
    SELF_CRITICAL,
)

ADAPTED = {name: name for name in ("motionlcm", "mld", "emdm", "control")} | {
    LCM_MOMENTS: "motionlcm",
    SELF_CRITICAL: "text_decoder",
}
"""Stages that can train adapters, and the network of a bundle that these are for."""


def train_stage(
    stage: str,
    config: Config,
    motion_set: MotionSet,
    run: Path,
    start_from: Path | None = None,
    decoder_only: bool = False,
) -> None:
    """Train one of `STAGES` in the folder ``run``; a finished stage is left as it is.

    Parameters
    ----------
    start_from : folder of a finished run whose networks are trained further, on this configuration's data.
    decoder_only : of the VAE.
    """
    steps = {
        "vae": config.vae_training.steps,
        "mld": config.mld_training.steps,
        "motionlcm": config.lcm_training.steps,
        LCM_MOMENTS: config.lcm_moments.steps if config.lcm_moments else 0,
        "control": config.control_training.steps if config.control_training else 0,
        "control_frames": config.frame_control_training.steps if config.frame_control_training else 0,
        "emdm": config.emdm_training.steps if config.emdm_training else 0,
        CAPTIONER: config.captioner_training.steps if config.captioner_training else 0,
        MOTION_TOKENS: config.mote_training.motion_steps if config.mote_training else 0,
        MOTE: config.mote_training.steps if config.mote_training else 0,
        SELF_CRITICAL: config.self_critical.steps if config.self_critical else 0,
    }
    if config.adapter is not None and start_from is not None:
        keep_vae(start_from, run)
    if config.vae.motion_space and stage in LATENT_STAGES:
        raise ValueError(
            f"With a [vae] of width 0 the networks see frames, and {stage} is made for latents: train `emdm` alone."
        )
    if not is_finished(run, stage, steps[stage]):
        if stage == "vae":
            train_vae(config, motion_set, run, start_from, decoder_only)
        elif stage == "mld":
            train_mld(config, latent_data(config, motion_set, run), run, start_from)
        elif stage == LCM_MOMENTS:
            moments_section(config)
            train_lcm_moments(config, latent_data(config, motion_set, run), motion_set, run, start_from)
        elif stage == "control":
            train_control(config, motion_set, run, start_from)
        elif stage == "control_frames":
            train_frame_control(config, motion_set, run, start_from)
        elif stage == "emdm":
            emdm_sections(config)  # before minutes of encoding
            train_emdm(config, latent_data(config, motion_set, run), run, start_from)
        elif stage == SELF_CRITICAL:
            self_critical_section(config)
            train_self_critical(config, latent_data(config, motion_set, run), motion_set, run, start_from)
        elif stage in CAPTION_STAGES:
            captioner_sections(config)
            CAPTION_STAGES[stage](config, caption_data(config, motion_set, run), run, start_from)
        else:
            train_lcm(config, latent_data(config, motion_set, run), run, start_from)
    scores_file = run / VAE_SCORES
    if stage == "vae" and not scores_file.exists():
        scores = report_reconstruction(config, motion_set, run)
        scores_file.write_text(json.dumps(scores), encoding="utf-8")
        print("reconstruction of held-out windows:", scores)


def export_run(config: Config, motion_set: MotionSet, run: Path, out: Path, command: str) -> None:
    """Write the bundle of a run whose stages are finished."""
    if config.adapter is not None:
        export_adapters(config, motion_set, run, out, command)
        return
    with np.load(run / "latent_stats.npz") as stats:
        latent_stats = stats["mean"], stats["std"]
    scores_file = run / VAE_SCORES
    scores: dict[str, Any] = {}
    if scores_file.exists():
        scores["vae_reconstruction"] = json.loads(scores_file.read_text(encoding="utf-8"))
    denoisers: dict[str, Denoiser] = {}
    if not config.vae.motion_space:
        denoisers |= {"motionlcm": load_lcm(config, run), "mld": load_mld(config, run)}
    if config.vae.motion_space or (config.emdm is not None and (run / "emdm.pt").exists()):
        denoisers["emdm"] = load_emdm(config, run)
    write_bundle(
        out,
        config,
        Normaliser.load(run / "normaliser.npz"),
        latent_stats,
        load_vae(config, run),
        denoisers,
        control=load_control(config, run) if (run / "control.pt").exists() else None,
        frame_control=load_frame_control(config, run) if (run / "control_frames.pt").exists() else None,
        captions=caption_side(config, run),
        data=manifest_of(motion_set),
        scores=scores,
        command=command,
    )
    add_scores(out, {"held_out": held_out_quality(Engine.load(out), motion_set)})


def export_adapters(config: Config, motion_set: MotionSet, run: Path, out: Path, command: str) -> None:
    """Write the bundle of a run that adapted another one's networks. EMDM, once the teacher, takes its adapter too."""
    assert config.adapter is not None
    base = find(config.adapter.bundle)
    adapters = {
        # the run adapted what the base's own adapters made of its networks
        name: summed([stored_adapter(base, name), adapter], config.adapter.rank)
        for name, adapter in run_adapters(run).items()
    }
    teacher = run_adapters(run).get("mld")
    if teacher and "emdm" in base.samplers and "emdm" not in adapters:
        own = stored_adapter(base, "emdm")
        # without an adapter of the base's EMDM both are the same change
        adapters["emdm"] = summed([own, teacher], config.adapter.rank) if own else adapters["mld"]
    write_adapter_bundle(out, config, base, adapters, data=manifest_of(motion_set), command=command)
    add_scores(out, {"held_out": held_out_quality(Engine.load(out), motion_set)})


def run_adapters(run: Path) -> dict[str, dict[str, Tensor]]:
    """The adapters that a run has trained, by network; none where it trained whole networks."""
    found: dict[str, dict[str, Tensor]] = {}
    for stage, network in ADAPTED.items():
        if (run / f"{stage}.pt").exists():
            adapter = split_low_rank(read_checkpoint(run / f"{stage}.pt")["ema"])[1]
            found |= {network: adapter} if adapter else {}
    return found


def begin_adapters(config: Config, run: Path) -> Path:
    """Restore the bundle to adapt inside ``run``; returns the folder of its networks."""
    assert config.adapter is not None
    start = run / "adapted"
    if not (start / "latent_stats.npz").exists() or not any(start.glob("*.pt")):
        restore(find(config.adapter.bundle), start)
    return start


def keep_vae(start: Path, run: Path) -> None:
    """Copy the VAE of a finished run, its statistics and those of its latents to ``run``, where it has none."""
    run.mkdir(parents=True, exist_ok=True)
    for name in ("vae.pt", "normaliser.npz", "latent_stats.npz"):
        if not (run / name).exists():
            shutil.copyfile(start / name, run / name)


def extend_run(
    config: Config,
    bundle: Bundle,
    run: Path,
    out: Path,
    command: str,
    strength: float = 1.0,
    beside: int | None = None,
) -> None:
    """Write ``bundle`` with what ``run`` has beyond it: encoder or better decoder, EMDM, caption side, adapters.

    Parameters
    ----------
    strength : what the adapters are multiplied with. Between the old weights and the new ones there often lies a place
        that keeps what the old ones did well (Wortsman et al. 2022).
    beside : rank at which the adapters are stored, in 8 bits, beside those that the bundle has; None adds them to
        those.
    """
    with np.load(run / "latent_stats.npz") as stats:
        latent_stats = stats["mean"], stats["std"]
    adapters = {name: scaled(adapter, strength) for name, adapter in run_adapters(run).items()}
    emdm = None
    if config.emdm is not None and (run / "emdm.pt").exists():
        emdm = new_levels(bundle, config) if "emdm" in adapters else load_emdm(config, run)
    extend_bundle(
        bundle,
        out,
        config,
        latent_stats,
        vae=load_vae(config, run),
        emdm=emdm,
        captions=caption_side(config, run),
        adapters=adapters,
        beside=beside,
        command=command,
    )


def caption_side(config: Config, run: Path) -> CaptionSide | None:
    """The caption side of a run, with MoTe where it was trained."""
    if config.captioner is None or not (run / f"{CAPTIONER}.pt").exists():
        return None
    networks, vocabulary = load_captioner(config, run)
    if config.mote is None or not (run / f"{MOTE}.pt").exists():
        return CaptionSide(networks, vocabulary)
    return CaptionSide(
        networks, vocabulary, load_motion_tokens(config, run), load_mote(config, run), config.mote
    )


def recipe(
    config: Config, data: Path, run: Path, out: Path, command: str, start_from: Path | None = None
) -> None:
    """Import ``data``, train all stages in ``run`` and write the bundle ``out``.

    Started again after an interruption it goes on from the last checkpoint. The stage ``emdm`` is trained only when it
    is asked for by name. With ``[adapter]`` in the configuration the networks of the bundle that it names are adapted.
    """
    run.mkdir(parents=True, exist_ok=True)
    cached = run / "motions.npz"
    if not cached.exists():
        motion_set, skipped = import_folder(data, config.data.fps, config.data.sources)
        (run / "skipped.txt").write_text("\n".join(skipped), encoding="utf-8")
        motion_set.save(cached)
    motion_set = MotionSet.load(cached)
    if config.adapter is not None:
        start_from = start_from or begin_adapters(config, run)
    stages = ["vae", "mld", "motionlcm"] if config.adapter is None else ["mld", "motionlcm"]
    stages += ["control"] if config.control_training else []
    stages += ["control_frames"] if config.frame_control_training else []
    for stage in stages:
        train_stage(stage, config, motion_set, run, start_from)
    export_run(config, motion_set, run, out, command)
