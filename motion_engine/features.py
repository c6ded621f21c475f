# SPDX-License-Identifier: GPL-3.0-or-later
"""The 263 numbers a frame of HumanML3D (Guo et al. 2022), encoded from joints and decoded to a `Motion`.

=========  ====  =======================================================================================
slice      dims  content
=========  ====  =======================================================================================
0          1     yaw velocity of the root, half-angle, radians a frame: arcsin(y) of ``r[t+1] r[t]^-1``
1:3        2     displacement of the root in x and z, metres a frame, rotated by ``r[t+1]``
3          1     height of the root, metres
4:67       63    joints 1..21 relative to the root's x and z, rotated by ``r[t]``, metres
67:193     126   6D rotations of joints 1..21
193:259    66    displacement of all 22 joints, metres a frame, rotated by ``r[t]``
259:263    4     contacts: left ankle, left toe, right ankle, right toe
=========  ====  =======================================================================================

``r[t]`` is the yaw that turns the smoothed facing direction of frame t to +Z. A clip of T frames has T-1 rows.

Two flavours share the layout. ``ik`` is what HumanML3D stores: rotations are shortest arcs without twist, and the
joints are authoritative. ``true`` stores the local rotations of the T-pose skeleton, with twist.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.filters import gaussian_filter
from motion_engine.ik import kabsch, solve_rotations
from motion_engine.motion import Motion

Array = NDArray[np.floating]
Flavour = Literal["ik", "true"]

N_FEATURES = 263
YAW_VELOCITY = slice(0, 1)
ROOT_VELOCITY = slice(1, 3)
ROOT_HEIGHT = slice(3, 4)
JOINTS = slice(4, 67)
ROTATIONS = slice(67, 193)
VELOCITIES = slice(193, 259)
CONTACTS = slice(259, 263)

FACING_SIGMA = 20.0
"""Frames: width of the Gaussian that smooths the facing direction."""

CONTACT_THRESHOLD = 0.002
"""m² a frame: squared displacement under which HumanML3D calls a foot joint planted."""

HUMANML3D_CHAINS = (
    (0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20),
)  # fmt: skip

_X, _Y, _Z = np.eye(3)
HUMANML3D_RAW_OFFSETS = np.array(
    [0 * _X, _X, -_X, _Y, -_Y, -_Y, _Y, -_Y, -_Y, _Y, _Z, _Z, _Y, _X, -_X, _Z] + [-_Y] * 6
)
"""(22, 3) unit bone directions from which HumanML3D measures its rotations."""


def encode(motion: Motion) -> Array:
    """Features (T-1, 263) of flavour ``true``; the contacts are the motion's own."""
    joints = motion.joints.astype(float)
    front = _smooth(skeleton.facing(joints), FACING_SIGMA)
    # the row layout starts every clip at yaw zero: turn the clip so that its smoothed facing starts there
    yaw = np.arctan2(front[:, 0], front[:, 2])
    turn = quat.about_axis(1, -yaw[0])
    joints = quat.rotate(turn, joints - joints[0, 0] * np.array([1.0, 0.0, 1.0]))
    heading = quat.about_axis(1, yaw[0] - yaw)
    six = quat.to_6d(motion.rotations[:, 1:].astype(float))
    return _assemble(joints, heading, six, motion.contacts)


def encode_joints(joints: Array) -> Array:
    """Features (T-1, 263) of flavour ``ik`` from joints (T, 22, 3) in metres, as HumanML3D computes them.

    The joints must be on the target skeleton, floored and facing +Z in frame 0: see `to_humanml3d`. HumanML3D's
    facing direction enters the hips with the wrong sign, and every arm chain starts from the root's rotation; both
    are repeated, because released data and evaluators contain them.
    """
    joints = np.asarray(joints, dtype=float)
    across = quat.normalize(joints[:, 1] - joints[:, 2] + joints[:, 17] - joints[:, 16])
    front = _smooth(np.cross(_Y, across), FACING_SIGMA)
    heading = quat.between(front, _Z)
    heading[0] = quat.IDENTITY
    rotations = _chain_rotations(joints, heading)
    feet = joints[:, skeleton.FOOT_JOINTS]
    contacts = np.sum(np.diff(feet, axis=0) ** 2, axis=-1) < CONTACT_THRESHOLD
    return _assemble(joints, heading, quat.to_6d(rotations[:, 1:]), contacts)


