# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve a whole clip onto a rig: rotations of every mapped bone, the path of the pelvis bone, feet on the floor.

With ``A`` the source joint's world rotation relative to its T-pose, brought into the rig's axes, and ``D`` the turn
from the rig's rest pose to that T-pose, a bone's rotation relative to its own rest pose is ``A D`` and its rotation
in armature space ``A D B``, where ``B`` is its rest matrix. So rolls, bone axes and unmapped bones drop out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton, travel
from motion_engine.motion import Motion

from . import feet, hands, sharing
from .carriers import Carriers
from .channels import Channel, locked_rotation, rotation_channel
from .ik_controls import IK_LIMBS, ik_channels
from .options import DEFAULTS, RetargetOptions
from .rest import RestRig, engine_to_rig, rest_to_t_pose
from .root_motion import root_motion

Array = NDArray[np.floating]
J = skeleton.JOINT

STANDING = 0.02
"""Metres of clearance, on the source, below which a foot counts as standing for the height of the pelvis."""

_SOURCE_LEGS = float(np.linalg.norm(skeleton.REST_OFFSETS[[4, 5, 7, 8]], axis=-1).sum())


@dataclass(frozen=True)
class Target:
    """A rig's rest pose in the terms of the source.

    Attributes
    ----------
    heads : (22, 3) rest positions, NaN where unmapped.
    to_rig : (4,) rotation from the engine's axes to the rig's.
    align : (22, 4) rotations from the rest pose to the T-pose.
    scale : length of the rig's legs over the source's.
    ground : the floor under the rig.
    stand : height of the pelvis over the floor in the T-pose.
    feet : (2, 3) from left and right ankle to what of the foot touches the floor in front, at rest.
    """

    heads: Array
    to_rig: Array
    align: Array
    scale: float
    ground: feet.Ground
    stand: float
    feet: Array


def measure(rig: RestRig) -> Target:
    """Read axes, T-pose, size and floor off a rest pose.

    Raises
    ------
    ValueError
        If the legs have no length.
    """
    heads = rig.heads()
    to_rig = engine_to_rig(heads)
    align = rest_to_t_pose(heads, to_rig)
    thighs = [heads[knee] - heads[hip] for hip, knee, _, _ in feet.LEGS]
    shins = [heads[ankle] - heads[knee] for _, knee, ankle, _ in feet.LEGS]
    lengths = [np.linalg.norm(t) + np.linalg.norm(s) for t, s in zip(thighs, shins, strict=True)]
    if min(lengths) < 1e-6:
        raise ValueError("The legs of this armature have no length.")
    scale = float(sum(lengths)) / _SOURCE_LEGS
    if rig.carriers is not None:
        heads[J["pelvis"]] = _pelvis_of(heads, to_rig, scale)
    up = quat.rotate(to_rig, np.array([0.0, 1.0, 0.0]))
    ground = feet.target_ground(heads, up, scale, rig.stretch)
    drops = []
    for side, (hip, knee, ankle, _) in enumerate(feet.LEGS):
        leg = (
            quat.rotate(align[J["pelvis"]], heads[hip] - heads[J["pelvis"]])
            + quat.rotate(align[hip], heads[knee] - heads[hip])
            + quat.rotate(align[knee], heads[ankle] - heads[knee])
        )
        drops.append(ground.ankles[side] - leg @ up)
    fronts = [feet.foot_of(heads, rig.foot_tails[side], side, to_rig, scale, ground) for side in (0, 1)]
    return Target(heads, to_rig, align, scale, ground, float(np.mean(drops)), np.array(fronts))


