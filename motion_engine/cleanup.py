# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean-up of a generated clip: the floor is put under the feet, and feet that touch it stay where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.contacts import detect_contacts
from motion_engine.filters import gaussian_filter
from motion_engine.motion import Motion

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

_LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
"""Hip, knee, ankle, toe of the left and of the right leg."""

MAX_FLOOR_SHIFT = 0.15
"""m: a clip further from the floor than this is not standing on it (stairs, a seat), and stays where it is."""

MAX_LOCK = 0.2
"""m: a planted foot is not dragged further than this; a larger error is not a slide but a missed step."""

BLEND_SECONDS = 0.25
"""A correction fades in and out over this time around a contact."""

LIFT_SECONDS = 0.1
"""The vertical part of it fades in this time."""

SUPPORT_SPEED = 0.5
"""m/s: a touching joint counts as the support the more, the slower it is than this."""

CARRY_SECONDS = 0.1
"""Width of the filter on the root's correction by `carry_by_feet`."""

REACH = 0.998
"""Share of the stretched leg that a locked foot may use, so that knees do not snap."""


def put_on_floor(motion: Motion) -> Motion:
    """Shift the clip vertically so that the soles of planted feet are at y = 0."""
    toes = motion.joints[:, [10, 11], 1]
    planted = motion.contacts[:, [1, 3]]
    if not planted.any():
        return motion
    height = float(np.percentile(toes[planted], 10)) - skeleton.TOE_CLEARANCE
    if abs(height) > MAX_FLOOR_SHIFT:
        return motion
    drop = np.array([0.0, height, 0.0], dtype=np.float32)
    return replace(motion, joints=motion.joints - drop, root=motion.root - drop)


def stand_on_floor(motion: Motion) -> Motion:
    """Shift a measured clip of any height so that standing soles touch y = 0; contacts are found anew.

    The floor is under the lowest toes of the clip, a twentieth of it left out as noise.
    """
    lowest = motion.joints[:, [10, 11], 1].min(axis=1)
    drop = np.array([0.0, float(np.percentile(lowest, 5)) - skeleton.TOE_CLEARANCE, 0.0])
    joints = motion.joints - drop
    contacts = detect_contacts(joints, motion.fps, floor=0.0)
    return Motion.from_rotations(
        motion.rotations, motion.root - drop, motion.fps, motion.provenance, contacts
    )


def carry_by_feet(motion: Motion) -> Motion:
    """Let planted feet carry the body: where they slide, the root travels that much less or more.

    A model that moves the root independently of the legs makes the whole body glide. Here the horizontal velocity of
    the support, the touching ankles and toes with the slow ones counting most, is taken off the root's velocity,
    smoothed over a tenth of a second so that steps do not stutter. Frames without contact keep their velocity.
    """
    if motion.n_frames < 2:
        return motion
    feet = motion.joints[:, skeleton.FOOT_JOINTS].astype(float)[..., [0, 2]]
    step = np.diff(feet, axis=0)
    speed = np.linalg.norm(step, axis=-1) * motion.fps
    touching = np.stack([_without_blips(contact) for contact in motion.contacts.T], axis=-1)[:-1]
    weight = touching * (1e-3 + np.exp(-((speed / SUPPORT_SPEED) ** 2)))
    total = weight.sum(axis=1, keepdims=True)
    slide = (weight[..., None] * step).sum(axis=1) / np.where(total > 0, total, 1.0)
    slide = gaussian_filter(slide, CARRY_SECONDS * motion.fps)
    shift = np.zeros((motion.n_frames, 3), dtype=np.float32)
    shift[1:, [0, 2]] = -np.cumsum(slide, axis=0)
    return replace(motion, joints=motion.joints + shift[:, None], root=motion.root + shift)


def lock_feet(motion: Motion) -> Motion:
    """Hold planted feet in place and lift toes out of the floor, by two-bone inverse kinematics of both legs.

    While a toe touches, the toe keeps its place; while only the heel does, the ankle. The correction of each contact
    is the smallest one (it vanishes on average) and fades out over a quarter of a second on both sides. The contacts
    of the result are those that were held: blips of one frame are no contacts.
    """
    joints = motion.joints.astype(float)
    contacts = np.stack([_without_blips(contact) for contact in motion.contacts.T], axis=-1)
    turned = skeleton.global_rotations(motion.rotations.astype(float))
    blend, lift = (max(round(seconds * motion.fps), 1) for seconds in (BLEND_SECONDS, LIFT_SECONDS))
    for side, leg in enumerate(_LEGS):
        ankle, toe = joints[:, leg[2]], joints[:, leg[3]]
        heel_contact, toe_contact = contacts[:, 2 * side], contacts[:, 2 * side + 1]
        corrections = _lock(ankle, toe, heel_contact, toe_contact)
        shift = np.zeros_like(ankle)
        if corrections:
            shift[:, [0, 2]] = _fade([(start, c[:, [0, 2]]) for start, c in corrections], len(ankle), blend)
            # quickly up again: a swinging foot that skims the floor looks like one that slides
            shift[:, 1:2] = _fade([(start, c[:, 1:2]) for start, c in corrections], len(ankle), lift)
        # whatever the contacts say, a toe never goes through the floor
        below = np.maximum(skeleton.TOE_CLEARANCE * 0.5 - (toe[:, 1] + shift[:, 1]), 0.0)
        shift[:, 1] += below
        _bend_leg(turned, joints, leg, ankle + shift)
    return Motion.from_rotations(
        skeleton.local_rotations(turned), motion.root, motion.fps, motion.provenance, contacts
    )


