# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones say how a character stands: the mapped ones, or what the controls of a control rig move."""

from __future__ import annotations

import bpy
import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton

from .. import rig_maps
from ..retarget.carriers import Carriers
from ..retarget.rest import FEET, LIMBS, RestRig, engine_to_rig

J = skeleton.JOINT
NEAR = 0.12
"""Share of the legs' length that a deforming bone may lie from its control."""

_NO_CONTROLS = Carriers(*(np.zeros(0, int),) * 2, np.zeros(0), *(np.zeros((0, 4)),) * 2, np.zeros(0, bool))


def followed(target: bpy.types.Object, mapping: rig_maps.Mapping) -> dict[str, str]:
    """SMPL-22 joint -> the bone to read.

    A control rig is posed by FK, IK and switches; what they come to is seen at the deforming bones, found here by
    where they lie. Where Rigify has the same bone without the shares of twist (ORG), that one is read.
    """
    if mapping.kind != "control":
        return mapping.bones
    bones = target.data.bones
    deforming = [bone for bone in bones if bone.use_deform]
    if not deforming:
        return mapping.bones
    heads = np.full((skeleton.N_JOINTS, 3), np.nan)
    for joint, name in mapping.bones.items():
        heads[J[joint]] = bones[name].head_local
    hips = heads[[J["left_hip"], J["right_hip"]]]
    heads[J["pelvis"]] = hips.mean(axis=0)  # the control of the hips may lie anywhere
    legs = float(np.linalg.norm(heads[J["left_hip"]] - heads[J["left_ankle"]]))
    up = quat.rotate(engine_to_rig(heads), np.array([0.0, 1.0, 0.0]))
    starts = np.array([bone.head_local for bone in deforming])
    ways = np.array([(bone.tail_local - bone.head_local).normalized() for bone in deforming])
    found = {}
    for joint, name in mapping.bones.items():
        index = J[joint]
        after = LIMBS.get(index, FEET.get(index))
        if after is not None and np.isfinite(heads[after]).all():
            way = heads[after] - heads[index]
        elif joint in {"pelvis", "spine1", "spine2", "spine3", "neck", "head"}:
            way = up
        else:
            way = np.array(bones[name].tail_local - bones[name].head_local)
        away = np.linalg.norm(starts - heads[index], axis=-1) / legs
        bent = 1.0 - ways @ (way / np.linalg.norm(way))
        best = int(np.argmin(away + 0.2 * bent))
        chosen = deforming[best].name if away[best] < NEAR or joint == "pelvis" else name
        original = chosen.replace("DEF-", "ORG-", 1)
        found[joint] = original if original in bones else chosen
    return found


def rest_of(target: bpy.types.Object, joints: dict[str, str], is_control: bool) -> RestRig:
    """Rest pose of the bones to read, in the order of the joints, as `retarget.solver.measure` wants it.

    Of a control rig the pelvis is taken between the hips, as the solver does.
    """
    ordered = [joint for joint in skeleton.JOINT_NAMES if joint in joints]
    names = [joints[joint] for joint in ordered]
    count = len(names)
    return RestRig(
        names=names,
        parents=np.full(count, -1),
        joints=np.array([J[joint] for joint in ordered]),
        rest=np.array([target.data.bones[name].matrix_local for name in names], dtype=float),
        pose=np.tile(quat.IDENTITY, (count, 1)),
        inherit=np.ones(count, dtype=bool),
        free=np.zeros(count, dtype=bool),
        modes=[target.pose.bones[name].rotation_mode for name in names],
        locks=np.zeros((count, 3), dtype=bool),
        root_parent=quat.IDENTITY,
        mover=names[0],
        mover_locks=np.zeros(3, dtype=bool),
        mover_location=np.eye(4),
        carriers=_NO_CONTROLS if is_control else None,
    )