def solve(rig: RestRig, motion: Motion, options: RetargetOptions = DEFAULTS) -> list[Channel]:
    """Channels that play ``motion`` on ``rig``, one value a frame of ``motion``.

    The motion comes with its loop and its travel as wanted (`motion_engine.loop.cycle`).

    Returns
    -------
    list of Channel
        The rotation of each mapped bone in its own rotation mode, the location of what moves the pelvis bone, and
        location and rotation of the root bone or the object where the rig has one to travel.
    """
    target = measure(rig)
    rotations = motion.rotations.astype(float)
    source_turns = skeleton.global_rotations(rotations)
    turns = quat.multiply(
        quat.multiply(target.to_rig, source_turns),
        quat.multiply(quat.conjugate(target.to_rig), target.align),
    )  # (T, 22, 4): A D
    pelvis = _plant(motion, source_turns, target, turns)
    if options.reach_hands:
        joints = skeleton.forward_kinematics(rotations, motion.root.astype(float))
        hands.reach(joints, turns, target.heads, target.align, target.to_rig)
    # a control may turn about another point than the pelvis
    pelvis = pelvis + quat.rotate(turns[:, J["pelvis"]], rig.rest[0, :3, 3] - target.heads[J["pelvis"]])
    root_turn = quat.IDENTITY
    channels: list[Channel] = []
    if rig.root is not None:
        carried = root_motion(rig.root, *_travel(motion, target, options), target.ground.up)
        channels = carried.channels
        pelvis = carried.seen_from(pelvis)
        if rig.root.bone:
            root_turn = carried.turn
        else:
            turns = quat.multiply(quat.conjugate(carried.turn)[:, None], turns)
    away = np.linalg.inv(rig.mover_location)
    location = pelvis @ away[:3, :3].T + away[:3, 3]
    if not rig.mover_locks.any():
        channels.append(Channel(rig.mover, "location", location))
    elif not rig.mover_locks.all():
        free = tuple(int(axis) for axis in np.flatnonzero(~rig.mover_locks))
        channels.append(Channel(rig.mover, "location", location[:, free], free))
    if rig.carriers is not None:
        controls = _controls(rig, rig.carriers, turns, root_turn)
        if rig.ik is not None:
            limbs = {rig.names[i] for i, joint in enumerate(rig.joints) if joint in IK_LIMBS}
            controls = [channel for channel in controls if channel.bone not in limbs]
            seen = quat.multiply(
                quat.conjugate(root_turn)[..., None, :], turns
            )  # from a root bone that travels
            controls += ik_channels(rig.ik, rig.joints, rig.rest, seen, pelvis)
        return channels + controls
    channels += _rotations(rig, turns, root_turn)
    if not channels:
        raise ValueError(
            "All bones are locked, so there is nothing to key. Unlock some in the sidebar's Item tab."
        )
    return channels


def _travel(motion: Motion, target: Target, options: RetargetOptions) -> tuple[Array, Array]:
    """Smooth path (T, 3) in armature space and heading (T,) of the whole body, from nothing."""
    path, yaw = travel.ground_travel(motion, options.loop > 0)
    flat = np.column_stack([path[:, 0], np.zeros(len(path)), path[:, 1]])
    return quat.rotate(target.to_rig, flat) @ target.ground.flat.T, yaw


def _pelvis_of(heads: Array, to_rig: Array, scale: float) -> Array:
    """Where the pelvis joint lies between the hips of a rig whose pelvis control is elsewhere."""
    hips = skeleton.REST_OFFSETS[[J["left_hip"], J["right_hip"]]].mean(axis=0)
    between = 0.5 * (heads[J["left_hip"]] + heads[J["right_hip"]])
    return between - scale * quat.rotate(to_rig, hips)