def to_humanml3d(joints: Array, target_offsets: Array) -> Array:
    """Bring joints (T, 22, 3) of any body to HumanML3D's form.

    Bones take the target's lengths, the root path is scaled by the ratio of leg lengths, the lowest joint is put on
    the floor, and frame 0 is moved to the origin, facing +Z.

    Parameters
    ----------
    target_offsets : (22, 3) bone offsets of the target skeleton in metres; only their lengths are used.
    """
    joints = np.asarray(joints, dtype=float)
    target_lengths = np.abs(target_offsets).max(axis=-1)
    source_lengths = np.linalg.norm(joints[0, 1:] - joints[0, skeleton.PARENTS[1:]], axis=-1)
    scale = (target_lengths[5] + target_lengths[8]) / (source_lengths[4] + source_lengths[7])

    scaled = np.empty_like(joints)
    scaled[:, 0] = joints[:, 0] * scale
    for chain in HUMANML3D_CHAINS:
        for parent, joint in pairwise(chain):
            bone = quat.normalize(joints[:, joint] - joints[:, parent])
            scaled[:, joint] = scaled[:, parent] + bone * np.linalg.norm(target_offsets[joint])
    scaled[..., 1] -= scaled[..., 1].min()
    scaled -= scaled[0, 0] * np.array([1.0, 0.0, 1.0])
    across = scaled[0, 2] - scaled[0, 1] + scaled[0, 17] - scaled[0, 16]
    front = np.cross(_Y, across)
    return quat.rotate(quat.between(front, _Z), scaled)


def recover_root(features: Array) -> tuple[Array, Array]:
    """Heading ``r`` (T, 4) and root path (T, 3) from features (T, 263), by summing velocities."""
    dtype = features.dtype
    half_yaw = np.zeros(len(features), dtype=dtype)
    half_yaw[1:] = np.cumsum(features[:-1, 0])
    heading = np.zeros((len(features), 4), dtype=dtype)
    heading[:, 0], heading[:, 2] = np.cos(half_yaw), np.sin(half_yaw)
    step = np.zeros((len(features), 3), dtype=dtype)
    step[1:, [0, 2]] = features[:-1, ROOT_VELOCITY]
    root = np.cumsum(quat.rotate(quat.conjugate(heading), step), axis=0)
    root[:, 1] = features[:, 3]
    return heading, root


def recover_joints(features: Array) -> Array:
    """Joints (T, 22, 3) in metres from the position numbers of features (T, 263)."""
    heading, root = recover_root(features)
    local = features[:, JOINTS].reshape(len(features), 21, 3)
    joints = quat.rotate(quat.conjugate(heading)[:, None], local)
    joints += root[:, None] * np.array([1.0, 0.0, 1.0], dtype=features.dtype)
    return np.concatenate([root[:, None], joints], axis=1)


