# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle makes of fixed prompts, drawn to be looked at, with the measures that a picture does not show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion_engine.engine import Engine, GenerateRequest
from motion_engine.motion import Motion
from training.contact_sheet import save_contact_sheet

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


def wave_swings(motion: Motion, wrist: int = 21, shoulder: int = 17) -> int:
    """How often a raised wrist changes its sideways direction by more than 5 cm while above the shoulder."""
    joints = motion.joints
    raised = joints[:, wrist, 1] > joints[:, shoulder, 1]
    if raised.sum() < 3:
        return 0
    across = joints[raised][:, wrist] - joints[raised][:, shoulder]
    path = across @ np.linalg.svd(across - across.mean(axis=0), full_matrices=False)[2][0]
    swings, extreme, direction = 0, path[0], 0
    for value in path[1:]:
        if (direction >= 0 and value < extreme - 0.05) or (direction <= 0 and value > extreme + 0.05):
            swings += direction != 0
            direction = -1 if value < extreme else 1
            extreme = value
        elif (value - extreme) * direction > 0:
            extreme = value
    return int(swings)


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
