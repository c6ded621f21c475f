# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a bundle meets controls that are taken from held-out clips: network alone, and after the projection.

Rows are sets of joints at densities, as OmniControl (Xie et al. 2024) and MotionLCM measure them: the average error
in metres over all targets, the share of targets further than 20 and 50 cm off (location error), and the share of
clips with any such target (trajectory error). Foot skate is next to that of the same prompts without controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
from tqdm import tqdm

from motion_engine import skeleton
from motion_engine.control import Controls, JointControl, PoseControl, Targets
from motion_engine.control_refine import bend_path
from motion_engine.engine import MAX_PROMPT, Engine, GenerateRequest
from motion_engine.motion import Motion
from motion_engine.quality import quality
from training.data.motion_set import MotionSet, Window, window_motion
from training.evaluate.metrics import control_errors
from training.random_hints import DENSITIES, JOINT_SETS, hinted_frames

POSES = "start and end pose"
STAGES = ("network", "network and path", "refined")


def control_scores(
    engine: Engine, motion_set: MotionSet, split: str = "test", count: int = 24
) -> list[dict[str, Any]]:
    """One row for each set of joints and density.

    Parameters
    ----------
    split : of the set, held out from training.
    count : windows for each row, evenly over the sources.

    Returns
    -------
    Rows with ``joints``, ``density``, ``windows``, and for each of `STAGES` the errors and foot skate.
    """
    windows = _windows(engine, motion_set, split, count)
    if not windows:
        raise ValueError(f"The set has no window of the split {split} that the bundle can make.")
    rows = []
    kinds: list[tuple[str, float]] = [(name, density) for name in JOINT_SETS for density in DENSITIES]
    for name, density in tqdm([*kinds, (POSES, 2)], desc="control", mininterval=5):
        found: dict[str, list[Motion]] = {stage: [] for stage in STAGES}
        wanted, free = [], []
        for seed, window in enumerate(windows):
            motion = _real(engine, motion_set, window)
            controls = hints_of(motion, name, density, np.random.default_rng(seed))
            request = GenerateRequest(
                window.captions[0][:MAX_PROMPT],
                motion.duration,
                seed,
                sampler=engine.bundle.control_sampler,  # also without controls, for comparison
                tries=1,
                controls=replace(controls, refine=False),
            )
            targets = controls.targets(motion.n_frames, motion.fps)
            raw = engine.generate(request)[0]
            made = {
                "network": raw,
                "network and path": bend_path(raw, targets),
                "refined": engine.generate(replace(request, controls=controls))[0],
            }
            wanted.append(targets)
            for stage, result in made.items():
                found[stage].append(result)
            if (name, density) == (POSES, 2):
                free.append(
                    engine.generate(replace(request, controls=None))[0].provenance["quality"]["foot_skate"]
                )
        row: dict[str, Any] = {"joints": name, "density": density, "windows": len(windows)}
        row |= {stage: errors_of(found[stage], wanted) for stage in STAGES}
        if free:
            row["uncontrolled_foot_skate"] = round(float(np.mean(free)), 4)
        rows.append(row)
    return rows


def hints_of(motion: Motion, joints: str, density: float, random: np.random.Generator) -> Controls:
    """Controls from a measured motion: a set of joints at a density, or its first and last pose."""
    if joints == POSES:
        last = (motion.n_frames - 1) / motion.fps
        return Controls(poses=(PoseControl(0.0, motion.joints[0]), PoseControl(last, motion.joints[-1])))
    frames = np.sort(hinted_frames(motion.n_frames, density, random))
    return Controls(
        tuple(
            JointControl(joint, (frames / motion.fps).tolist(), motion.joints[frames, joint])
            for joint in JOINT_SETS[joints]
        )
    )


def errors_of(motions: Sequence[Motion], targets: Sequence[Targets]) -> dict[str, float]:
    """Average error in metres, location and trajectory errors at 20 and 50 cm, and foot skate."""
    errors = control_errors(
        [motion.joints for motion in motions],
        [wanted.positions for wanted in targets],
        [np.asarray(wanted.mask.any(axis=-1)) for wanted in targets],
    )
    skate = float(np.mean([quality(motion)["foot_skate"] for motion in motions]))
    found = {"average": errors.average, "foot_skate": skate}
    for limit in (0.2, 0.5):
        found[f"location_{limit * 100:.0f}"] = errors.location[limit]
        found[f"trajectory_{limit * 100:.0f}"] = errors.trajectory[limit]
    return {name: round(value, 4) for name, value in found.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; errors in centimetres."""
    lines = [
        "| joints | density | stage | average cm | location 20/50 cm | trajectory 20/50 cm | foot skate m/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        density = f"{row['density']:.0%}" if isinstance(row["density"], float) else str(row["density"])
        for stage in STAGES:
            s = row[stage]
            lines.append(
                f"| {row['joints']} | {density} | {stage} | {100 * s['average']:.1f} "
                f"| {s['location_20']:.3f} / {s['location_50']:.3f} "
                f"| {s['trajectory_20']:.3f} / {s['trajectory_50']:.3f} | {s['foot_skate']:.3f} |"
            )
    for stage in STAGES:
        mean = float(np.mean([row[stage]["average"] for row in rows]))
        lines.append(f"| all | | {stage} | {100 * mean:.1f} | | | |")
    if "uncontrolled_foot_skate" in rows[-1]:
        lines.append(f"| none | | uncontrolled | | | | {rows[-1]['uncontrolled_foot_skate']:.3f} |")
    return "\n".join(lines)


def _windows(engine: Engine, motion_set: MotionSet, split: str, count: int) -> list[Window]:
    shortest = max(engine.bundle.min_frames, 24) / engine.bundle.fps
    usable = [w for w in motion_set.windows if w.split == split and w.end - w.start >= shortest]
    by_source = [[w for w in usable if w.source == source] for source in motion_set.sources()]
    return [w for group in zip_longest(*by_source) for w in group if w is not None][:count]


def _real(engine: Engine, motion_set: MotionSet, window: Window) -> Motion:
    """The measured window, no longer than the bundle's clips, with its rest-pose skeleton."""
    motion = window_motion(motion_set, window)
    if motion.n_frames > engine.bundle.max_frames:
        motion = motion.trim(0.0, engine.bundle.max_frames / motion.fps)
    assert motion.joints.shape[1] == skeleton.N_JOINTS
    return motion
