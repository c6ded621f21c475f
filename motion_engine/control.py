# SPDX-License-Identifier: GPL-3.0-or-later
"""`Controls`: where joints have to be at which times, and how a control file is read.

All positions are metres in the frame of the clip that is made: +Y up, the floor at y = 0, frame 0 faces +Z with the
pelvis at x = z = 0. A file (or request) whose numbers come from a scene may say where in that scene the clip starts::

    {"start": {"position": [3.0, 1.0], "yaw": 90},
     "controls": [
        {"joint": "pelvis", "times": [0, 1, 2], "positions": [[3, 0, 1], [4, 0, 1], [5, 0, 1.5]], "axes": "xz"},
        {"joint": "right_wrist", "times": [1.5], "positions": [[4.2, 1.4, 1.3]]},
        {"pose": [[x, y, z], ... 22 joints in SMPL order], "time": 0}]}

``position`` is x and z of the ground under the pelvis, ``yaw`` the facing in degrees from +Z towards +X; the clip
that comes back is still in its own frame. Without ``start`` the file may be just the list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.errors import EngineError

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

MAX_POINTS = 20_000
MAX_SPEED = 25.0
"""m/s: more than the hand of a pitcher; two targets of a joint further apart cannot both be met."""

MAX_DISTANCE = 100.0
"""m from the origin."""

DENSE_SECONDS = 0.1
"""Times closer than this are samples of one curve, read off at the clip's frames; others go to the nearest frame."""

START_TOLERANCE = 0.3
"""m: how far a pelvis target at 0 s may be from x = z = 0 before it is taken for another frame of reference."""

AGREEMENT = 0.02
"""m: two controls may want the same joint at the same time if they agree this well."""

SLACK = 1.1
"""Share of the skeleton's reach that two joints of one frame may be apart: bodies differ a little."""


@dataclass(frozen=True)
class JointControl:
    """One joint at some times.

    Attributes
    ----------
    joint : index, or a name of `motion_engine.skeleton.JOINT_NAMES`.
    times : (n,) seconds from the start of the clip.
    positions : (n, 3) metres; coordinates that ``axes`` leaves out are not read.
    axes : which coordinates are wanted; "xz" for a path on the ground.
    """

    joint: int | str
    times: Sequence[float]
    positions: Any
    axes: str = "xyz"


@dataclass(frozen=True)
class PoseControl:
    """All 22 joints at one time: positions (22, 3) in metres, and local rotations (22, 4) where they are known."""

    time: float
    positions: Any
    rotations: Any = None


@dataclass(frozen=True)
class Start:
    """Where the clip starts in the coordinates of its controls: x and z in metres, yaw in degrees from +Z to +X."""

    position: Sequence[float] = (0.0, 0.0)
    yaw: float = 0.0


@dataclass(frozen=True)
class Targets:
    """Controls on the frames of a clip.

    Attributes
    ----------
    positions : (T, 22, 3) metres in the clip's frame; 0 where there is none.
    mask : bool (T, 22, 3).
    poses : local rotations (22, 4) by frame, of the poses that came with them.
    """

    positions: Array
    mask: Mask
    poses: Mapping[int, Array]

    def over(self, n_frames: int) -> Targets:
        """The same targets over ``n_frames``; later frames are free."""
        if n_frames <= len(self.mask):
            return Targets(self.positions[:n_frames], self.mask[:n_frames], self.poses)
        more = ((0, n_frames - len(self.mask)), (0, 0), (0, 0))
        return Targets(np.pad(self.positions, more), np.pad(self.mask, more), self.poses)

    def errors(self, joints: Array) -> Array:
        """Distances (n,) in metres of joints (T, 22, 3) from their targets, over the controlled coordinates."""
        hinted = self.mask.any(axis=-1)
        return np.linalg.norm(np.where(self.mask, joints - self.positions, 0.0)[hinted], axis=-1)


