# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control network reads: how far an estimate is from its hints, in the frame of the body.

Per frame, all in the heading of the estimate at that frame:

=========  ====  =======================================================================================
slice      dims  content
=========  ====  =======================================================================================
0:66       66    displacement from the estimate's joint to its target, 22 x 3, squashed; 0 where free
66:88      22    1 where the joint has a target in this frame
88:91      3     displacement that the whole body seems to need, squashed: the mean of the frame's targets,
                 interpolated over time between the frames that have one
91:94      3     the rate of it, metres a frame times 20
94:96      2     closeness of the last and of the next frame with a target
=========  ====  =======================================================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import skeleton
from motion_engine.filters import gaussian_filter

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

N_HINTS = 96

FACING_SIGMA = 5.0
"""Frames: width of the filter on the estimate's facing direction."""

SQUASH = 0.5
"""m: displacements are told as d / sqrt(1 + |d|² / SQUASH²), times `GAIN`: fine near zero, bounded far away."""

GAIN = 4.0
REMEMBERED = 20.0
"""Frames over which a target in the past or in the future loses its closeness."""


def hint_features(
    joints: Array, targets: Array, mask: Mask, lengths: NDArray[np.integer] | None = None
) -> Array:
    """Hints (B, T, 96) float32.

    Parameters
    ----------
    joints : (B, T, 22, 3) the estimate, in metres, in the clip's frame (frame 0 at the origin, facing +Z).
    targets : (B, T, 22, 3) in the same frame; read only where ``mask`` is True.
    mask : (B, T, 22, 3): which coordinates have a target.
    lengths : (B,) frames of each clip; all of them when None. Nothing behind a clip's end is read.
    """
    count, n_frames = joints.shape[:2]
    joints = np.array(joints, dtype=float)
    if lengths is not None:
        mask = mask.copy()
        for clip, length in enumerate(lengths):
            joints[clip, length:] = joints[clip, length - 1]
            mask[clip, length:] = False
    missing = np.where(mask, targets - joints, 0.0)
    flags = np.asarray(mask.any(axis=-1))
    cos, sin = _heading(joints)
    local = _turn(missing, cos[..., None], sin[..., None])
    body = np.stack([_body_displacement(missing[clip], mask[clip]) for clip in range(count)])
    rate = np.diff(body, axis=1, append=body[:, -1:]) * 20.0
    hinted = np.asarray(flags.any(axis=-1))
    closeness = np.stack([_since(hinted), _since(hinted[:, ::-1])[:, ::-1]], axis=-1)
    return np.concatenate(
        [
            _squash(local).reshape(count, n_frames, 66),
            flags,
            _squash(_turn(body, cos, sin)),
            np.clip(_turn(rate, cos, sin), -10.0, 10.0),
            closeness,
        ],
        axis=-1,
    ).astype(np.float32)


def _heading(joints: Array) -> tuple[Array, Array]:
    """Cosine and sine (B, T) of the yaw from +Z of the smoothed facing direction."""
    front = skeleton.facing(joints)
    count, n_frames = front.shape[:2]
    rows = front.transpose(1, 0, 2).reshape(n_frames, -1)
    front = gaussian_filter(rows, FACING_SIGMA).reshape(n_frames, count, 3).transpose(1, 0, 2)
    length = np.maximum(np.hypot(front[..., 0], front[..., 2]), 1e-6)
    return front[..., 2] / length, front[..., 0] / length


def _turn(vectors: Array, cos: Array, sin: Array) -> Array:
    """World vectors (..., 3) in the frame whose +Z has yaw (cos, sin)."""
    x, z = vectors[..., 0], vectors[..., 2]
    return np.stack([cos * x - sin * z, vectors[..., 1], sin * x + cos * z], axis=-1)


def _squash(vectors: Array) -> Array:
    length = np.sum(vectors**2, axis=-1, keepdims=True)
    return GAIN * vectors / np.sqrt(1.0 + length / SQUASH**2)


def _body_displacement(missing: Array, mask: Mask) -> Array:
    """(T, 3): mean over each frame's targets, straight lines between; the ground track starts at the origin."""
    frames = np.arange(len(missing))
    out = np.zeros((len(missing), 3))
    for axis in range(3):
        counts = mask[:, :, axis].sum(axis=1)
        known = np.flatnonzero(counts)
        if len(known) == 0:
            continue
        values = missing[known, :, axis].sum(axis=1) / counts[known]
        if axis != 1 and known[0] > 0:
            known, values = np.append(0, known), np.append(0.0, values)
        out[:, axis] = np.interp(frames, known, values)
    return out


def _since(hinted: Mask) -> Array:
    """(B, T): 1 in a frame with a target, falling to 0 over the next `REMEMBERED` frames."""
    frames = np.arange(hinted.shape[1])
    last = np.maximum.accumulate(np.where(hinted, frames, -10_000), axis=1)
    return np.clip(1.0 - (frames - last) / REMEMBERED, 0.0, 1.0)
