# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones and surface of the mannequin as arrays; knows nothing of Blender's data.

Blender's axes: metres, +Z up, the character faces -Y, its left is +X, the soles stand on z = 0. Every part of the
surface is a closed loft: rings along an axis, rounded at both ends, that belongs to one bone (the waist is shared
by the spine).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motion_engine import skeleton

from ..axes import to_blender

Array = NDArray[np.floating]

SHELL, JOINT = 0, 1
"""Material slots: the light shell, the dark joints."""

HANDS = ("left_hand", "right_hand")
BONE_NAMES: tuple[str, ...] = (*skeleton.JOINT_NAMES, *HANDS)
BONE_PARENTS: tuple[int, ...] = (*(int(p) for p in skeleton.PARENTS), 20, 21)

_TAIL_CHILD = {0: 3, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 9, 7: 10, 8: 11, 9: 12, 12: 15, 13: 16, 14: 17, 16: 18,
               17: 19, 18: 20, 19: 21, 20: 22, 21: 23}  # fmt: skip
_TAIL_STEP = {10: (0.0, -0.07, 0.0), 11: (0.0, -0.07, 0.0), 15: (0.0, 0.0, 0.2), 22: (0.09, 0.0, 0.0),
              23: (-0.09, 0.0, 0.0)}  # fmt: skip


def bone_heads() -> Array:
    """(24, 3) joints of the T-pose, standing on the floor."""
    body = skeleton.REST_JOINTS + (0.0, skeleton.REST_PELVIS_HEIGHT, 0.0)
    return to_blender(np.concatenate([body, body[[20, 21]] + skeleton.HAND_OFFSETS]))


def bone_tails(heads: Array) -> Array:
    """(24, 3) tails: at the main child, or a short step onward at the ends of the tree."""
    tails = heads.copy()
    for bone, child in _TAIL_CHILD.items():
        tails[bone] = heads[child]
    for bone, step in _TAIL_STEP.items():
        tails[bone] = heads[bone] + step
    return tails


@dataclass
class Surface:
    """A mesh in the making.

    Attributes
    ----------
    vertices : list of (n, 3) arrays
    faces : list of lists of vertex indices
    materials : list of int, one a face
    weights : bone name -> list of (vertex indices, weights)
    """

    vertices: list[Array] = field(default_factory=list)
    faces: list[list[int]] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    weights: dict[str, list[tuple[NDArray[np.intp], Array]]] = field(default_factory=dict)

    def add(self, points: Array, ring: int, material: int, weights: dict[str, Array | float]) -> None:
        """Add a loft of rings of ``ring`` points each between a first and a last pole."""
        base = sum(len(part) for part in self.vertices)
        self.vertices.append(points)
        n_rings = (len(points) - 2) // ring
        last = base + len(points) - 1
        rows = base + 1 + np.arange(n_rings * ring).reshape(n_rings, ring)
        turned = np.roll(rows, -1, axis=1)
        walls = np.stack([rows[:-1], turned[:-1], turned[1:], rows[1:]], axis=-1).reshape(-1, 4)
        bottom = np.stack([np.full(ring, base), turned[0], rows[0]], axis=-1)
        top = np.stack([np.full(ring, last), rows[-1], turned[-1]], axis=-1)
        faces = [*bottom.tolist(), *walls.tolist(), *top.tolist()]
        self.faces += faces
        self.materials += [material] * len(faces)
        indices = np.arange(base, base + len(points))
        for bone, weight in weights.items():
            values = np.broadcast_to(np.asarray(weight, dtype=float), (len(points),))
            self.weights.setdefault(bone, []).append((indices, values))


def _frame(axis: Array, front: Array) -> tuple[Array, Array, Array]:
    """Right-handed (side, front, axis) of unit length, with ``front`` made perpendicular to ``axis``."""
    axis = axis / np.linalg.norm(axis)
    front = front - axis * (front @ axis)
    front = front / np.linalg.norm(front)
    return np.cross(front, axis), front, axis


def _smooth(knots: Array, values: Array, at: Array) -> Array:
    """Cubic Hermite through ``values`` (n, k) at ``knots`` (n,), without overshoot in flat places."""
    slope = np.diff(values, axis=0) / np.diff(knots)[:, None]
    tangent = np.empty_like(values)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    tangent[1:-1] = np.where(slope[1:] * slope[:-1] > 0, (slope[1:] + slope[:-1]) / 2, 0.0)
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    width = (knots[left + 1] - knots[left])[:, None]
    t = ((at - knots[left])[:, None]) / width
    a, b = values[left], values[left + 1]
    ma, mb = tangent[left] * width, tangent[left + 1] * width
    return (
        (2 * t**3 - 3 * t**2 + 1) * a + (t**3 - 2 * t**2 + t) * ma
        + (3 * t**2 - 2 * t**3) * b + (t**3 - t**2) * mb
    )  # fmt: skip