@dataclass(frozen=True)
class Controls:
    """What a motion has to meet. ``refine`` asks for the exact projection after the network."""

    joints: tuple[JointControl, ...] = ()
    poses: tuple[PoseControl, ...] = ()
    start: Start = Start()
    refine: bool = True

    @classmethod
    def from_json(cls, data: Any, start: Any = None, refine: bool = True) -> Controls:
        """From the parsed form of a control file; see the head of this module.

        Raises
        ------
        EngineError
            ``bad_controls`` with a sentence on the first mistake.
        """
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - {"controls", "start", "refine"})
            if unknown or "controls" not in data:
                raise _wrong("The control file must hold 'controls', and may hold 'start' and 'refine'.")
            start, refine, data = data.get("start"), bool(data.get("refine", True)), data["controls"]
        if not isinstance(data, list):
            raise _wrong("Controls must be a list.")
        joints, poses = [], []
        for number, entry in enumerate(data, start=1):
            if (
                isinstance(entry, Mapping)
                and set(entry) <= {"joint", "times", "positions", "axes"}
                and ({"joint", "times", "positions"} <= set(entry))
            ):
                joints.append(
                    JointControl(
                        entry["joint"], entry["times"], entry["positions"], entry.get("axes") or "xyz"
                    )
                )
            elif isinstance(entry, Mapping) and {"pose", "time"} <= set(entry) <= {
                "pose",
                "time",
                "rotations",
            }:
                poses.append(PoseControl(entry["time"], entry["pose"], entry.get("rotations")))
            else:
                raise _wrong(
                    f"Control {number} is neither a joint (joint, times, positions, axes) nor a pose (pose, time)."
                )
        if start is None:
            place = Start()
        elif isinstance(start, Mapping) and set(start) <= {"position", "yaw"}:
            place = Start(start.get("position", (0.0, 0.0)), start.get("yaw", 0.0))
        else:
            raise _wrong("'start' must hold 'position' [x, z] and 'yaw' in degrees.")
        return cls(tuple(joints), tuple(poses), place, refine)

    @classmethod
    def read(cls, path: str | Path) -> Controls:
        """From a JSON file.

        Raises
        ------
        EngineError
            If there is no such file, it is not JSON, or its contents are wrong.
        """
        path = Path(path)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _wrong(f"The control file {path} cannot be read: {error.strerror or error}.") from error
        except ValueError as error:
            raise _wrong(f"The control file {path} is not JSON: {error}.") from error
        return cls.from_json(data)

    def targets(self, n_frames: int, fps: float) -> Targets:
        """The controls on the frames of a clip of ``n_frames``.

        Raises
        ------
        EngineError
            ``bad_controls`` for an unknown joint or axis, shapes that do not fit, NaN, a time outside of the clip, a
            jump that no joint can make, joints of a frame further apart than the body, or two different targets.
        """
        raster = _Raster(n_frames, fps, _numbers(self.start.position, (2,), "start"), self.start.yaw)
        for joint in self.joints:
            raster.add_joint(joint)
        for pose in self.poses:
            raster.add_pose(pose)
        return raster.finish()


