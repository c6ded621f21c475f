# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: motions as rows of stick figures, to be looked at before a score is believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion_engine import skeleton
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

Array = NDArray[np.floating]

CELL = 118
TITLE = 18
SCALE = 52.0
"""Pixels a metre."""

_LEFT, _RIGHT, _MIDDLE, _PATH = (214, 72, 60), (44, 98, 190), (60, 60, 66), (60, 160, 90)
_COLOURS = [
    _LEFT if name.startswith("left") else _RIGHT if name.startswith("right") else _MIDDLE
    for name in skeleton.JOINT_NAMES
]


def contact_sheet(
    motions: Sequence[Motion], titles: Sequence[str], n_poses: int = 10, view: float = 35.0
) -> Image.Image:
    """One row a motion: ``n_poses`` poses evenly in time, then the path of the pelvis from above.

    Left limbs are red, right ones blue. Poses are seen from ``view`` degrees to the left of the front, each centred on
    its pelvis; the line is the floor; the figures under a pose are its time and its height of the pelvis.
    """
    font = ImageFont.load_default()
    height = CELL + TITLE
    sheet = Image.new("RGB", ((n_poses + 1) * CELL, height * len(motions)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (motion, title) in enumerate(zip(motions, titles, strict=True)):
        top = row * height
        draw.rectangle((0, top, sheet.width, top + TITLE - 2), fill=(236, 238, 242))
        draw.text((6, top + 3), title, fill="black", font=font)
        for column, frame in enumerate(np.linspace(0, motion.n_frames - 1, n_poses).round().astype(int)):
            _draw_pose(draw, motion.joints[frame], column * CELL, top + TITLE, view)
            draw.text(
                (column * CELL + 4, top + height - 12),
                f"{frame / motion.fps:.1f}",
                fill=(140, 140, 140),
                font=font,
            )
        _draw_path(draw, motion, n_poses * CELL, top + TITLE)
    return sheet


def save_contact_sheet(
    motions: Sequence[Motion], titles: Sequence[str], path: Path, n_poses: int = 10
) -> None:
    """Write a PNG."""
    with replacing(path) as file:
        contact_sheet(motions, titles, n_poses).save(file, format="PNG")


def _draw_pose(draw: ImageDraw.ImageDraw, joints: Array, left: int, top: int, view: float) -> None:
    angle = np.radians(view)
    centred = joints - joints[0] * np.array([1.0, 0.0, 1.0])
    # seen from the front the body's left is on the right of the picture
    across = centred[:, 0] * np.cos(angle) - centred[:, 2] * np.sin(angle)
    depth = centred[:, 0] * np.sin(angle) + centred[:, 2] * np.cos(angle)
    floor = top + CELL - 18
    x = left + CELL / 2 + across * SCALE
    y = floor - centred[:, 1] * SCALE + depth * SCALE * 0.12
    draw.line((left + 6, floor, left + CELL - 6, floor), fill=(200, 200, 200))
    for joint in np.argsort(depth[1:]) + 1:
        parent = skeleton.PARENTS[joint]
        draw.line((x[parent], y[parent], x[joint], y[joint]), fill=_COLOURS[joint], width=3)
    draw.ellipse((x[15] - 5, y[15] - 8, x[15] + 5, y[15] + 2), fill=_MIDDLE)


def _draw_path(draw: ImageDraw.ImageDraw, motion: Motion, left: int, top: int) -> None:
    path = motion.root[:, [0, 2]]
    reach = max(float(np.abs(path - path.mean(axis=0)).max()), 0.75)
    points = (path - path.mean(axis=0)) / reach * (CELL / 2 - 14)
    x, y = left + CELL / 2 + points[:, 0], top + CELL / 2 + points[:, 1]
    if len(x) > 1:
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=_PATH, width=2)
    draw.ellipse((x[0] - 3, y[0] - 3, x[0] + 3, y[0] + 3), fill=_PATH)
    travel = float(np.linalg.norm(path[-1] - path[0]))
    draw.text(
        (left + 4, top + CELL - 12), f"{travel:.1f} m", fill=(140, 140, 140), font=ImageFont.load_default()
    )
