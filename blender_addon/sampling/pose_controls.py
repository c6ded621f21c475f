# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own poses as controls of a motion: entries in the form of ``docs/control.md``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from motion_engine import quaternion as quat

from ..retarget.inverse import Placement
from ..status import UserError
from .clip import Clip, Reader

DECIMALS = 6


def current_pose(target: bpy.types.Object, reader: Reader | None = None) -> Clip:
    """The pose that an armature shows right now, hand-made changes without keys included, as a clip of one frame.

    Raises
    ------
    UserError
        If the rig is unknown, is being edited or shows its rest position.
    """
    if target.data.pose_position == "REST":
        raise UserError(
            f"'{target.name}' shows its Rest Position, not its pose. Set it to Pose Position first."
        )
    return (reader or Reader(target)).read_shown()


def pose_entry(clip: Clip, time: float, base: Placement, frame: int = 0) -> dict[str, Any]:
    """A ``pose`` control at ``time`` seconds, in the world of ``base``'s size and floor.

    The coordinates are the world's in the engine's axes, with the floor of ``base`` at y = 0, over its scale.
    """
    joints = clip.placement.to_world(clip.motion.joints[frame])
    joints = (joints - base.position * (0.0, 1.0, 0.0)) / base.scale
    rotations = clip.motion.rotations[frame].astype(float)
    rotations[0] = quat.multiply(quat.about_axis(1, clip.placement.yaw), rotations[0])
    return {
        "pose": np.round(joints, DECIMALS).tolist(),
        "rotations": np.round(quat.normalize(rotations), DECIMALS).tolist(),
        "time": round(float(time), 4),
    }


def controls_document(poses: Sequence[tuple[Clip, float]]) -> dict[str, Any]:
    """A control file: the clips' first frames at their times in seconds; the earliest one says where it starts.

    What comes back from the engine lies at that place, and `Placement.to_world` of the earliest clip puts it there.
    """
    if not poses:
        raise UserError("There is no pose to control the motion by.")
    ordered = sorted(poses, key=lambda pose: pose[1])
    base = ordered[0][0].placement
    x, _, z = base.position / base.scale
    return {
        "start": {
            "position": [round(float(x), DECIMALS), round(float(z), DECIMALS)],
            "yaw": round(float(np.degrees(base.yaw)), DECIMALS),
        },
        "controls": [pose_entry(clip, time, base) for clip, time in ordered],
    }