class _Raster:
    """Collects targets and checks them as they come."""

    def __init__(self, n_frames: int, fps: float, origin: Array, yaw: Any) -> None:
        self.n_frames, self.fps = n_frames, fps
        self.origin = np.array([origin[0], 0.0, origin[1]])
        self.turn = quat.about_axis(1, -np.deg2rad(float(_numbers([yaw], (1,), "start")[0])))
        self.turned = abs(float(yaw)) > 1e-9
        self.positions = np.zeros((n_frames, skeleton.N_JOINTS, 3))
        self.mask = np.zeros((n_frames, skeleton.N_JOINTS, 3), dtype=bool)
        self.poses: dict[int, Array] = {}
        self.points = 0

    def add_joint(self, control: JointControl) -> None:
        joint = joint_index(control.joint)
        name = skeleton.JOINT_NAMES[joint]
        axes = _axes(control.axes)
        if self.turned and axes[0] != axes[2]:
            raise _wrong(f"With a yaw of the start, the axes of {name} must hold x and z together.")
        times = self._times(control.times, name)
        positions = self._place(_numbers(control.positions, (len(times), 3), name))
        self._count(len(times))
        order = np.argsort(times, kind="stable")
        times, positions = times[order], positions[order]
        gaps = np.diff(times)
        steps = np.linalg.norm(np.diff(positions, axis=0) * axes, axis=-1)
        fast = np.flatnonzero(steps > MAX_SPEED * np.maximum(gaps, 1.0 / self.fps))
        if len(fast):
            at = int(fast[0])
            raise _wrong(
                f"{name} would have to move {steps[at]:.2f} m from {times[at]:g} s to {times[at + 1]:g} s; "
                f"{MAX_SPEED:g} m/s is the most."
            )
        taken = self.mask[:, joint].copy()
        for frame, position in zip(self._frames(times), positions, strict=True):
            self._set(int(frame), joint, position, axes, taken)
        for i in np.flatnonzero(gaps <= DENSE_SECONDS + 1e-9):
            first, last = np.ceil(times[i] * self.fps - 1e-6), np.floor(times[i + 1] * self.fps + 1e-6)
            for frame in range(int(first), min(int(last) + 1, self.n_frames)):
                share = 0.0 if gaps[i] == 0 else (frame / self.fps - times[i]) / gaps[i]
                self._set(frame, joint, positions[i] + share * (positions[i + 1] - positions[i]), axes, taken)

    def add_pose(self, control: PoseControl) -> None:
        positions = self._place(_numbers(control.positions, (skeleton.N_JOINTS, 3), "a pose"))
        frame = int(self._frames(self._times([control.time], "a pose"))[0])
        self._count(skeleton.N_JOINTS)
        for joint in range(skeleton.N_JOINTS):
            self._set(frame, joint, positions[joint], np.ones(3, dtype=bool), self.mask[:, joint].copy())
        if control.rotations is not None:
            rotations = _numbers(control.rotations, (skeleton.N_JOINTS, 4), "the rotations of a pose")
            if (np.abs(np.linalg.norm(rotations, axis=-1) - 1.0) > 1e-2).any():
                raise _wrong("The rotations of a pose must be unit quaternions (w, x, y, z).")
            rotations[0] = quat.multiply(self.turn, rotations[0])
            self.poses[frame] = quat.normalize(rotations)

    def finish(self) -> Targets:
        self._check_start()
        self._check_reach()
        return Targets(self.positions, self.mask, self.poses)

    def _place(self, positions: Array) -> Array:
        if np.abs(positions).max(initial=0.0) > MAX_DISTANCE:
            raise _wrong(
                f"A target is more than {MAX_DISTANCE:g} m from the origin; positions are in metres."
            )
        return quat.rotate(self.turn, positions - self.origin)

    def _times(self, times: Any, name: str) -> Array:
        found = _numbers(times, (len(times) if isinstance(times, Sequence | np.ndarray) else 0,), name)
        if len(found) == 0:
            raise _wrong(f"{name} has no times.")
        duration = self.n_frames / self.fps
        if found.min() < 0 or found.max() > duration + 1e-6:
            outside = found.min() if found.min() < 0 else found.max()
            raise _wrong(f"{name} has a target at {outside:g} s; the clip runs from 0 to {duration:g} s.")
        return found

    def _frames(self, times: Array) -> NDArray[np.integer]:
        return np.minimum(np.round(times * self.fps).astype(int), self.n_frames - 1)

    def _count(self, points: int) -> None:
        self.points += points
        if self.points > MAX_POINTS:
            raise _wrong(f"There are more than {MAX_POINTS} targets.")

    def _set(self, frame: int, joint: int, position: Array, axes: Mask, taken: Mask) -> None:
        """Set what is not ``taken`` (T, 3) by another control; what is must agree."""
        both = taken[frame] & axes
        distance = float(np.linalg.norm((self.positions[frame, joint] - position)[both]))
        if distance > AGREEMENT:
            raise _wrong(
                f"{skeleton.JOINT_NAMES[joint]} has two targets at {frame / self.fps:.2f} s, {distance:.2f} m apart."
            )
        free = axes & ~taken[frame]
        self.positions[frame, joint, free] = position[free]
        self.mask[frame, joint, free] = True

    def _check_start(self) -> None:
        ground = [0, 2]
        away = float(np.linalg.norm(self.positions[0, 0, ground]))
        if self.mask[0, 0, ground].all() and away > START_TOLERANCE:
            x, z = self.positions[0, 0, ground]
            raise EngineError(
                "bad_controls",
                f"At 0 s the pelvis has the target x = {x:.2f}, z = {z:.2f}; a clip starts at x = z = 0, facing +Z.",
                "Say where the clip starts: 'start' with 'position' [x, z] and 'yaw' in degrees.",
            )

    def _check_reach(self) -> None:
        whole = np.asarray(self.mask.all(axis=-1))
        for frame in np.flatnonzero(whole.sum(axis=1) > 1):
            joints = np.flatnonzero(whole[frame])
            points = self.positions[frame, joints]
            apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
            excess = apart - SLACK * _REACH[np.ix_(joints, joints)] - 0.02
            i, j = np.unravel_index(int(excess.argmax()), excess.shape)
            if excess[i, j] > 0:
                raise _wrong(
                    f"At {frame / self.fps:.2f} s {skeleton.JOINT_NAMES[joints[i]]} and "
                    f"{skeleton.JOINT_NAMES[joints[j]]} have targets {apart[i, j]:.2f} m apart; "
                    f"the body allows {_REACH[joints[i], joints[j]]:.2f} m."
                )


