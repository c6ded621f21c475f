# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a prompt is still obeyed while joints are controlled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from motion_engine.engine import MAX_PROMPT, Engine, GenerateRequest
from motion_engine.motion import Motion
from training.control_scores import hints_of
from training.evaluate import metrics
from training.evaluate.held_out import HeldOut
from training.evaluate.own_evaluator import Evaluator
from training.random_hints import DENSITIES, JOINT_SETS

SHORTEST_SECONDS = 1.2
"""Shorter clips have too few frames for the larger densities."""


def precision_under_control(
    engine: Engine, held_out: HeldOut, evaluators: Sequence[Evaluator], count: int
) -> dict[str, tuple[float, float]]:
    """R-precision top 3 by evaluator, without controls and with them, of the same prompts and seeds.

    Window by window, joints and density go through all their sets; targets are those of the measured motion. Empty
    where the windows do not fill a group of 32.
    """
    usable = [
        i for i, motion in enumerate(held_out.motions) if motion.n_frames >= SHORTEST_SECONDS * motion.fps
    ]
    picked = [usable[i] for i in np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(int)]
    labels, captions = held_out.labels(), held_out.captions(0)
    try:
        groups = metrics.distinct_groups([labels[i] for i in picked], np.random.default_rng(0))
    except ValueError:
        return {}
    kinds = [(name, density) for density in DENSITIES for name in JOINT_SETS]
    free: list[Motion] = []
    bound: list[Motion] = []
    for number, i in enumerate(tqdm(picked, desc="prompts under control", mininterval=2)):
        motion = held_out.motions[i]
        controls = hints_of(motion, *kinds[number % len(kinds)], np.random.default_rng(number))
        prompt = " ".join(captions[i].split())[:MAX_PROMPT]
        for made, asked in ((free, None), (bound, controls)):
            request = GenerateRequest(
                prompt,
                duration=motion.duration,
                seed=number,
                sampler=engine.bundle.control_sampler,
                tries=1,
                controls=asked,
            )
            made.append(engine.generate(request)[0])
    found = {}
    for evaluator in evaluators:
        texts = evaluator.embed_texts([captions[i] for i in picked])
        top3 = [
            float(metrics.r_precision(texts, evaluator.embed_motions(made), groups)[0][2])
            for made in (free, bound)
        ]
        found[evaluator.name] = (top3[0], top3[1])
    return found