def _plant(motion: Motion, source_turns: Array, target: Target, turns: Array) -> Array:
    """Pelvis path (T, 3) in armature space; changes the legs' ``turns`` so that the feet land."""
    source = feet.source_ground()
    joints = skeleton.forward_kinematics(motion.rotations.astype(float), motion.root.astype(float))
    up, scale, heads, ground = target.ground.up, target.scale, target.heads, target.ground
    base = heads[J["pelvis"]] - up * (heads[J["pelvis"]] @ up) + up * ground.level

    def place(points: Array, height: Array) -> Array:
        """Source points (T, 3), scaled, at ``height`` over the rig's floor."""
        flat = quat.rotate(target.to_rig, points * (1.0, 0.0, 1.0)) @ ground.flat.T
        return base + flat + height[:, None] * up

    height = target.stand + scale * (joints[:, 0, 1] - skeleton.REST_PELVIS_HEIGHT)
    pelvis = place(joints[:, 0], height)
    goals, limits, drop = [], [], np.zeros(len(joints))
    for side, (hip, knee, ankle, toe) in enumerate(feet.LEGS):
        foot = target.feet[side]
        lift = feet.foot_clearance(joints[:, ankle, 1], joints[:, toe, 1] - joints[:, ankle, 1], source, side)
        lift = scale * (np.maximum(lift, 0.0) if lift.min() > -feet.SUNK else lift)
        goal = place(
            joints[:, ankle], feet.ankle_height(lift, quat.rotate(turns[:, ankle], foot) @ up, ground, side)
        )
        goals.append(goal)
        length = np.linalg.norm(heads[knee] - heads[hip]) + np.linalg.norm(heads[ankle] - heads[knee])
        limit = feet.reach_limit(
            joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee], float(length)
        )
        limits.append(limit)
        away = goal - pelvis - quat.rotate(turns[:, 0], heads[hip] - heads[0])
        below = -(away @ up)
        across = np.sum(away**2, axis=-1) - below**2
        short = below - np.sqrt(np.maximum(limit**2 - across, 0.0))
        standing = motion.contacts[:, 2 * side : 2 * side + 2].any(axis=-1) | (lift < STANDING * scale)
        drop = np.maximum(drop, np.where(standing & (below > 0), short, 0.0))
    if drop.max() > 1e-4 * scale:
        pelvis = pelvis - feet.settle(drop, motion.fps)[:, None] * up
    left = quat.rotate(target.to_rig, np.array([1.0, 0.0, 0.0]))
    for side, (hip, knee, ankle, toe) in enumerate(feet.LEGS):
        goal, limit = goals[side], limits[side]
        thigh = quat.rotate(turns[:, hip], heads[knee] - heads[hip])
        shin = quat.rotate(turns[:, knee], heads[ankle] - heads[knee])
        aligned = quat.multiply(turns[:, hip], quat.conjugate(target.align[hip]))
        hip_at = pelvis + quat.rotate(turns[:, 0], heads[hip] - heads[0])
        turns[:, hip], turns[:, knee] = feet.bend_leg(
            thigh, shin, turns[:, hip], turns[:, knee], quat.rotate(aligned, left), goal - hip_at, limit
        )
        foot = heads[toe] - heads[ankle]
        if np.isfinite(foot).all():
            ankle_at = (
                hip_at
                + quat.rotate(turns[:, hip], heads[knee] - heads[hip])
                + quat.rotate(turns[:, knee], heads[ankle] - heads[knee])
            )
            toe_at = (ankle_at + quat.rotate(turns[:, ankle], foot)) @ up - ground.level
            tip = feet.toes_of(foot - up * (foot @ up), side, target.to_rig)
            turns[:, toe] = feet.flatten_toes(turns[:, toe], tip, toe_at - ground.toes[side], up)
    return pelvis


def _rotations(rig: RestRig, turns: Array, root_turn: Array) -> list[Channel]:
    """Rotation channels of the mapped bones from rotations (T, 22, 4) relative to the rest pose.

    ``root_turn`` (T, 4) or (4,) is what the root bone adds to them all.
    """
    rest = quat.from_matrix(rig.rest[:, :3, :3])
    shares = sharing.plan(rig)
    channels = []
    deltas: list[Array] = []  # rotation of each bone relative to its rest pose, in armature space
    for bone, joint in enumerate(rig.joints):
        parent = rig.parents[bone]
        if not rig.inherit[bone]:
            carried = quat.IDENTITY
        else:
            carried = quat.multiply(root_turn, rig.root_parent) if parent < 0 else deltas[parent]
        frame = quat.multiply(carried, rest[bone])
        if bone in shares:
            turn = shares[bone].turn(turns)
        elif joint < 0:
            own = quat.multiply(quat.multiply(frame, rig.pose[bone]), quat.conjugate(rest[bone]))
            deltas.append(own)
            continue
        else:
            turn = turns[:, joint]
        local = quat.multiply(quat.conjugate(frame), quat.multiply(turn, rest[bone]))
        if rig.locks[bone].any():
            channel, local = locked_rotation(
                rig.names[bone], rig.modes[bone], local, rig.locks[bone], rig.pose[bone]
            )
            channels += [channel] if channel is not None else []
            # what hangs on it makes up for it
            deltas.append(quat.multiply(quat.multiply(frame, local), quat.conjugate(rest[bone])))
            continue
        deltas.append(turn)
        channels.append(rotation_channel(rig.names[bone], rig.modes[bone], local))
    return channels


def _controls(rig: RestRig, carriers: Carriers, turns: Array, root_turn: Array) -> list[Channel]:
    """Rotation channels of controls from rotations (T, 22, 4) relative to the rest pose; see `_rotations`."""
    rest = quat.from_matrix(rig.rest[:, :3, :3])
    wanted = [*(turns[:, joint] for joint in rig.joints), np.broadcast_to(root_turn, turns[:, 0].shape)]
    channels = []
    for control, turn in enumerate(wanted[:-1]):
        frame = quat.multiply(carriers.inherited(control, wanted), rest[control])
        local = quat.multiply(quat.conjugate(frame), quat.multiply(turn, rest[control]))
        channels.append(rotation_channel(rig.names[control], rig.modes[control], local))
    return channels
