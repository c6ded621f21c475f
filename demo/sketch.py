# SPDX-License-Identifier: GPL-3.0-or-later
"""A sketch of a clip's poses for machines without Blender, drawn with Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from motion_engine import skeleton
from motion_engine.motion import Motion

POSES = 6
SIZE = (1500, 640)
SCALE = 3  # drawn larger, then shrunk: smooth edges
TURN = np.radians(35.0)
BACKGROUND, SHADOW = (176, 179, 184), (158, 161, 167)
LEFT, RIGHT, MIDDLE = (52, 92, 138), (176, 92, 52), (68, 70, 76)


def limb_colour(name: str) -> tuple[int, int, int]:
    """Return the colour of a joint's limb: left blue, right orange, the trunk grey."""
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE


def draw_sheet(motion: Motion, path: Path) -> None:
    """Draw `POSES` moments of `motion` side by side, left to right, into one PNG.

    Parameters
    ----------
    motion : Motion
    path : Path
        Where the PNG goes; written under a temporary name first.
    """
    width, height = SIZE[0] * SCALE, SIZE[1] * SCALE
    picture = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    moments = np.linspace(0, motion.n_frames - 1, 2 * POSES + 1)[1::2].round().astype(int)
    joints = motion.joints[moments].astype(float)
    joints -= joints[:, :1] * np.array([1.0, 0.0, 1.0])
    x = joints[..., 0] * np.cos(TURN) + joints[..., 2] * np.sin(TURN)
    depth = joints[..., 2] * np.cos(TURN) - joints[..., 0] * np.sin(TURN)
    metre = height / max(2.3, float(joints[..., 1].max()) + 0.5)
    floor = height - 0.22 * metre
    for index in range(POSES):
        middle = width * (index + 0.5) / POSES
        across = middle + x[index] * metre
        down = floor - joints[index, :, 1] * metre + 0.12 * depth[index] * metre
        reach = 0.3 * metre
        pen.ellipse((middle - reach, floor - reach / 5, middle + reach, floor + reach / 5), fill=SHADOW)
        for joint in np.argsort(depth[index]):
            parent = int(skeleton.PARENTS[joint])
            if parent < 0:
                continue
            thick = (0.11 if skeleton.JOINT_NAMES[joint].startswith("spine") else 0.065) * metre
            colour = limb_colour(skeleton.JOINT_NAMES[joint])
            ends = [(across[parent], down[parent]), (across[joint], down[joint])]
            pen.line(ends, fill=colour, width=int(thick))
            for cx, cy in ends:
                pen.ellipse((cx - thick / 2, cy - thick / 2, cx + thick / 2, cy + thick / 2), fill=colour)
        head = skeleton.JOINT_NAMES.index("head")
        r = 0.11 * metre
        cy = down[head] - 0.06 * metre
        pen.ellipse((across[head] - r, cy - 1.2 * r, across[head] + r, cy + 1.2 * r), fill=MIDDLE)
    partial = path.with_name(path.name + ".part")
    picture.resize(SIZE, Image.Resampling.LANCZOS).save(partial, format="PNG")
    partial.replace(path)
