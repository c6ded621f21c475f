# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for the IK controls of a rig that give the pose which its FK controls would give.

The solved rotations say where every joint of the FK chains lies. A hand's or foot's IK control goes where that hand
or foot goes, as one rigid body; a pole goes to where the elbow or knee points (`swivel`). What moves an IK control
besides its own channels (a parent switch, the foot below the toes) is read off one pose of the rig, as rotations are
in `carriers`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton

from .channels import Channel, rotation_channel
from .swivel import BESIDE_NOTHING, Swivel, find_swivel, pole_path

Array = NDArray[np.floating]

J = skeleton.JOINT

LIMBS = tuple(
    tuple(J[f"{side}_{part}"] for part in parts)
    for side in ("left", "right")
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
"""Root, middle and end of the four limbs that have IK controls."""

IK_LIMBS = frozenset(joint for limb in LIMBS for joint in limb) | {J["left_foot"], J["right_foot"]}
"""Joints whose FK controls get no keys when IK controls do."""

FOLLOWS = 1e-3
"""Part of the rig's size by which a control may miss the body that is thought to carry it."""


@dataclass(frozen=True)
class Pole:
    """The joints, as SMPL-22 indices, of the limb whose bend a pole control directs."""

    root: int
    middle: int
    end: int


@dataclass(frozen=True)
class Bodies:
    """Controls as rigid bodies: first the n FK controls, then the m IK controls; all in armature space.

    Attributes
    ----------
    still : (n + m, 4, 4) their matrices with all keyed channels at rest.
    carrier : int (n + m,), the body that each is carried by, -1 for none.
    miss : (n + m,) how far from it, in armature units, the control was found where its carrier would have it.
    axes : (m, 3, 3) where a location on an IK control moves it, with all keyed channels at rest.
    """

    still: Array
    carrier: NDArray[np.integer]
    miss: Array
    axes: Array


@dataclass(frozen=True)
class IkControls:
    """The IK controls of a rig.

    Attributes
    ----------
    names, modes : of m controls, Blender's rotation modes.
    joints : int (m,), the joint with which a control moves; -1 for poles.
    poles : m poles, None for the other controls.
    swivels : m, of the poles.
    fixed : m, whether a control is an FK control that its carrier takes along, so that it gets no location.
    rest : (m, 4, 4) rest matrices.
    bodies : what carries them and the FK controls.
    """

    names: list[str]
    modes: list[str]
    joints: list[int]
    poles: list[Pole | None]
    swivels: list[Swivel | None]
    fixed: list[bool]
    rest: Array
    bodies: Bodies


def find_bodies(
    still: Array, moved: Array, rotations: Array, locations: Array, axes: Array, depth: NDArray[np.integer]
) -> Bodies:
    """Explain how the posed controls came where they are.

    Parameters
    ----------
    still, moved : (n + m, 4, 4) matrices with all channels at rest and with the probe's channels.
    rotations, locations : (n + m, 4) and (n + m, 3) the probe's channels.
    axes : (m, 3, 3) as in `Bodies`.
    depth : (n + m,) of the controls in the rig; an FK control is carried by such as lie less deep.
    """
    total, m = len(still), len(axes)
    n = total - m
    moves = moved @ np.linalg.inv(still)
    moves = np.concatenate([moves, np.eye(4)[None]])  # the last one: carried by nothing
    heads = np.einsum("cij,kj->cki", moves, still[:, :, 3])[..., :3]
    pushed = np.einsum("mij,mj->mi", axes, locations[n:])
    heads[:, n:] += np.einsum("cij,mj->cmi", moves[:, :3, :3], pushed)
    miss = np.linalg.norm(heads - moved[None, :, :3, 3], axis=-1)
    # an IK control has to be turned as its carrier is, too: half a degree counts as much as FOLLOWS
    size = float(np.ptp(still[:, :3, 3], axis=0).max())
    local = still[n:, :3, :3] @ quat.to_matrix(rotations[n:])
    turned = np.einsum("cij,mjk->cmik", moves[:, :3, :3], local) - moved[None, n:, :3, :3]
    miss[:, n:] += np.abs(turned).max(axis=(-1, -2)) * size * FOLLOWS / np.radians(0.5)
    for k in range(total):
        miss[k, k] = np.inf
        if k < n:
            miss[:n, k][depth[:n] >= depth[k]] = np.inf
            miss[n:total, k] = np.inf
    carrier = miss.argmin(axis=0)
    return Bodies(still, np.where(carrier == total, -1, carrier), miss[carrier, np.arange(total)], axes)


def unexplained(ik: IkControls, needed: NDArray[np.integer]) -> list[int]:
    """Bodies, the ``needed`` FK controls and all IK controls, of which nothing says how they move."""
    n = len(ik.bodies.still) - len(ik.names)
    size = float(np.ptp(ik.bodies.still[:, :3, 3], axis=0).max())
    asked = [*needed, *range(n, len(ik.bodies.still))]
    return [int(k) for k in asked if ik.bodies.miss[k] > FOLLOWS * size]


def find_swivels(
    ik: IkControls, joints: NDArray[np.integer], rest: Array, poses: Array, seen: list[Array]
) -> None:
    """Measure how the limbs bend beside their poles; fills ``ik.swivels`` and leaves None where a limb is not as told.

    Parameters
    ----------
    joints, rest : as in `ik_channels`.
    poses : (p, n + m, 4, 4) matrices of the FK and the IK controls in p poses, the limbs on IK.
    seen : for each of the m controls (p, c, 3), places of the bones that are at the middle joint of its limb at rest.
    """
    n = len(joints)
    body_of = {int(joint): k for k, joint in enumerate(joints)}
    end_of = {joint: n + i for i, joint in enumerate(ik.joints)}
    for i, pole in enumerate(ik.poles):
        if pole is None or pole.end not in end_of:
            continue
        root, middle, end = (rest[body_of[joint], :3, 3] for joint in (pole.root, pole.middle, pole.end))
        k = end_of[pole.end]
        moves = poses[:, k] @ np.linalg.inv(ik.rest[k - n])
        ik.swivels[i] = find_swivel(
            poses[:, body_of[pole.root], :3, 3], moves[:, :3, :3] @ end + moves[:, :3, 3], poses[:, n + i, :3, 3],
            seen[i], float(np.linalg.norm(middle - root)), float(np.linalg.norm(end - middle)),
        )  # fmt: skip


def ik_channels(
    ik: IkControls, joints: NDArray[np.integer], rest: Array, turns: Array, pelvis: Array
) -> list[Channel]:
    """Location and rotation of the IK controls.

    Parameters
    ----------
    joints, rest : (n,) and (n, 4, 4) joints and rest matrices of the FK controls, the pelvis first.
    turns : (T, 22, 4) rotations of the joints relative to the rest pose.
    pelvis : (T, 3) path of the pelvis control's head.
    """
    n = len(joints)
    still, carrier = ik.bodies.still, ik.bodies.carrier
    still_turns = quat.from_matrix(still[:, :3, :3])
    rest_turns = quat.from_matrix(rest[:, :3, :3])
    motions: dict[int, tuple[Array, Array]] = {}  # body -> rotation and head (T, 4), (T, 3) in armature space

    def moved(body: int, point: Array) -> tuple[Array, Array]:
        """Rotation since the still pose, and where a point of the still pose went."""
        if body < 0:
            return quat.IDENTITY, point
        turn, head = motions[body]
        turn = quat.multiply(turn, quat.conjugate(still_turns[body]))
        return turn, head + quat.rotate(turn, point - still[body, :3, 3])

    for k in sorted(range(n), key=lambda k: _depth(carrier, k)):
        head = pelvis if k == 0 else moved(carrier[k], still[k, :3, 3])[1]
        motions[k] = quat.multiply(turns[:, joints[k]], rest_turns[k]), np.broadcast_to(head, pelvis.shape)
    body_of = {int(joint): k for k, joint in enumerate(joints)}

    def place(joint: int) -> Array:
        return motions[body_of[joint]][1]

    order = sorted(range(len(ik.names)), key=lambda i: _depth(carrier, n + i))
    channels = []
    for i in order:
        k, pole, own = n + i, ik.poles[i], ik.rest[i]
        frame_turn, frame_head = moved(carrier[k], still[k, :3, 3])
        if pole is None:
            joint = ik.joints[i]
            turn = turns[:, joint]
            head = place(joint) + quat.rotate(turn, own[:3, 3] - rest[body_of[joint], :3, 3])
            if ik.fixed[i]:
                head = np.broadcast_to(frame_head, pelvis.shape)
            motions[k] = quat.multiply(turn, quat.from_matrix(own[:3, :3])), head
            local = quat.multiply(quat.conjugate(quat.multiply(frame_turn, still_turns[k])), motions[k][0])
            channels.append(rotation_channel(ik.names[i], ik.modes[i], local))
        else:
            ends = place(pole.root), place(pole.middle), place(pole.end)
            aside = own[:3, 3] - rest[body_of[pole.middle], :3, 3]
            swivel = ik.swivels[i] or BESIDE_NOTHING
            head = pole_path(*ends, quat.rotate(turns[:, pole.root], aside), swivel)
            motions[k] = np.broadcast_to(quat.multiply(frame_turn, still_turns[k]), (len(head), 4)), head
        if ik.fixed[i]:
            continue
        away = quat.rotate(quat.conjugate(frame_turn), motions[k][1] - frame_head)
        channels.append(Channel(ik.names[i], "location", away @ np.linalg.inv(ik.bodies.axes[i]).T))
    return channels


def _depth(carrier: NDArray[np.integer], body: int) -> int:
    """How many bodies carry one another up to this one."""
    depth = 0
    while body >= 0 and depth <= len(carrier):
        body, depth = int(carrier[body]), depth + 1
    return depth
