# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries a control: read off one pose of the rig, instead of modelling its constraints.

Between two controls of a production rig lie mechanism bones with constraints, drivers and switches. What they do to a
control's rotation is nearly always one of three things: hand on the rotation of another control, hand on a share of
it, or keep it out. Give every control a different rotation, let the rig evaluate itself once, and which one it was
can be read off: the rotation that a control inherited equals that of another control, or lies on the way between two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

Array = NDArray[np.floating]

EXACT = np.radians(0.5)
"""An inherited rotation this close to another control's is that control's."""

CLOSE = np.radians(4.0)
"""What is left of a share; a control further off than this is carried by nothing that is known."""

PROBE_DEGREES = (25.0, 55.0)


@dataclass(frozen=True)
class Carriers:
    """What rotates each of n controls besides its own channels; all rotations in armature space.

    A control inherits ``slerp(turn[first] * to_first, turn[second] * to_second, share)``, where ``turn`` is a control's
    rotation relative to its rest pose, and index -1 is what no control moves.

    Attributes
    ----------
    first, second : int (n,), indices of controls; ``second`` counts only where ``share`` > 0.
    share : (n,) from 0 to 1.
    to_first, to_second : (n, 4) constant rotations.
    unknown : bool (n,): no answer fits; the nearest one is given.
    """

    first: NDArray[np.integer]
    second: NDArray[np.integer]
    share: Array
    to_first: Array
    to_second: Array
    unknown: NDArray[np.bool_]

    def inherited(self, control: int, turns: list[Array]) -> Array:
        """Rotation (T, 4) that a control inherits, from the rotations (T, 4) of the controls before it."""

        def of(carrier: int, constant: Array) -> Array:
            return constant if carrier < 0 else quat.multiply(turns[carrier], constant)

        found = of(int(self.first[control]), self.to_first[control])
        if self.share[control] > 0:
            other = of(int(self.second[control]), self.to_second[control])
            found, other = np.broadcast_arrays(found, other)
            found = quat.slerp(found, other, np.broadcast_to(self.share[control], found.shape[:-1]))
        return found


def probe_rotations(count: int) -> Array:
    """Rotations (count, 4), all different and none small, the same ones every time."""
    random = np.random.default_rng(5)
    axis = random.normal(size=(count, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return quat.from_axis_angle(axis * np.radians(random.uniform(*PROBE_DEGREES, size=(count, 1))))


def find_carriers(
    rest_turns: Array, rest_inherited: Array, turns: Array, inherited: Array, order: NDArray[np.integer]
) -> Carriers:
    """Explain what controls inherit.

    Parameters
    ----------
    rest_turns, turns : (n, 4) rotation of each control relative to its rest pose, with all channels at rest and with
        `probe_rotations` on them.
    rest_inherited, inherited : (n, 4) the part of it that is not the control's own channels.
    order : (n,) depth of the controls in the rig: a control is carried by such as lie less deep, or beside it.
    """
    count = len(turns)
    # candidate c for control k inherits turns[c] * constant, where the constant is what fits at rest
    constants = quat.multiply(quat.conjugate(rest_turns)[:, None], rest_inherited[None, :])  # (c, k)
    candidates = quat.multiply(turns[:, None], constants)
    still = rest_inherited[None]
    candidates = np.concatenate([candidates, still])  # the last one: no control
    off = _angle(candidates, inherited[None])
    for k in range(count):
        off[k, k] = np.inf
        off[:count, k][order > order[k]] = np.inf
    first = off.argmin(axis=0)
    best = off[first, np.arange(count)]
    second, share = np.full(count, -1), np.zeros(count)
    for k in np.flatnonzero(best > EXACT):
        pair = _between(candidates[:, k], inherited[k], np.isfinite(off[:, k]))
        if pair is not None and pair[3] < 0.5 * best[k]:
            first[k], second[k], share[k], best[k] = pair
    constants = np.concatenate([constants, still])
    index = np.arange(count)
    return Carriers(
        _or_none(first, count), _or_none(second, count), share, constants[first, index],
        constants[second, index], best > CLOSE,
    )  # fmt: skip


def _or_none(index: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    return np.where(index == count, -1, index)


def _angle(a: Array, b: Array) -> Array:
    return 2.0 * np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0.0, 1.0))


_SHARES = np.array([0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])


def _between(
    candidates: Array, inherited: Array, allowed: NDArray[np.bool_]
) -> tuple[int, int, float, float] | None:
    """The pair of candidates between which a rotation lies, the share of the second, and what is left in radians."""
    usable = np.flatnonzero(allowed)
    best: tuple[int, int, float, float] | None = None
    for i, a in enumerate(usable):
        for b in usable[i + 1 :]:
            way = quat.slerp(
                np.broadcast_to(candidates[a], (len(_SHARES), 4)), np.broadcast_to(candidates[b], (len(_SHARES), 4)),
                _SHARES,
            )  # fmt: skip
            off = _angle(way, inherited)
            at = int(off.argmin())
            if best is None or off[at] < best[3]:
                best = int(a), int(b), float(_SHARES[at]), float(off[at])
    return best