def loft(
    origin: Array,
    frame: tuple[Array, Array, Array],
    stations: list[tuple[float, float, float, float]],
    *,
    ring: int = 24,
    rows: int = 14,
    caps: tuple[float, float] = (0.02, 0.02),
    power: float = 2.0,
) -> Array:
    """Rings along an axis through stations, closed by rounded caps.

    Parameters
    ----------
    origin : (3,) start of the axis.
    frame : side, front and axis directions.
    stations : (distance along the axis, half width to the side, half width to the front, shift to the front)
        in metres.
    ring, rows : points a ring, rings between the first and the last station.
    caps : height of the rounding at the start and at the end, metres.
    power : 2 is an ellipse, more is boxier.

    Returns
    -------
    (2 + rings * ring, 3) points: first pole, rings, last pole.
    """
    table = np.array(stations, dtype=float)
    at = np.linspace(table[0, 0], table[-1, 0], rows)
    profile = np.column_stack([at, _smooth(table[:, 0], table[:, 1:], at)])
    turn = np.linspace(0.0, np.pi / 2, 8)[1:-1]
    start = np.array(
        [profile[0] * (1, np.sin(a), np.sin(a), 1) - (caps[0] * np.cos(a), 0, 0, 0) for a in turn]
    )
    end = np.array(
        [profile[-1] * (1, np.cos(a), np.cos(a), 1) + (caps[1] * np.sin(a), 0, 0, 0) for a in turn]
    )
    profile = np.concatenate([start, profile, end])
    angle = np.linspace(0.0, 2 * np.pi, ring, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    across = np.sign(cos) * np.abs(cos) ** (2 / power)
    along = np.sign(sin) * np.abs(sin) ** (2 / power)
    side, front, axis = frame
    centre = origin + profile[:, :1] * axis + profile[:, 3:4] * front
    rings = (
        centre[:, None]
        + (profile[:, 1:2] * across)[..., None] * side
        + (profile[:, 2:3] * along)[..., None] * front
    )
    poles = [
        origin + (table[0, 0] - caps[0]) * axis + table[0, 3] * front,
        origin + (table[-1, 0] + caps[1]) * axis + table[-1, 3] * front,
    ]
    return np.concatenate([poles[:1], rings.reshape(-1, 3), poles[1:]])


def ball(centre: Array, radius: float, ring: int = 24) -> Array:
    """A sphere as a loft."""
    upright = (np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0]))
    flat = [(-0.002, radius, radius, 0.0), (0.002, radius, radius, 0.0)]
    return loft(centre, upright, flat, ring=ring, rows=2, caps=(radius, radius))


FRONT = np.array([0.0, -1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])


def _trunk(surface: Surface, heads: Array) -> None:
    """Head, neck, chest, waist and pelvis."""
    upright = _frame(UP, FRONT)
    head, neck, spine3, spine1, pelvis = (heads[i] for i in (15, 12, 9, 3, 0))
    surface.add(
        loft(head, upright, [
            (-0.050, 0.030, 0.026, 0.056), (-0.032, 0.046, 0.050, 0.036), (0.0, 0.061, 0.078, 0.016),
            (0.045, 0.072, 0.094, 0.006), (0.090, 0.078, 0.100, 0.0), (0.125, 0.076, 0.097, -0.002),
            (0.150, 0.066, 0.085, -0.003),
        ], ring=32, rows=24, caps=(0.012, 0.046), power=2.1),
        32, SHELL, {"head": 1.0},
    )  # fmt: skip
    _visor(surface, head)
    neck_axis = head - neck
    length = float(np.linalg.norm(neck_axis))
    surface.add(
        loft(neck, _frame(neck_axis, FRONT), [
            (-0.050, 0.062, 0.060, 0.0), (0.0, 0.051, 0.052, 0.0), (length + 0.01, 0.048, 0.050, 0.0),
        ], rows=8),
        24, JOINT, {"neck": 1.0},
    )  # fmt: skip
    # one straight axis for the trunk, so that front and back stay smooth where the spine curves
    middle = np.array([0.0, (spine3[1] + pelvis[1]) / 2, 0.0])
    z3, zn = spine3[2], neck[2]
    surface.add(
        loft(middle, upright, [
            (z3 - 0.095, 0.118, 0.082, 0.010), (z3 - 0.04, 0.138, 0.100, 0.010), (z3 + 0.03, 0.153, 0.112, 0.008),
            (z3 + 0.09, 0.152, 0.106, 0.000), (z3 + 0.14, 0.122, 0.086, -0.012), (zn - 0.03, 0.070, 0.062, -0.018),
        ], ring=36, rows=20, caps=(0.024, 0.020), power=2.35),
        36, SHELL, {"spine3": 1.0},
    )  # fmt: skip
    waist = loft(middle, upright, [
        (pelvis[2] + 0.055, 0.112, 0.082, 0.004), (spine1[2] + 0.06, 0.102, 0.076, 0.006),
        (z3 - 0.06, 0.112, 0.080, 0.010),
    ], ring=36, rows=14, caps=(0.03, 0.03), power=2.2)  # fmt: skip
    share = np.clip((waist[:, 2] - spine1[2]) / (z3 - spine1[2]), 0.0, 1.0) * 2.0
    surface.add(
        waist, 36, JOINT,
        {"spine1": np.clip(1 - share, 0, 1), "spine2": 1 - np.abs(1 - share), "spine3": np.clip(share - 1, 0, 1)},
    )  # fmt: skip
    surface.add(
        loft(middle, upright, [
            (pelvis[2] - 0.105, 0.050, 0.062, -0.004), (pelvis[2] - 0.065, 0.106, 0.090, -0.006),
            (pelvis[2] - 0.02, 0.140, 0.106, -0.008), (pelvis[2] + 0.03, 0.140, 0.102, -0.004),
            (pelvis[2] + 0.075, 0.122, 0.088, 0.002),
        ], ring=36, rows=16, caps=(0.022, 0.018), power=2.3),
        36, SHELL, {"pelvis": 1.0},
    )  # fmt: skip


