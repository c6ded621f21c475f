# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a model that fits a clip's joints best, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.body_model import BodyModel
from motion_engine.motion import Motion

Array = NDArray[np.floating]

N = skeleton.N_JOINTS
RIDGE = 1e-3
"""Metres of joint error that are worth one unit of a shape parameter: bodies stay near the average."""

FRAMES = 120
"""Most frames that the shape is fitted to; the errors are of all frames."""


@dataclass(frozen=True)
class BodyFit:
    """A body in motion.

    Attributes
    ----------
    betas : (B,) shape parameters.
    poses : (T, J, 3) axis-angle, +Y up; fingers and face at rest.
    translations : (T, 3) as SMPL counts them: from where the model keeps its pelvis.
    """

    betas: Array
    poses: Array
    translations: Array


def fit(model: BodyModel, motion: Motion, fit_shape: bool = True) -> BodyFit:
    """Shape and one shift of the whole clip by least squares; the rotations are the clip's own.

    With given rotations the joints are linear in the offsets of the bones, and these in the shape parameters. Without
    ``fit_shape`` the average body follows the clip's pelvis.
    """
    rotations, root = motion.rotations.astype(float), motion.root.astype(float)
    count = model.shape.shape[-1]
    rest = model.joints_at_rest(np.zeros(count))
    betas, shift = np.zeros(count), np.zeros(3)
    if fit_shape:
        some = np.unique(np.linspace(0, motion.n_frames - 1, FRAMES).astype(int))
        still = np.zeros((len(some), 3))
        columns = [
            skeleton.forward_kinematics(
                rotations[some], still, _offsets(model, model.regressor @ model.shape[..., k])
            )
            for k in range(count)
        ]
        columns += [np.broadcast_to(axis, (len(some), N, 3)) for axis in np.eye(3)]
        average = skeleton.forward_kinematics(rotations[some], root[some], _offsets(model, rest))
        wanted = (motion.joints[some] - average).ravel()
        table = np.stack([column.ravel() for column in columns], axis=-1)
        weight = np.sqrt(len(some) * N) * RIDGE
        ridge = np.concatenate([np.eye(count) * weight, np.zeros((count, 3))], axis=1)
        found = np.linalg.lstsq(
            np.concatenate([table, ridge]), np.concatenate([wanted, np.zeros(count)]), rcond=None
        )[0]
        betas, shift = found[:count], found[count:]
    poses = np.zeros((motion.n_frames, len(model.parents), 3))
    poses[:, :N] = quat.to_axis_angle(rotations)
    return BodyFit(betas, poses, root - model.joints_at_rest(betas)[0] + shift)


def _offsets(model: BodyModel, joints: Array) -> Array:
    """(22, 3) bone offsets of joints (J, 3) at rest; the root's is none."""
    offsets = joints[:N] - joints[np.maximum(model.parents[:N], 0)]
    offsets[0] = 0.0
    return offsets
