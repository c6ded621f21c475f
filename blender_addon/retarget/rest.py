# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver needs to know of a target rig, and how its rest pose relates to the engine's T-pose."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

from ..axes import TO_BLENDER
from .carriers import Carriers
from .ik_controls import IkControls

Array = NDArray[np.floating]
J = skeleton.JOINT

LIMBS = {
    J["left_hip"]: J["left_knee"], J["left_knee"]: J["left_ankle"],
    J["right_hip"]: J["right_knee"], J["right_knee"]: J["right_ankle"],
    J["left_shoulder"]: J["left_elbow"], J["left_elbow"]: J["left_wrist"],
    J["right_shoulder"]: J["right_elbow"], J["right_elbow"]: J["right_wrist"],
}  # fmt: skip
"""Joints whose bone is turned until it points along the T-pose's, and the joint it points at."""

FEET = {J["left_ankle"]: J["left_foot"], J["right_ankle"]: J["right_foot"]}
"""Joints that keep their level in the rest pose and are turned about the vertical only."""

_SNAP_UP, _SNAP_LEFT = np.cos(np.radians(25)), np.cos(np.radians(8))


@dataclass(frozen=True)
class Root:
    """What carries the travel in place of the hips.

    Attributes
    ----------
    bone : name of the root bone, empty for the armature object itself.
    rest : (4, 4) where the bone is in armature space with its own channels at rest, or the object's own transform.
    mode : its rotation mode.
    delta : (4, 4) location and rotation of the object's delta transform, which its channels come after.
    scale : (3,) the object's scale.
    """

    bone: str
    rest: Array
    mode: str
    delta: Array
    scale: Array


@dataclass(frozen=True)
class RestRig:
    """The mapped bones of a rig and the bones between them, parents first; element 0 is the pelvis bone.

    Everything is in the armature's own space, so that the object's place, turn and size do not matter.

    Attributes
    ----------
    names : list of n str
    parents : int (n,), index of the direct parent, -1 for the pelvis bone.
    joints : int (n,), SMPL-22 joint of the bone, -1 for an unmapped bone between mapped ones or a twist bone.
    free : bool (n,), whether an unmapped bone may take keys.
    rest : (n, 4, 4) rest matrices.
    pose : (n, 4) rotation of bones in their own rest frame, as the user left them.
    inherit : bool (n,), whether the bone takes its parent's rotation.
    modes : list of n str, Blender's rotation modes.
    locks : bool (n, 3), locked axes of rotation, which keep the angle that ``pose`` has about them.
    root_parent : (4,) rotation, in armature space and relative to its rest, of what carries the pelvis bone.
    mover : name of the bone whose location moves the pelvis bone, mostly itself.
    mover_locks : bool (3,), its locked axes of location.
    mover_location : (4, 4) affine map from the mover's location to the pelvis bone's head in armature space.
    carriers : what carries each bone of a control rig, in place of parents, inherit and root_parent; every bone is
        mapped then, and the pelvis bone may turn about another point than the pelvis.
    root : what travels in place of the pelvis bone; a root bone is the last of the carriers. ``root_parent`` and
        ``mover_location`` hold for a root bone at rest then.
    stretch : (3, 3) how the object stretches armature space, without its turn; counts where it is not even.
    foot_tails : (2, 3) where the bones of left and right foot end.
    ik : IK controls of arms and legs that get keys in place of the FK controls.
    switches : (bone, path below it) -> value, keyed once so that the other keys have an effect.
    notes : sentences for the user on what the rig does not let through.
    """

    names: list[str]
    parents: NDArray[np.integer]
    joints: NDArray[np.integer]
    rest: Array
    pose: Array
    inherit: NDArray[np.bool_]
    free: NDArray[np.bool_]
    modes: list[str]
    locks: NDArray[np.bool_]
    root_parent: Array
    mover: str
    mover_locks: NDArray[np.bool_]
    mover_location: Array
    carriers: Carriers | None = None
    root: Root | None = None
    stretch: Array = field(default_factory=lambda: np.eye(3))
    foot_tails: Array = field(default_factory=lambda: np.full((2, 3), np.nan))
    ik: IkControls | None = None
    switches: dict[tuple[str, str], float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def heads(self) -> Array:
        """(22, 3) rest positions of the joints, NaN where no bone is mapped."""
        found = np.full((skeleton.N_JOINTS, 3), np.nan)
        mapped = self.joints >= 0
        found[self.joints[mapped]] = self.rest[mapped, :3, 3]
        return found


def _snap(direction: Array, limit: float) -> Array:
    """The coordinate axis nearest to ``direction`` when the cosine between them is above ``limit``."""
    direction = direction / np.linalg.norm(direction)
    axis = int(np.argmax(np.abs(direction)))
    if abs(direction[axis]) < limit:
        return direction
    snapped = np.zeros(3)
    snapped[axis] = np.sign(direction[axis])
    return snapped


def engine_to_rig(heads: Array) -> Array:
    """Rotation (4,) from the engine's axes to the rig's: the rig's own up and left, read off its rest pose.

    ``heads`` are rest positions (22, 3) with hips and shoulders present.
    """
    hips = heads[[J["left_hip"], J["right_hip"]]]
    shoulders = heads[[J["left_shoulder"], J["right_shoulder"]]]
    up = _snap(shoulders.mean(axis=0) - hips.mean(axis=0), _SNAP_UP)
    left = hips[0] - hips[1]
    left = _snap(left - up * (left @ up), _SNAP_LEFT)
    left = left - up * (left @ up)
    left /= np.linalg.norm(left)
    frame = quat.from_matrix(np.stack([left, np.cross(up, left), up], axis=-1))
    return quat.multiply(frame, TO_BLENDER)


def rest_to_t_pose(heads: Array, to_rig: Array) -> Array:
    """Rotations (22, 4) that take each bone of the rest pose into the T-pose, in armature space.

    Arms and legs are swung until they point as the T-pose's do, starting from where their parent has been
    swung already; feet turn about the vertical only, so that a flat sole stays flat; the trunk keeps its own
    posture.
    """
    turns = np.tile(quat.IDENTITY, (skeleton.N_JOINTS, 1))
    aim = quat.rotate(to_rig, skeleton.REST_OFFSETS)
    up = quat.rotate(to_rig, np.array([0.0, 1.0, 0.0]))
    for joint in range(1, skeleton.N_JOINTS):
        parent = turns[skeleton.PARENTS[joint]]
        if joint in LIMBS:
            own = quat.rotate(parent, heads[LIMBS[joint]] - heads[joint])
            turns[joint] = quat.multiply(quat.between(own, aim[LIMBS[joint]]), parent)
        elif joint in FEET:
            own, wanted = heads[FEET[joint]] - heads[joint], aim[FEET[joint]]
            own, wanted = own - up * (own @ up), wanted - up * (wanted @ up)
            if np.isfinite(own).all() and np.linalg.norm(own) > 1e-6:
                turns[joint] = quat.between(own, wanted)
        else:
            turns[joint] = parent
    return turns
