# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit quaternions ``(w, x, y, z)``, vectorised over leading axes.

Every function takes arrays whose last axis holds the quaternion (4) or the vector (3) and broadcasts the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def normalize(q: Array) -> Array:
    """Scale to unit length; shape (..., n) in and out. A zero vector stays zero."""
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    return q / np.where(length > 0, length, 1.0)


def conjugate(q: Array) -> Array:
    """Inverse of a unit quaternion."""
    return q * np.array([1.0, -1.0, -1.0, -1.0], dtype=q.dtype)


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product: the rotation ``b`` followed by ``a``."""
    aw, ax, ay, az = (a[..., i] for i in range(4))
    bw, bx, by, bz = (b[..., i] for i in range(4))
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def rotate(q: Array, v: Array) -> Array:
    """Rotate vectors (..., 3) by unit quaternions (..., 4)."""
    w, u = q[..., :1], q[..., 1:]
    t = 2.0 * cross(u, v)
    return v + w * t + cross(u, t)


def cross(a: Array, b: Array) -> Array:
    """Cross product of vectors (..., 3); several times faster than `numpy.cross` on small arrays."""
    ax, ay, az = (a[..., i] for i in range(3))
    bx, by, bz = (b[..., i] for i in range(3))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def between(u: Array, v: Array) -> Array:
    """Shortest-arc rotation that takes direction ``u`` to direction ``v`` (any non-zero lengths).

    Opposite directions turn half a turn about an axis perpendicular to ``u``.
    """
    u, v = normalize(np.asarray(u, dtype=float)), normalize(np.asarray(v, dtype=float))
    u, v = np.broadcast_arrays(u, v)
    dot = np.sum(u * v, axis=-1, keepdims=True)
    q = np.concatenate([1.0 + dot, cross(u, v)], axis=-1)
    opposite = dot[..., 0] < -1.0 + 1e-9
    if np.any(opposite):
        helper = np.where(np.abs(u[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        axis = normalize(cross(u, helper))
        q = np.where(opposite[..., None], np.concatenate([np.zeros_like(dot), axis], axis=-1), q)
    return normalize(q)


def about_axis(axis: int, angle: Array | float) -> Array:
    """Rotation by ``angle`` radians (...) about coordinate axis 0, 1 or 2."""
    angle = np.asarray(angle, dtype=float)
    q = np.zeros((*angle.shape, 4))
    q[..., 0] = np.cos(angle / 2)
    q[..., 1 + axis] = np.sin(angle / 2)
    return q


def from_axis_angle(rotation_vector: Array) -> Array:
    """Rotation vectors (..., 3), radians, to quaternions."""
    rotation_vector = np.asarray(rotation_vector, dtype=float)
    angle = np.linalg.norm(rotation_vector, axis=-1, keepdims=True)
    # sin(a/2)/a is 1/2 at a = 0
    scale = np.where(angle > 1e-8, np.sin(angle / 2) / np.where(angle > 1e-8, angle, 1.0), 0.5)
    return np.concatenate([np.cos(angle / 2), rotation_vector * scale], axis=-1)


def to_axis_angle(q: Array) -> Array:
    """Quaternions to rotation vectors (..., 3) of length at most pi."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-8, angle / np.where(sine > 1e-8, sine, 1.0), 2.0)


def to_matrix(q: Array) -> Array:
    """Quaternions to rotation matrices (..., 3, 3)."""
    w, x, y, z = (q[..., i] for i in range(4))
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(m: Array) -> Array:
    """Rotation matrices (..., 3, 3) to quaternions with w >= 0.

    Of the four ways to divide, the one with the largest divisor is taken (Shepperd 1978), so no pose is
    ill-conditioned.
    """
    m = np.asarray(m)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    four_squares = np.stack(
        [1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], axis=-1
    )
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    candidates = np.stack(
        [
            np.stack([four_squares[..., 0], wx, wy, wz], axis=-1),
            np.stack([wx, four_squares[..., 1], xy, xz], axis=-1),
            np.stack([wy, xy, four_squares[..., 2], yz], axis=-1),
            np.stack([wz, xz, yz, four_squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(four_squares, axis=-1)
    q = normalize(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])
    return np.where(q[..., :1] < 0, -q, q)


def to_6d(q: Array) -> Array:
    """First two columns of the rotation matrix, one after the other: (..., 6) (Zhou et al. 2019)."""
    m = to_matrix(q)
    return np.concatenate([m[..., :, 0], m[..., :, 1]], axis=-1)


def from_6d(six: Array) -> Array:
    """Six numbers (..., 6) to quaternions by Gram-Schmidt, as HumanML3D stores them."""
    x = normalize(six[..., :3])
    z = normalize(cross(x, six[..., 3:6]))
    y = cross(z, x)
    return from_matrix(np.stack([x, y, z], axis=-1))


def slerp(a: Array, b: Array, t: Array | float) -> Array:
    """Spherical interpolation on the shorter arc; ``t`` broadcasts against the leading axes."""
    t = np.asarray(t)[..., None]
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-6
    safe = np.where(near, 1.0, sine)
    weight_a = np.where(near, 1.0 - t, np.sin((1.0 - t) * angle) / safe)
    weight_b = np.where(near, t, np.sin(t * angle) / safe)
    return normalize(weight_a * a + weight_b * b)


def make_continuous(q: Array) -> Array:
    """Choose the sign of each quaternion so that neighbours along axis 0 lie on the same half sphere."""
    if len(q) < 2:
        return q.copy()
    flips = np.sum(q[1:] * q[:-1], axis=-1) < 0
    sign = np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0).astype(q.dtype)
    out = q.copy()
    out[1:] *= sign[..., None]
    return out


def from_euler(angles: Array, order: str = "ZXY") -> Array:
    """Intrinsic Euler angles (..., 3) in radians, applied in the written order, as in a BVH channel list."""
    q: Array = np.broadcast_to(IDENTITY, (*np.shape(angles)[:-1], 4))
    for i, letter in enumerate(order.upper()):
        q = multiply(q, about_axis("XYZ".index(letter), np.asarray(angles)[..., i]))
    return q


def to_euler(q: Array, order: str = "ZXY") -> Array:
    """Intrinsic Euler angles (..., 3) in radians for an order of three different axes; inverse of `from_euler`."""
    i, j, k = ("XYZ".index(letter) for letter in order.upper())
    if len({i, j, k}) != 3:
        raise ValueError(f"Euler order {order!r} must name each of X, Y and Z once.")
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(q)
    middle = np.arcsin(np.clip(parity * m[..., i, k], -1.0, 1.0))
    first = np.arctan2(-parity * m[..., j, k], m[..., k, k])
    last = np.arctan2(-parity * m[..., i, j], m[..., i, i])
    # at the poles only first ± last is determined: put all of it into the first angle
    locked = np.abs(m[..., i, k]) > 1.0 - 1e-9
    first = np.where(locked, np.arctan2(parity * m[..., k, j], m[..., j, j]), first)
    last = np.where(locked, 0.0, last)
    return np.stack([first, middle, last], axis=-1)


def yaw(q: Array) -> Array:
    """Heading (...) in radians: the angle about +Y of the rotated +Z axis."""
    front = rotate(q, np.broadcast_to(np.array([0.0, 0.0, 1.0]), (*q.shape[:-1], 3)))
    return np.arctan2(front[..., 0], front[..., 2])
