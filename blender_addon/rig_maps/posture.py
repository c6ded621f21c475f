# SPDX-License-Identifier: GPL-3.0-or-later
"""What rest positions say of a map: are both sides alike, is left left, does it stand on two legs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Rest = Mapping[str, Array]
"""Bone -> (2, 3) positions of head and tail at rest, in a frame whose +Z is up; any unit of length."""

_BONES_ON_A_SIDE = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))

_ALIKE = 0.5
"""Ratio of the lengths of two limbs below which they are not a left and a right one."""

_FACING = 0.2
"""Share of the foot's length that has to point to the front or the back to tell which it is."""


def heads(bones: Mapping[str, str], rest: Rest) -> dict[str, Array]:
    """Joint -> head of its bone (3,), for the bones whose rest position is known."""
    return {joint: np.asarray(rest[bone], dtype=float)[0] for joint, bone in bones.items() if bone in rest}


def check(bones: Mapping[str, str], rest: Rest) -> tuple[float, str | None]:
    """How alike the sides are, 0 to 1, and what is wrong with the body, as a sentence, or None.

    ``bones`` has every required joint.
    """
    at = heads(bones, rest)
    ratios = _ratios(at)
    if not ratios:
        return 0.0, None
    symmetry = float(np.mean(ratios))
    return symmetry, four_legs(bones, at) or swapped(bones, at)


def lopsided(bones: Mapping[str, str], rest: Rest) -> bool:
    """Whether a limb is less than half as long as that of the other side, as when a finger is taken for an arm."""
    return min(_ratios(heads(bones, rest)), default=1.0) < _ALIKE


def _ratios(at: Mapping[str, Array]) -> list[float]:
    """Shorter over longer of left and right, for each of `_BONES_ON_A_SIDE` that is there on both."""
    ratios = []
    for first, second in _BONES_ON_A_SIDE:
        lengths = []
        for side in ("left", "right"):
            if f"{side}_{first}" in at and f"{side}_{second}" in at:
                lengths.append(float(np.linalg.norm(at[f"{side}_{second}"] - at[f"{side}_{first}"])))
        if len(lengths) == 2:
            ratios.append(min(lengths) / max(lengths) if max(lengths) > 0 else 0.0)
    return ratios


def four_legs(bones: Mapping[str, str], at: Mapping[str, Array]) -> str | None:
    """A sentence if the arms are front legs: they reach as far down as the legs do, and the back lies flat."""
    needed = {f"{s}_{p}" for s in ("left", "right") for p in ("hip", "ankle", "shoulder", "wrist")}
    if not needed <= at.keys():
        return None
    mid = {
        part: (at[f"left_{part}"] + at[f"right_{part}"]) / 2 for part in ("hip", "ankle", "shoulder", "wrist")
    }
    down = mid["ankle"] - mid["hip"]
    leg = float(np.linalg.norm(down))
    if leg < 1e-12:
        return None
    down = down / leg
    back = mid["shoulder"] - mid["hip"]
    reach = float((mid["wrist"] - mid["hip"]) @ down) / leg
    upright = float(-(back @ down)) / (float(np.linalg.norm(back)) + 1e-12)
    if reach > 0.7 and upright < 0.6:
        return (
            "This armature stands on four legs: "
            f"'{bones['left_wrist']}' and '{bones['right_wrist']}' reach the ground as '{bones['left_ankle']}' and "
            f"'{bones['right_ankle']}' do. Motions are for bodies on two legs."
        )
    return None


def swapped(bones: Mapping[str, str], at: Mapping[str, Array]) -> str | None:
    """A sentence if the toes point to the back, which is so when left and right are exchanged."""
    if not {"left_hip", "right_hip", "left_shoulder", "right_shoulder"} <= at.keys():
        return None
    up = at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]
    front = np.cross(at["left_hip"] - at["right_hip"], up)
    if np.linalg.norm(front) < 1e-12:
        return None
    front /= np.linalg.norm(front)
    toes = [
        (at[f"{side}_foot"] - at[f"{side}_ankle"])
        for side in ("left", "right")
        if f"{side}_foot" in at and f"{side}_ankle" in at
    ]
    if not toes:
        return None
    forward = sum(float(toe @ front) for toe in toes)
    length = sum(float(np.linalg.norm(toe)) for toe in toes)
    if forward < -_FACING * length:
        return (
            f"Left and right look exchanged: seen from its toes, '{bones['left_hip']}' is on the right and "
            f"'{bones['right_hip']}' on the left. Rename the bones of one side, or correct the map."
        )
    return None