def joint_index(joint: int | str) -> int:
    """Index of a joint by name or number.

    Raises
    ------
    EngineError
        If there is no such joint; the sentence lists the names.
    """
    if isinstance(joint, str) and joint in skeleton.JOINT:
        return skeleton.JOINT[joint]
    if isinstance(joint, int) and not isinstance(joint, bool) and 0 <= joint < skeleton.N_JOINTS:
        return joint
    raise EngineError(
        "bad_controls", f"There is no joint {joint!r}.", f"Choose one of {', '.join(skeleton.JOINT_NAMES)}."
    )


def _axes(axes: Any) -> Mask:
    if not isinstance(axes, str) or not axes or set(axes) - set("xyz"):
        raise _wrong(f"The axes {axes!r} are not some of x, y and z.")
    return np.array([letter in axes for letter in "xyz"])


def _numbers(values: Any, shape: tuple[int, ...], what: str) -> Array:
    try:
        found = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise _wrong(f"The numbers of {what} are not a regular list of numbers.") from None
    if found.shape != shape:
        raise _wrong(f"{what} needs numbers of shape {list(shape)}, not {list(found.shape)}.")
    if not np.isfinite(found).all():
        raise _wrong(f"The numbers of {what} contain NaN or infinity.")
    return found


def _reach_table() -> Array:
    """(22, 22) metres: length of the chain of bones between two joints."""
    lengths = np.linalg.norm(skeleton.REST_OFFSETS, axis=-1)
    table = np.zeros((skeleton.N_JOINTS, skeleton.N_JOINTS))
    for a in range(skeleton.N_JOINTS):
        up, total = a, 0.0
        above = {a: 0.0}
        while up > 0:
            total += lengths[up]
            up = int(skeleton.PARENTS[up])
            above[up] = total
        for b in range(skeleton.N_JOINTS):
            up, total = b, 0.0
            while up not in above:
                total += lengths[up]
                up = int(skeleton.PARENTS[up])
            table[a, b] = above[up] + total
    return table


_REACH = _reach_table()


def _wrong(sentence: str) -> EngineError:
    return EngineError("bad_controls", sentence, "See docs/control.md for the form of controls.")
