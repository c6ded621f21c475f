# SPDX-License-Identifier: GPL-3.0-or-later
"""Biovision hierarchy files: any skeleton in, the SMPL-22 skeleton out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

Array = NDArray[np.floating]

CENTIMETRES = 100.0
_END_SITES = {
    10: (0.0, -0.01, 0.06),
    11: (0.0, -0.01, 0.06),
    15: (0.0, 0.15, 0.03),
    20: (0.17, 0.0, 0.0),
    21: (-0.17, 0.0, 0.0),
}


@dataclass
class BvhClip:
    """What a BVH file holds, in the file's own units and axes.

    Attributes
    ----------
    names : joint names, parents before children (End Sites left out).
    parents : index of each joint's parent, -1 for the root.
    offsets : (J, 3) rest offsets.
    positions : (T, J, 3) local positions: the offsets, or the position channels where a joint has them.
    rotations : (T, J, 4) local rotations.
    fps : frames a second.
    """

    names: list[str]
    parents: NDArray[np.integer]
    offsets: Array
    positions: Array
    rotations: Array
    fps: float

    def world(self) -> tuple[Array, Array]:
        """World positions (T, J, 3) and rotations (T, J, 4)."""
        positions, rotations = self.positions.copy(), self.rotations.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                rotations[:, joint] = quat.multiply(rotations[:, parent], self.rotations[:, joint])
                positions[:, joint] = positions[:, parent] + quat.rotate(
                    rotations[:, parent], self.positions[:, joint]
                )
        return positions, rotations


def read(path: str | Path) -> BvhClip:
    """Parse a BVH file.

    Raises
    ------
    ValueError
        With the file's name and what is wrong: not a BVH, truncated, NaN, a frame time of zero.
    """
    name = Path(path).name
    try:
        head, motion = Path(path).read_text(encoding="utf-8", errors="replace").split("MOTION", 1)
    except ValueError:
        raise ValueError(f"{name} is not a BVH file: it has no MOTION section.") from None
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    in_end_site = False
    try:
        for line in head.splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] in ("ROOT", "JOINT"):
                names.append(" ".join(words[1:]))
                parents.append(stack[-1] if stack else -1)
                channels.append([])
                offsets.append([0.0, 0.0, 0.0])
            elif words[0] == "End":
                in_end_site = True
            elif words[0] == "{":
                stack.append(-2 if in_end_site else len(names) - 1)
            elif words[0] == "}":
                in_end_site = in_end_site and stack[-1] != -2
                stack.pop()
            elif words[0] == "OFFSET" and not in_end_site:
                offsets[-1] = [float(word) for word in words[1:4]]
            elif words[0] == "CHANNELS":
                channels[-1] = words[2:]
        lines = motion.strip().splitlines()
        n_frames = int(lines[0].split(":")[1])
        frame_time = float(lines[1].split(":")[1])
        values = np.loadtxt(io.StringIO("\n".join(lines[2:])), ndmin=2) if n_frames else np.zeros((0, 0))
    except (IndexError, ValueError) as error:
        raise ValueError(f"{name} is a damaged BVH file: {error}.") from error
    n_channels = sum(len(c) for c in channels)
    if not names or n_frames < 1 or values.shape != (n_frames, n_channels):
        raise ValueError(
            f"{name} is a damaged BVH file: it promises {n_frames} frames of {n_channels} numbers, "
            f"and holds {values.shape}."
        )
    if not np.isfinite(values).all() or not frame_time > 0:
        raise ValueError(f"{name} is a damaged BVH file: NaN or infinite numbers, or no frame time.")

    rest = np.array(offsets)
    positions = np.broadcast_to(rest, (n_frames, *rest.shape)).copy()
    rotations = np.broadcast_to(quat.IDENTITY, (n_frames, len(names), 4)).copy()
    column = 0
    for joint, joint_channels in enumerate(channels):
        for channel in joint_channels:
            axis = "XYZ".index(channel[0].upper())
            if channel[1:].lower() == "position":
                positions[:, joint, axis] = values[:, column]
            else:
                turn = quat.about_axis(axis, np.radians(values[:, column]))
                rotations[:, joint] = quat.multiply(rotations[:, joint], turn)
            column += 1
    return BvhClip(names, np.array(parents), rest, positions, rotations, 1.0 / frame_time)


def joint_names(path: str | Path) -> list[str]:
    """Names of the joints of a BVH file; its motion is not read."""
    names = []
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split()
            if words and words[0] == "MOTION":
                break
            if words and words[0] in ("ROOT", "JOINT"):
                names.append(" ".join(words[1:]))
    return names


def load(path: str | Path) -> Motion:
    """Read a BVH whose joints carry the 22 SMPL names and whose zero pose is the T-pose, in centimetres.

    Bones take the lengths of the neutral skeleton; a file that `save` wrote comes back as it was.

    Raises
    ------
    ValueError
        Names the joints that are missing.
    """
    clip = read(path)
    missing = [name for name in skeleton.JOINT_NAMES if name not in clip.names]
    if missing:
        raise ValueError(f"{Path(path).name} lacks the joints {', '.join(missing)}.")
    order = [clip.names.index(name) for name in skeleton.JOINT_NAMES]
    positions, rotations = clip.world()
    root = positions[:, order[0]] / CENTIMETRES
    local = skeleton.local_rotations(rotations[:, order])
    return Motion.from_rotations(local, root, clip.fps)


def save(motion: Motion, path: str | Path) -> None:
    """Write centimetres, +Y up, channels Z X Y; the zero pose is the T-pose."""
    lines = ["HIERARCHY"]
    order = _describe(0, 0, lines)
    angles = np.degrees(quat.to_euler(motion.rotations.astype(float), "ZXY"))
    angles = np.degrees(np.unwrap(np.radians(angles), axis=0))[:, order].reshape(motion.n_frames, -1)
    values = np.concatenate([motion.root * CENTIMETRES, angles], axis=1)
    lines += ["MOTION", f"Frames: {motion.n_frames}", f"Frame Time: {1.0 / motion.fps:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
    with replacing(path) as file:
        file.write(("\n".join(lines) + "\n").encode("ascii"))


def _describe(joint: int, depth: int, lines: list[str]) -> list[int]:
    """Append the hierarchy under ``joint``; returns the joints in the order of their channels."""
    indent = "\t" * depth
    x, y, z = skeleton.REST_OFFSETS[joint] * CENTIMETRES
    lines.append(f"{indent}{'JOINT' if depth else 'ROOT'} {skeleton.JOINT_NAMES[joint]}")
    lines += [f"{indent}{{", f"{indent}\tOFFSET {x:.4f} {y:.4f} {z:.4f}"]
    position = "" if depth else "Xposition Yposition Zposition "
    lines.append(f"{indent}\tCHANNELS {3 if depth else 6} {position}Zrotation Xrotation Yrotation")
    order = [joint]
    for child in np.flatnonzero(joint == skeleton.PARENTS):
        order += _describe(int(child), depth + 1, lines)
    if joint in _END_SITES:
        x, y, z = np.array(_END_SITES[joint]) * CENTIMETRES
        lines += [
            f"{indent}\tEnd Site",
            f"{indent}\t{{",
            f"{indent}\t\tOFFSET {x:.4f} {y:.4f} {z:.4f}",
            f"{indent}\t}}",
        ]
    lines.append(f"{indent}}}")
    return order
