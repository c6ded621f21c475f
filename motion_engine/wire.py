# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays and motions as JSON values: the numpy half of the protocol, shared by server and clients."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine.motion import Motion

DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "bool": np.dtype("?")}
"""Name on the wire to little-endian numpy type."""


def encode_array(array: NDArray[Any]) -> dict[str, Any]:
    """An array as ``{"shape", "dtype", "data"}``: base64 of little-endian C-ordered values.

    Booleans travel as bytes 0 and 1, everything else as float32.
    """
    dtype = "bool" if array.dtype == bool else "float32"
    values = np.ascontiguousarray(array, dtype=DTYPES[dtype])
    return {
        "shape": list(array.shape),
        "dtype": dtype,
        "data": base64.b64encode(values.tobytes()).decode("ascii"),
    }


def decode_array(value: dict[str, Any]) -> NDArray[Any]:
    """The array of `encode_array`.

    Raises
    ------
    ValueError
        The value is not such an array, or its length does not fit its shape.
    """
    try:
        dtype = DTYPES[value["dtype"]]
        shape = tuple(int(length) for length in value["shape"])
        data = base64.b64decode(value["data"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Not an encoded array: {error!r}.") from None
    if min(shape, default=0) < 0 or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"An array of shape {shape} does not fit {len(data)} bytes of {value['dtype']}.")
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def encode_motion(motion: Motion) -> dict[str, Any]:
    """A motion as the ``motion`` value of a ``motion`` event."""
    return {
        "fps": float(motion.fps),
        "n_frames": motion.n_frames,
        "joints": encode_array(motion.joints),
        "rotations": encode_array(motion.rotations),
        "root": encode_array(motion.root),
        "contacts": encode_array(motion.contacts),
        "provenance": motion.provenance,
    }


def encode_clip(joints: NDArray[Any], fps: float, rotations: NDArray[Any] | None = None) -> dict[str, Any]:
    """A clip of joints (T, 22, 3), and local rotations (T, 22, 4) where known, as calls about clips take it."""
    return {
        "joints": encode_array(joints),
        "rotations": None if rotations is None else encode_array(rotations),
        "fps": float(fps),
    }


def decode_motion(value: dict[str, Any]) -> Motion:
    """The motion of `encode_motion`; ValueError when it is not one."""
    try:
        arrays = {name: decode_array(value[name]) for name in ("joints", "rotations", "root", "contacts")}
        return Motion(**arrays, fps=float(value["fps"]), provenance=dict(value["provenance"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"Not an encoded motion: {error!r}.") from None
