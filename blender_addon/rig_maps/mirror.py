# SPDX-License-Identifier: GPL-3.0-or-later
"""The plane that mirrors the left half of a skeleton onto the right one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

CLOSE = 0.02
"""Share of the skeleton's size within which a bone counts as another's mirror image, or as lying on the plane."""

_SAMPLES = 160
"""Bones that are tried on a plane; more tell no more."""


@dataclass(frozen=True)
class Plane:
    """``normal`` is a unit vector (3,), ``point`` lies on the plane, ``support`` counts bones with a mirror image."""

    normal: Array
    point: Array
    support: int

    def distance(self, points: Array) -> Array:
        """Signed distances (...) of points (..., 3)."""
        return (points - self.point) @ self.normal

    def reflect(self, points: Array) -> Array:
        """Mirror images of points (..., 3)."""
        return points - 2.0 * self.distance(points)[..., None] * self.normal


def size(points: Array) -> float:
    """Diagonal of the box around points (n, 3)."""
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def find(points: Array, children: Sequence[Sequence[int]], counts: Array) -> Plane | None:
    """The plane with the most bones that have a mirror image, or None when there is none to speak of.

    Parameters
    ----------
    points : (n, 3) heads.
    children : the children of every bone; one list more holds the roots.
    counts : (n,) number of bones in the tree below each bone, itself included.
    """
    extent = size(points)
    if len(points) < 6 or extent <= 0:
        return None
    step = max(1, len(points) // _SAMPLES)
    sample = points[::step]
    best: Plane | None = None
    seen: set[tuple[float, ...]] = set()
    for normal, point in _candidates(points, children, counts, extent):
        if normal[np.argmax(np.abs(normal))] < 0:
            normal = -normal
        known = (*np.round(normal, 2), round(float(point @ normal) / extent, 2))
        if known in seen:
            continue
        seen.add(known)
        plane = Plane(normal, point, 0)
        off = sample[np.abs(plane.distance(sample)) > CLOSE * extent]
        if len(off) < 4:
            continue
        gaps = np.linalg.norm(plane.reflect(off)[:, None, :] - points[None, :, :], axis=-1).min(axis=1)
        support = int((gaps < CLOSE * extent).sum())
        if support >= max(4, 0.4 * len(off)) and (best is None or support > best.support):
            best = Plane(normal, point, support)
    return _refined(best, points, extent) if best is not None else None


def _refined(plane: Plane, points: Array, extent: float) -> Plane:
    """The plane that fits all mirrored pairs at once, if it does so better than the two bones it was found by."""

    def pairs(of: Plane) -> tuple[Array, Array, float]:
        off = points[np.abs(of.distance(points)) > CLOSE * extent]
        gaps = np.linalg.norm(of.reflect(off)[:, None, :] - points[None, :, :], axis=-1)
        return off, points[gaps.argmin(axis=1)], float(np.mean(np.minimum(gaps.min(axis=1), CLOSE * extent)))

    first, second, error = pairs(plane)
    for _ in range(3):
        kept = np.linalg.norm(plane.reflect(first) - second, axis=-1) < CLOSE * extent
        if not kept.any():
            break
        across = (first[kept] - second[kept]) * np.sign(plane.distance(first[kept]))[:, None]
        normal = across.sum(axis=0) / np.linalg.norm(across.sum(axis=0))
        offset = float(np.median((first[kept] + second[kept]) @ normal / 2))
        fitted = Plane(normal, plane.point + (offset - float(plane.point @ normal)) * normal, plane.support)
        first, second, left = pairs(fitted)
        if left >= error:
            break
        plane, error = fitted, left
    return plane


def _candidates(
    points: Array, children: Sequence[Sequence[int]], counts: Array, extent: float
) -> Iterator[tuple[Array, Array]]:
    """Planes half-way between siblings that carry equally many bones."""
    for siblings in children:
        listed = list(siblings)[:24]
        for i, first in enumerate(listed):
            for second in listed[i + 1 :]:
                if counts[first] != counts[second]:
                    continue
                a, b = first, second
                # bones that start on the plane itself, such as hip joints, differ further down
                for _ in range(3):
                    if np.linalg.norm(points[a] - points[b]) > CLOSE * extent or not (
                        children[a] and children[b]
                    ):
                        break
                    a, b = children[a][0], children[b][0]
                across = points[a] - points[b]
                length = float(np.linalg.norm(across))
                if length > CLOSE * extent:
                    yield across / length, (points[a] + points[b]) / 2
