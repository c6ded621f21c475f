# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle makes of fixed prompts, drawn to be looked at, with the measures that a picture does not show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from motion_engine.engine import MAX_PROMPT, Engine, GenerateRequest
from motion_engine.motion import Motion
from motion_engine.quality import quality
from training.contact_sheet import save_contact_sheet
from training.data.motion_set import MotionSet, window_motion

PROMPTS = (
    "a person walks forward",
    "a person runs",
    "someone waves with the right hand",
    "a tired man walks slowly",
    "a person jumps",
    "a person dances salsa",
    "someone raises both hands",
    "a person sits down",
    "a person walks backward",
    "a person punches with the left hand",
    "a person claps",
    "a person turns around to the left",
)


def forward_travel(motion: Motion) -> float:
    """Metres that the pelvis ends in front of where it began (frame 0 faces +Z)."""
    return float(motion.root[-1, 2] - motion.root[0, 2])


def held_out_quality(engine: Engine, motion_set: MotionSet, count: int = 60) -> dict[str, Any]:
    """Mean quality of motions made from held-out captions, next to that of the measured clips.

    Parameters
    ----------
    count : windows of the test split, evenly over the sources.
    """
    by_source = [
        [w for w in motion_set.windows if w.split == "test" and w.source == s] for s in motion_set.sources()
    ]
    windows = [w for group in zip_longest(*by_source) for w in group if w is not None][:count]
    shortest, longest = (
        engine.bundle.min_frames / engine.bundle.fps,
        engine.bundle.max_frames / engine.bundle.fps,
    )
    real, made = [], []
    for seed, window in enumerate(windows):
        motion = window_motion(motion_set, window)
        real.append(quality(motion))
        request = GenerateRequest(
            window.captions[0][:MAX_PROMPT], duration=min(max(motion.duration, shortest), longest), seed=seed
        )
        made.append(engine.generate(request)[0].provenance["quality"])

    def mean(rows: list[dict[str, float]]) -> dict[str, float]:
        return {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]} if rows else {}

    return {"windows": len(windows), "generated": mean(made), "real": mean(real)}


def sample_sheets(
    engine: Engine,
    folder: Path,
    prompts: Sequence[str] = PROMPTS,
    seeds: int = 5,
    duration: float = 4.0,
    sampler: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
) -> dict[str, list[Motion]]:
    """One PNG a prompt with ``seeds`` takes; returns the motions."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for prompt in prompts:
        request = GenerateRequest(
            prompt, duration=duration, count=seeds, sampler=sampler, steps=steps, guidance=guidance
        )
        motions = engine.generate(request)
        titles = []
        for motion in motions:
            scores = motion.provenance["quality"]
            titles.append(
                f"{prompt}, seed {motion.provenance['seed']}: travels {forward_travel(motion):.2f} m, "
                f"skate {scores['foot_skate']:.3f} m/s, jerk {scores['jerk']:.0f}"
            )
        name = "".join(c if c.isalnum() else "_" for c in prompt)
        save_contact_sheet(motions, titles, folder / f"{name}.png")
        made[prompt] = motions
    return made