def decode(features: Array, fps: float, flavour: Flavour = "true") -> Motion:
    """Motion from features (T, 263), not normalised.

    In flavour ``true`` the local rotations are read, and the pelvis, which the layout does not store, is the rotation
    that brings their forward kinematics closest to the joint positions (Kabsch over all joints). In flavour ``ik``
    all rotations are solved from the joints.

    Raises
    ------
    ValueError
        If the shape is not (T, 263) with T >= 1, or a number is not finite.
    """
    features = np.asarray(features, dtype=float)
    if features.ndim != 2 or features.shape[1] != N_FEATURES or len(features) == 0:
        raise ValueError(f"Features must have shape (frames, {N_FEATURES}), not {features.shape}.")
    if not np.isfinite(features).all():
        raise ValueError("The features contain NaN or infinite numbers.")
    joints = recover_joints(features)
    contacts = features[:, CONTACTS] > 0.5
    if flavour == "ik":
        return Motion.from_rotations(
            solve_rotations(joints), joints[:, 0], fps, contacts=contacts
        ).canonical()
    rotations = np.empty((len(features), skeleton.N_JOINTS, 4))
    rotations[:, 0] = quat.IDENTITY
    rotations[:, 1:] = quat.from_6d(features[:, ROTATIONS].reshape(-1, 21, 6))
    unturned = skeleton.forward_kinematics(rotations, np.zeros((len(features), 3)))
    rotations[:, 0] = kabsch(unturned[:, 1:], joints[:, 1:] - joints[:, :1])
    joints = quat.rotate(rotations[:, :1], unturned) + joints[:, :1]
    return Motion(joints, quat.make_continuous(rotations), joints[:, 0], contacts, fps).canonical()


def smooth(features: Array, sigma: float) -> Array:
    """Features (T, 263) after a Gaussian filter of ``sigma`` frames along time; contacts are left as they are."""
    if sigma <= 0:
        return features
    out = gaussian_filter(features, sigma)
    out[:, CONTACTS] = features[:, CONTACTS]
    return out


def mirror(features: Array) -> Array:
    """Features (T, 263) of flavour ``true`` with left and right exchanged."""
    out = features.copy()
    out[:, 0] *= -1
    out[:, 1] *= -1
    swap = skeleton.MIRROR
    flip = np.array([-1.0, 1.0, 1.0])
    out[:, JOINTS] = (features[:, JOINTS].reshape(-1, 21, 3)[:, swap[1:] - 1] * flip).reshape(-1, 63)
    # mirroring x turns M into S M S with S = diag(-1, 1, 1): of the first two columns these entries change sign
    six = np.array([1.0, -1.0, -1.0, -1.0, 1.0, 1.0])
    out[:, ROTATIONS] = (features[:, ROTATIONS].reshape(-1, 21, 6)[:, swap[1:] - 1] * six).reshape(-1, 126)
    out[:, VELOCITIES] = (features[:, VELOCITIES].reshape(-1, 22, 3)[:, swap] * flip).reshape(-1, 66)
    out[:, CONTACTS] = features[:, CONTACTS][:, [2, 3, 0, 1]]
    return out


def _assemble(joints: Array, heading: Array, six: Array, contacts: NDArray[np.bool_]) -> Array:
    n = len(joints) - 1
    if n < 1:
        raise ValueError("Features need a clip of at least two frames.")
    turn = quat.multiply(heading[1:], quat.conjugate(heading[:-1]))
    step = quat.rotate(heading[1:], np.diff(joints[:, 0], axis=0))
    local = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    local = quat.rotate(heading[:, None], local)
    velocity = quat.rotate(heading[:-1, None], np.diff(joints, axis=0))
    return np.concatenate(
        [
            np.arcsin(np.clip(turn[:, 2:3], -1.0, 1.0)),
            step[:, [0, 2]],
            joints[:-1, 0, 1:2],
            local[:-1, 1:].reshape(n, -1),
            six[:-1].reshape(n, -1),
            velocity.reshape(n, -1),
            contacts[:n].astype(float),
        ],
        axis=1,
    )


def _chain_rotations(joints: Array, heading: Array) -> Array:
    rotations = np.empty((*joints.shape[:-1], 4))
    rotations[:, 0] = heading
    for chain in HUMANML3D_CHAINS:
        turned = heading
        for parent, joint in pairwise(chain):
            bone = quat.between(HUMANML3D_RAW_OFFSETS[joint], joints[:, joint] - joints[:, parent])
            rotations[:, joint] = quat.multiply(quat.conjugate(turned), bone)
            turned = bone
    return rotations


def _smooth(directions: Array, sigma: float) -> Array:
    """Unit vectors (T, 3) after a Gaussian filter along time; unit length again."""
    return quat.normalize(gaussian_filter(directions, sigma))
