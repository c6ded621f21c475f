# SPDX-License-Identifier: GPL-3.0-or-later
"""MoTe of one bundle in both directions: a row of the ablation that ``caption-scores`` shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from motion_engine import weights
from motion_engine.engine import Engine
from training.evaluate.bundle_captioners import bundle_captioners, has_network, mote_name
from training.evaluate.caption_metrics import score_captions
from training.evaluate.held_out import HeldOut
from training.evaluate.own_evaluator import Evaluator
from training.evaluate.sampler_scores import sampler_scores
from training.evaluate.scores import score_row

NETWORKS = ("mote", "motion_encoder", "motion_decoder")


def mote_row(
    engine: Engine, held_out: HeldOut, evaluator: Evaluator, name: str, steps: int, caption_steps: int
) -> dict[str, Any]:
    """Captions and motions by MoTe's networks alone, as `training.evaluate.caption_tables.read_ablation` reads them.

    Parameters
    ----------
    steps, caption_steps : of the sampler from text to motion and from motion to text.

    Raises
    ------
    ValueError
        If the bundle has no MoTe, or does not offer it as a sampler.
    """
    bundle = engine.bundle
    if not has_network(bundle, "mote") or "mote" not in bundle.samplers:
        raise ValueError(
            f"The bundle {bundle.name} does not offer MoTe as a sampler: "
            "export it from a configuration with a section [presets.mote]."
        )
    captioner = bundle_captioners(engine, (caption_steps,))[mote_name(caption_steps)]
    captioner(held_out.motions[:1])  # loads networks: not part of a clip's time
    start = time.perf_counter()
    sentences = [captioner([motion])[0][0] for motion in held_out.motions]
    took = 1000 * (time.perf_counter() - start) / len(sentences)
    words = score_captions(sentences, [window.captions for window in held_out.windows])
    motions = evaluator.embed_motions(held_out.motions)
    fit = score_row(motions, [(motions, evaluator.embed_texts(sentences))], held_out.labels(), is_real=True)
    precision = fit.r_precision
    return {
        "name": name,
        "l": bundle.manifest["networks"]["mote"]["motion_tokens"],
        "interaction": bundle.manifest["networks"]["mote"]["interaction"],
        "r1": None if precision is None else round(precision[0].mean, 3),
        "r3": None if precision is None else round(precision[2].mean, 3),
        "bleu1": round(words.bleu1, 1),
        "bleu4": round(words.bleu4, 1),
        "rouge": round(words.rouge, 1),
        "cider": round(words.cider, 1),
        "fid": sampler_scores(engine, held_out, evaluator, "mote", steps, None)["fid"],
        "parameters": sum(map(_parameters, (bundle.file(f"{part}.safetensors") for part in NETWORKS))),
        "ms": round(took, 1),
    }


def _parameters(file: Path) -> int:
    stored = weights.read(file)
    return int(sum(stored[key].size for key in weights.keys(stored)))
