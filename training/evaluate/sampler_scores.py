# SPDX-License-Identifier: GPL-3.0-or-later
"""One sampler of a bundle on the held-out windows, with a number of steps and a guidance: a row of an ablation."""

from __future__ import annotations

from typing import Any

from motion_engine.engine import Engine, GenerateRequest
from training.evaluate.held_out import HeldOut
from training.evaluate.motion_quality import mean_measures
from training.evaluate.own_evaluator import Evaluator
from training.evaluate.scores import score_row

SEEDS = 1000
"""Between the first seeds of two sets."""


def sampler_scores(
    engine: Engine,
    held_out: HeldOut,
    evaluator: Evaluator,
    sampler: str,
    steps: int | None,
    guidance: float | None,
    sets: int = 1,
    clean_up: bool = True,
    tries: int = 1,
) -> dict[str, Any]:
    """FID, R-precision top 3, foot skate (m/s) and jerk (m/s³) of one motion a window, of the length of the window.

    Captions and seeds are the same for every sampler; the preset of the bundle holds where ``steps`` or ``guidance``
    is None. Motions are as the product hands them out, clean-up included unless ``clean_up`` is False.

    Parameters
    ----------
    tries : draws of a motion that does not do what its caption measurably says; see `motion_engine.redraw`.
    sets : times that all windows are made, each time with other captions and seeds; FID is the mean over them.
    """
    fps = engine.bundle.fps
    made, embedded = [], []
    for number in range(sets):
        captions = held_out.captions(number)
        motions = [
            engine.generate(
                GenerateRequest(
                    caption, motion.n_frames / fps, SEEDS * number + index,
                    sampler=sampler, steps=steps, guidance=guidance, tries=tries, foot_lock=clean_up, floor=clean_up,
                )
            )[0]
            for index, (caption, motion) in enumerate(zip(captions, held_out.motions, strict=True))
        ]  # fmt: skip
        embedded.append((evaluator.embed_motions(motions), evaluator.embed_texts(captions)))
        made += motions
    row = score_row(evaluator.embed_motions(held_out.motions), embedded, held_out.labels())
    quality = mean_measures(made)
    told = made[0].provenance
    return {
        "sampler": sampler,
        "steps": told["steps"],
        "guidance": told["guidance"],
        "fid": None if row.fid is None else round(row.fid.mean, 4),
        "r3": None if row.r_precision is None else round(row.r_precision[2].mean, 3),
        "foot_skate": round(quality["foot_skate"], 3),
        "jerk": round(quality["jerk"], 1),
    }
