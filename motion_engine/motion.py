# SPDX-License-Identifier: GPL-3.0-or-later
"""`Motion`: what every part of the engine hands to the next."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.contacts import detect_contacts

Array = NDArray[np.floating]


@dataclass
class Motion:
    """A clip on the SMPL-22 skeleton.

    Attributes
    ----------
    joints : float32 (T, 22, 3)
        Metres, +Y up; frame 0 faces +Z with the pelvis at x = z = 0.
    rotations : float32 (T, 22, 4)
        Unit quaternions (w, x, y, z) local to the parent, relative to the T-pose; element 0 orients the root.
    root : float32 (T, 3)
        Pelvis position in metres.
    contacts : bool (T, 4)
        Left ankle, left toe, right ankle, right toe on the floor.
    fps : float
        Frames a second.
    provenance : dict
        How it was made: prompt, seed, sampler, steps, guidance, bundle, scores. JSON values only.
    """

    joints: Array
    rotations: Array
    root: Array
    contacts: NDArray[np.bool_]
    fps: float
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.joints = np.ascontiguousarray(self.joints, dtype=np.float32)
        self.rotations = np.ascontiguousarray(self.rotations, dtype=np.float32)
        self.root = np.ascontiguousarray(self.root, dtype=np.float32)
        self.contacts = np.ascontiguousarray(self.contacts, dtype=bool)
        n = len(self.joints)
        for name, expected in (
            ("joints", (n, 22, 3)), ("rotations", (n, 22, 4)), ("root", (n, 3)), ("contacts", (n, 4)),
        ):  # fmt: skip
            found = getattr(self, name).shape
            if found != expected:
                raise ValueError(f"Motion.{name} has shape {found}, expected {expected}.")
        if n == 0:
            raise ValueError("A motion needs at least one frame.")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"The frame rate must be a positive number, not {self.fps}.")
        for name in ("joints", "rotations", "root"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"Motion.{name} contains NaN or infinite numbers.")

    @classmethod
    def from_rotations(
        cls,
        rotations: Array,
        root: Array,
        fps: float,
        provenance: dict[str, Any] | None = None,
        contacts: NDArray[np.bool_] | None = None,
    ) -> Motion:
        """Build from local rotations (T, 22, 4) and pelvis path (T, 3); contacts are detected when not given."""
        rotations = quat.make_continuous(quat.normalize(np.asarray(rotations, dtype=float)))
        root = np.asarray(root, dtype=float)
        joints = skeleton.forward_kinematics(rotations, root)
        if contacts is None:
            contacts = detect_contacts(joints, fps)
        return cls(joints, rotations, root, contacts, float(fps), dict(provenance or {}))

    @property
    def n_frames(self) -> int:
        """Number of frames T."""
        return len(self.joints)

    @property
    def duration(self) -> float:
        """Length in seconds: the number of frames over the rate."""
        return self.n_frames / self.fps

    def canonical(self) -> Motion:
        """The same clip turned and shifted so that frame 0 faces +Z with the pelvis at x = z = 0."""
        joints = self.joints[:1].astype(float)
        front = skeleton.facing(joints)[0]
        yaw = -np.arctan2(front[0], front[2])
        start = joints[0, 0] * np.array([1.0, 0.0, 1.0])
        return self.placed(-quat.rotate(quat.about_axis(1, yaw), start), yaw)

    def placed(self, place: Array, yaw: float) -> Motion:
        """The same clip, turned by ``yaw`` radians about +Y and then moved by ``place`` (3,) metres."""
        turn = quat.about_axis(1, yaw)
        joints = quat.rotate(turn, self.joints.astype(float)) + place
        rotations = self.rotations.astype(float)
        rotations[:, 0] = quat.multiply(turn, rotations[:, 0])
        return Motion(joints, rotations, joints[:, 0], self.contacts, self.fps, self.provenance)

    def resample(self, fps: float) -> Motion:
        """The same clip at another rate: slerp for rotations, a cubic (Catmull-Rom) for the root.

        The last source frame is the last instant: the result has ``floor((T - 1) * fps / self.fps) + 1`` frames.
        """
        if not (np.isfinite(fps) and fps > 0):
            raise ValueError(f"The frame rate must be a positive number, not {fps}.")
        if fps == self.fps:
            return copy.deepcopy(self)
        n = self.n_frames
        time = np.arange(int(np.floor((n - 1) * fps / self.fps + 1e-6)) + 1) * (self.fps / fps)
        left = np.minimum(time.astype(int), max(n - 2, 0))
        right = np.minimum(left + 1, n - 1)
        t = time - left
        rotations = quat.slerp(
            self.rotations[left].astype(float), self.rotations[right].astype(float), t[:, None]
        )
        root = _catmull_rom(self.root.astype(float), left, t)
        contacts = self.contacts[np.minimum(np.round(time).astype(int), n - 1)]
        return Motion.from_rotations(rotations, root, fps, copy.deepcopy(self.provenance), contacts)

    def mirrored(self) -> Motion:
        """Left and right exchanged, as in a mirror across the plane x = 0."""
        flip = np.array([1.0, 1.0, -1.0, -1.0])
        rotations = self.rotations[:, skeleton.MIRROR] * flip
        root = self.root * np.array([-1.0, 1.0, 1.0])
        contacts = self.contacts[:, [2, 3, 0, 1]]
        return Motion.from_rotations(rotations, root, self.fps, copy.deepcopy(self.provenance), contacts)

    def trim(self, start: float, end: float) -> Motion:
        """The part from ``start`` to ``end`` seconds, canonical again.

        Raises
        ------
        ValueError
            If the interval is empty or lies outside the clip.
        """
        first, last = round(start * self.fps), round(end * self.fps)
        if not 0 <= first < last <= self.n_frames:
            raise ValueError(
                f"Cannot trim to {start:g}-{end:g} s: the clip runs from 0 to {self.duration:g} s."
            )
        part = slice(first, last)
        return Motion(
            self.joints[part], self.rotations[part], self.root[part], self.contacts[part], self.fps,
            copy.deepcopy(self.provenance),
        ).canonical()  # fmt: skip


def _catmull_rom(points: Array, left: NDArray[np.integer], t: Array) -> Array:
    """Cubic through ``points`` (T, 3) at index ``left`` + ``t``; the ends are continued in a straight line."""
    if len(points) < 2:
        return points[left]
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    p0, p1, p2, p3 = (padded[left + shift] for shift in range(4))
    t = t[:, None]
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