def _visor(surface: Surface, head: Array) -> None:
    """A dark band before the eyes, so that one sees where the character looks."""
    surface.add(
        loft(head, _frame(UP, FRONT), [
            (0.064, 0.0600, 0.0530, 0.0515), (0.082, 0.0655, 0.0535, 0.0510), (0.100, 0.0665, 0.0530, 0.0505),
        ], ring=32, rows=6, caps=(0.009, 0.009), power=2.0),
        32, JOINT, {"head": 1.0},
    )  # fmt: skip


def _limb(
    surface: Surface, start: Array, end: Array, front: Array, bone: str,
    stations: list[tuple[float, float, float, float]], caps: tuple[float, float],
) -> None:  # fmt: skip
    """A shell from ``start`` to ``end`` whose stations are given in fractions of the length."""
    length = float(np.linalg.norm(end - start))
    scaled = [(at * length, a, b, shift) for at, a, b, shift in stations]
    surface.add(loft(start, _frame(end - start, front), scaled, caps=caps, power=2.1), 24, SHELL, {bone: 1.0})


def _leg(surface: Surface, heads: Array, side: str, hip: int) -> None:
    hip_at, knee, ankle, toe = heads[hip], heads[hip + 3], heads[hip + 6], heads[hip + 9]
    surface.add(ball(hip_at, 0.083), 24, JOINT, {f"{side}_hip": 1.0})
    _limb(surface, hip_at, knee, FRONT, f"{side}_hip", [
        (0.10, 0.083, 0.088, 0.0), (0.30, 0.080, 0.087, 0.004), (0.65, 0.064, 0.069, 0.004),
        (0.90, 0.052, 0.056, 0.002),
    ], (0.055, 0.025))  # fmt: skip
    surface.add(ball(knee, 0.052), 24, JOINT, {f"{side}_knee": 1.0})
    _limb(surface, knee, ankle, FRONT, f"{side}_knee", [
        (0.10, 0.049, 0.050, 0.0), (0.30, 0.054, 0.058, -0.012), (0.62, 0.042, 0.044, -0.007),
        (0.90, 0.033, 0.034, 0.0),
    ], (0.028, 0.018))  # fmt: skip
    surface.add(ball(ankle, 0.039), 24, JOINT, {f"{side}_ankle": 1.0})
    _foot(surface, ankle, toe, side)


def _foot(surface: Surface, ankle: Array, toe: Array, side: str) -> None:
    """Foot and toe cap with a flat sole on z = 0."""
    forward = (toe - ankle) * (1.0, 1.0, 0.0)
    reach = float(np.linalg.norm(forward))
    frame = _frame(forward, UP)
    heel = ankle * (1.0, 1.0, 0.0)

    def sole(stations: list[tuple[float, float, float]], caps: tuple[float, float]) -> Array:
        """Stations of (distance, half width, height) over the floor."""
        points = loft(
            heel, frame, [(at, half, top / 2, top / 2) for at, half, top in stations],
            rows=16, caps=caps, power=2.6,
        )  # fmt: skip
        # press the underside flat, as a shoe
        points[:, 2] = np.where(
            points[:, 2] < 0.012, 0.006 + (points[:, 2] - 0.012) * 0.5, points[:, 2] - 0.0
        )
        points[:, 2] = np.maximum(points[:, 2], 0.0)
        return points

    surface.add(
        sole([
            (-0.040, 0.031, 0.066), (0.0, 0.037, 0.074), (0.05, 0.040, 0.070), (reach - 0.02, 0.046, 0.050),
            (reach + 0.004, 0.047, 0.044),
        ], (0.024, 0.012)),
        24, SHELL, {f"{side}_ankle": 1.0},
    )  # fmt: skip
    surface.add(
        sole([
            (reach + 0.008, 0.046, 0.043), (reach + 0.035, 0.046, 0.037), (reach + 0.055, 0.040, 0.031),
        ], (0.012, 0.026)),
        24, JOINT, {f"{side}_foot": 1.0},
    )  # fmt: skip


