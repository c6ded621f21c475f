# SPDX-License-Identifier: GPL-3.0-or-later
"""How motions look, next to measured ones: skating, penetration, jerk, bone lengths, and what length does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motion_engine import skeleton
from motion_engine.motion import Motion
from motion_engine.quality import quality

STILL = 0.1
"""m/s: a body whose joints move less on average stands still."""

MEASURES = {
    "foot_skate": "foot skate, m/s",
    "skating_ratio": "skating ratio",
    "penetration": "penetration, m",
    "jerk": "jerk, m/s³",
    "bone_drift": "bone-length drift, mm",
    "speed": "joint speed, m/s",
    "still": "still frames",
}
"""Names of the measures and how a table heads them."""


def bone_drift(motion: Motion) -> float:
    """Millimetres by which the bones of a clip change their length: longest less shortest, mean over bones."""
    joints = motion.joints.astype(float)
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, skeleton.PARENTS[1:]], axis=-1)
    return float(1000 * np.ptp(lengths, axis=0).mean())


def joint_speed(motion: Motion) -> np.ndarray:
    """Mean speed of all joints between frames, (T-1,) in m/s."""
    step = np.diff(motion.joints.astype(float), axis=0)
    return np.linalg.norm(step, axis=-1).mean(axis=-1) * motion.fps


def measure(motion: Motion) -> dict[str, float]:
    """All of `MEASURES` of one clip; the first four are those of `motion_engine.quality`."""
    speed = joint_speed(motion)
    moved = len(speed) > 0
    return {
        **quality(motion),
        "bone_drift": bone_drift(motion),
        "speed": float(speed.mean()) if moved else 0.0,
        "still": float((speed < STILL).mean()) if moved else 1.0,
    }


def mean_measures(motions: Sequence[Motion]) -> dict[str, float]:
    """Means of `measure` over clips."""
    rows = [measure(motion) for motion in motions]
    return {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}


@dataclass(frozen=True)
class LengthEffect:
    """Clips between two lengths in seconds: how many, and their speed, still frames and variety.

    ``spread`` is the standard deviation over clips of the mean joint speed: motions that all move alike have little.
    """

    shortest: float
    longest: float
    count: int
    speed: float
    still: float
    spread: float


def length_effects(motions: Sequence[Motion], parts: int = 3) -> list[LengthEffect]:
    """The clips in ``parts`` classes of equal size, from short to long.

    A model that fills a long clip by standing still, or hurries through a short one, differs here from measured
    clips of the same lengths.
    """
    ordered = sorted(motions, key=lambda motion: motion.duration)
    found = []
    for chosen in np.array_split(np.arange(len(ordered)), min(parts, len(ordered))):
        clips = [ordered[i] for i in chosen]
        rows = [measure(clip) for clip in clips]
        speed = [row["speed"] for row in rows]
        found.append(
            LengthEffect(
                clips[0].duration, clips[-1].duration, len(clips), float(np.mean(speed)),
                float(np.mean([row["still"] for row in rows])), float(np.std(speed)),
            )
        )  # fmt: skip
    return found
