# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints of any body, place, facing and frame rate become a `Motion` as the networks know them.

That is: on the standard skeleton, at the bundle's frames a second, on the floor y = 0, frame 0 facing +Z. Clips of
which no sentence can be made are refused with one that says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.cleanup import stand_on_floor
from motion_engine.errors import EngineError
from motion_engine.ik import scaled_path, solve_rotations
from motion_engine.motion import Motion

Array = NDArray[np.floating]

MIN_SECONDS = 0.5
MAX_SECONDS = 60.0

MAX_FPS = 1000.0

STATIC = 0.01
"""m: a body none of whose joints moves further than this does not move; one that breathes does."""


@dataclass(frozen=True)
class Clip:
    """A clip as a caller has it.

    Attributes
    ----------
    joints : (T, 22, 3) metres, +Y up, SMPL order; any place, facing and proportions.
    fps : frames a second.
    rotations : (T, 22, 4) quaternions (w, x, y, z) as in `Motion`; None where only the joints are known, then bones
        have no twist.
    """

    joints: Array
    fps: float
    rotations: Array | None = None

    @classmethod
    def of(cls, motion: Motion) -> Clip:
        """The clip of a motion."""
        return cls(motion.joints, motion.fps, motion.rotations)


def check(clip: Clip) -> None:
    """Refuse a clip that is none, or too short, too long or without motion.

    Raises
    ------
    EngineError
        ``bad_shape``, ``bad_rate``, ``too_short``, ``too_long``, ``bad_numbers`` or ``static``.
    """
    joints, rotations = np.asarray(clip.joints), clip.rotations
    expected = f"(frames, {skeleton.N_JOINTS}, 3)"
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.N_JOINTS, 3):
        raise EngineError(
            "bad_shape",
            f"The joints have the shape {_shape(joints)}, not {expected}.",
            "Send the 22 joints of SMPL, in metres.",
        )
    if rotations is not None and np.shape(rotations) != (len(joints), skeleton.N_JOINTS, 4):
        raise EngineError(
            "bad_shape",
            f"The rotations have the shape {_shape(np.asarray(rotations))}, not {(len(joints), 22, 4)}.",
            "Send one quaternion a joint and frame, or no rotations.",
        )
    if not (np.isfinite(clip.fps) and 0 < clip.fps <= MAX_FPS):
        raise EngineError(
            "bad_rate",
            f"{clip.fps:g} frames a second is no frame rate.",
            f"Send more than 0, and {MAX_FPS:g} at most.",
        )
    frames, seconds = len(joints), len(joints) / clip.fps
    if frames < 2 or seconds < MIN_SECONDS:
        what = "1 frame" if frames == 1 else f"{frames} frames ({seconds:.2f} s)"
        raise EngineError(
            "too_short",
            f"The clip has {what}, too little to be described.",
            f"Choose {MIN_SECONDS:g} s or more.",
        )
    if seconds > MAX_SECONDS + 1.0 / clip.fps:
        raise EngineError(
            "too_long",
            f"The clip is {seconds:.1f} s long; {MAX_SECONDS:g} s are the most.",
            "Cut it into shorter clips.",
        )
    for name, values in (("joints", joints), ("rotations", rotations)):
        if values is not None and not np.isfinite(values).all():
            broken = ~np.isfinite(values).reshape(frames, -1).all(axis=1)
            raise EngineError(
                "bad_numbers",
                f"The {name} hold NaN or infinite numbers, first in frame {int(np.argmax(broken))}.",
                "Export the clip again, or cut that part out.",
            )
    if np.ptp(joints, axis=0).max() < STATIC:
        raise EngineError(
            "static",
            "Nothing moves in the clip, so there is no motion to describe.",
            "Choose a clip with motion.",
        )


def canonical(clip: Clip, fps: float) -> Motion:
    """The clip at ``fps`` frames a second, as the networks know motions; EngineError as for `check`, or ``bad_body``.

    Without rotations they are solved from the joints. The path is scaled by the ratio of leg lengths.
    """
    check(clip)
    # most frames of a fast recording are not needed, and solving them is what takes time
    stride = max(int(clip.fps / fps + 1e-6), 1)
    joints = np.asarray(clip.joints, dtype=float)[::stride]
    try:
        root = scaled_path(joints)
        if clip.rotations is None:
            rotations = solve_rotations(joints)
        else:
            rotations = _unit(np.asarray(clip.rotations, dtype=float)[::stride])
        motion = Motion.from_rotations(rotations, root, clip.fps / stride).resample(fps)
        return stand_on_floor(motion).canonical()
    except ValueError as error:
        raise EngineError(
            "bad_body", f"The joints make no body: {error}", "Export the clip again."
        ) from error


def _unit(rotations: Array) -> Array:
    """Unit quaternions; one without length turns nothing."""
    none = np.linalg.norm(rotations, axis=-1, keepdims=True) < 1e-6
    return quat.normalize(np.where(none, quat.IDENTITY, rotations))


def _shape(values: NDArray[np.generic]) -> str:
    return "(" + ", ".join(map(str, values.shape)) + ")"