def _without_blips(contact: Mask) -> Mask:
    """Fill gaps of one frame, then drop contacts of one frame."""
    padded = np.pad(contact, 1, mode="edge")
    filled = contact | (padded[:-2] & padded[2:])
    padded = np.pad(filled, 1, mode="edge")
    return filled & (padded[:-2] | padded[2:])


def _segments(mask: Mask) -> list[tuple[int, int]]:
    """First and last frame of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _lock(ankle: Array, toe: Array, heel_contact: Mask, toe_contact: Mask) -> list[tuple[int, Array]]:
    """First frame and displacement (n, 3) of each contact: what keeps the planted part of one foot still."""
    drift = np.zeros_like(toe)
    drift[1:] = np.where(toe_contact[1:, None], toe[1:] - toe[:-1], ankle[1:] - ankle[:-1])
    corrections = []
    for start, end in _segments(heel_contact | toe_contact):
        path = np.cumsum(drift[start : end + 1], axis=0) - drift[start]
        correction = path.mean(axis=0) - path
        toes = np.flatnonzero(toe_contact[start : end + 1])
        if len(toes):
            height = skeleton.TOE_CLEARANCE - toe[start : end + 1, 1]
            correction[:, 1] = np.interp(np.arange(len(path)), toes, height[toes])
        else:
            correction[:, 1] = 0.0
        length = np.linalg.norm(correction, axis=-1, keepdims=True)
        corrections.append((start, correction * np.minimum(1.0, MAX_LOCK / np.maximum(length, 1e-9))))
    return corrections


def _fade(corrections: list[tuple[int, Array]], n_frames: int, blend: int) -> Array:
    """Displacement (T, k) of every frame from those of the contacts, each faded over ``blend`` frames on both sides.

    A swing shorter than two fades goes straight from one correction to the next.
    """
    zero = np.zeros(corrections[0][1].shape[1])
    frames: list[int] = [corrections[0][0] - blend]
    values: list[Array] = [zero]
    for start, correction in corrections:
        if start - frames[-1] > 2 * blend:
            frames += [frames[-1] + blend, start - blend]
            values += [zero, zero]
        frames += range(start, start + len(correction))
        values += list(correction)
    table = np.array([*values, zero])
    frames.append(frames[-1] + blend)
    return np.stack([np.interp(np.arange(n_frames), frames, column) for column in table.T], axis=-1)


def _bend_leg(turned: Array, joints: Array, leg: tuple[int, int, int, int], target: Array) -> None:
    """Turn hip and knee so that the ankle reaches ``target`` (T, 3); the foot keeps its orientation.

    ``turned`` holds world rotations (T, 22, 4) and is changed in place.
    """
    hip, knee, ankle, _ = leg
    thigh = joints[:, knee] - joints[:, hip]
    shin = joints[:, ankle] - joints[:, knee]
    a, b = np.linalg.norm(thigh, axis=-1, keepdims=True), np.linalg.norm(shin, axis=-1, keepdims=True)
    old = joints[:, ankle] - joints[:, hip]
    new = target - joints[:, hip]
    distance = np.linalg.norm(new, axis=-1, keepdims=True)
    reach = np.clip(
        distance,
        np.abs(a - b) + 1e-4,
        np.maximum((a + b) * REACH, np.linalg.norm(old, axis=-1, keepdims=True)),
    )
    direction = new / np.maximum(distance, 1e-9)

    # the knee keeps to the side on which it is bent; a straight leg bends to the front of the thigh
    swing = quat.between(old, new)
    side = quat.rotate(swing, thigh)
    front = quat.rotate(quat.multiply(swing, turned[:, hip]), np.array([0.0, 0.0, 1e-3]))
    side = side + front
    side = quat.normalize(side - direction * np.sum(side * direction, axis=-1, keepdims=True))
    cosine = np.clip((a**2 + reach**2 - b**2) / (2 * a * reach), -1.0, 1.0)
    new_thigh = a * (cosine * direction + np.sqrt(1.0 - cosine**2) * side)
    new_shin = reach * direction - new_thigh

    turn = quat.between(thigh, new_thigh)
    extend = quat.between(quat.rotate(turn, shin), new_shin)
    moved = np.linalg.norm(target - joints[:, ankle], axis=-1, keepdims=True) > 1e-6
    turned[:, hip] = np.where(moved, quat.multiply(turn, turned[:, hip]), turned[:, hip])
    bent = quat.multiply(extend, quat.multiply(turn, turned[:, knee]))
    turned[:, knee] = np.where(moved, bent, turned[:, knee])