def _arm(surface: Surface, heads: Array, side: str, collar: int) -> None:
    shoulder, elbow, wrist = heads[collar + 3], heads[collar + 5], heads[collar + 7]
    knuckles = heads[collar + 9]
    base = heads[collar] * (0.55, 1.0, 1.0)
    _limb(surface, base, shoulder, FRONT, f"{side}_collar", [
        (0.0, 0.052, 0.060, 0.0), (0.5, 0.052, 0.058, 0.0), (0.92, 0.046, 0.052, 0.0),
    ], (0.03, 0.03))  # fmt: skip
    surface.add(ball(shoulder, 0.056), 24, JOINT, {f"{side}_shoulder": 1.0})
    _limb(surface, shoulder, elbow, FRONT, f"{side}_shoulder", [
        (0.12, 0.050, 0.050, 0.0), (0.40, 0.047, 0.048, 0.0), (0.88, 0.037, 0.038, 0.0),
    ], (0.030, 0.020))  # fmt: skip
    surface.add(ball(elbow, 0.037), 24, JOINT, {f"{side}_elbow": 1.0})
    _limb(surface, elbow, wrist, FRONT, f"{side}_elbow", [
        (0.10, 0.036, 0.037, 0.0), (0.32, 0.039, 0.041, 0.0), (0.90, 0.024, 0.030, 0.0),
    ], (0.022, 0.014))  # fmt: skip
    surface.add(ball(wrist, 0.027), 24, JOINT, {f"{side}_wrist": 1.0})
    _hand(surface, wrist, knuckles, side)


def _hand(surface: Surface, wrist: Array, knuckles: Array, side: str) -> None:
    """Palm, four slightly curled fingers and a thumb; the palm looks down."""
    out = knuckles - wrist
    reach = float(np.linalg.norm(out))
    across, front, axis = _frame(out, FRONT)
    thick = across if across[2] > 0 else -across
    surface.add(
        loft(wrist, (thick, front, axis), [
            (0.018, 0.013, 0.026, 0.0), (0.045, 0.0155, 0.037, 0.004), (reach, 0.0125, 0.041, 0.004),
        ], rows=10, caps=(0.012, 0.012), power=2.6),
        24, SHELL, {f"{side}_wrist": 1.0},
    )  # fmt: skip
    for index, (at, length, radius) in enumerate(
        [(0.034, 0.066, 0.0092), (0.013, 0.074, 0.0096), (-0.008, 0.069, 0.0092), (-0.028, 0.053, 0.0082)]
    ):
        root = knuckles + front * at + axis * 0.004
        spread = front * (1.5 - index) * 0.035
        first = axis + spread - thick * 0.10
        second = axis + spread - thick * 0.34
        middle = root + first / np.linalg.norm(first) * length * 0.5
        _finger(surface, root, middle, radius, radius * 0.94, f"{side}_hand")
        _finger(surface, middle, middle + second / np.linalg.norm(second) * length * 0.5, radius * 0.94,
                radius * 0.8, f"{side}_hand")  # fmt: skip
    thumb = wrist + axis * 0.026 + front * 0.022 - thick * 0.002
    joint = thumb + front * 0.030 + axis * 0.026 - thick * 0.010
    _finger(surface, thumb, joint, 0.0125, 0.0108, f"{side}_wrist")
    _finger(
        surface, joint, joint + front * 0.012 + axis * 0.030 - thick * 0.006, 0.0108, 0.0088, f"{side}_wrist"
    )


def _finger(surface: Surface, start: Array, end: Array, first: float, last: float, bone: str) -> None:
    length = float(np.linalg.norm(end - start))
    points = loft(
        start, _frame(end - start, UP), [(0.0, first, first, 0.0), (length, last, last, 0.0)],
        ring=12, rows=4, caps=(first, last),
    )  # fmt: skip
    surface.add(points, 12, SHELL, {bone: 1.0})


def mannequin() -> Surface:
    """The whole surface in the T-pose."""
    heads = bone_heads()
    surface = Surface()
    _trunk(surface, heads)
    for side, hip, collar in (("left", 1, 13), ("right", 2, 14)):
        _leg(surface, heads, side, hip)
        _arm(surface, heads, side, collar)
    return surface
