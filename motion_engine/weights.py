# SPDX-License-Identifier: GPL-3.0-or-later
"""A network's weights as a bundle stores them, and as numbers.

Large matrices and kernels ``KEY`` are 8-bit with one scale an output row, ``KEY.scale``; the rest is half precision,
or single in bundles of the papers' networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle_check import REINSTALL
from motion_engine.errors import EngineError

Array = NDArray[np.generic]

SCALE = ".scale"
LARGEST = 127
"""Of an 8-bit weight, by its absolute value."""


def read(file: Path) -> dict[str, Array]:
    """The arrays of a ``.safetensors`` file by name.

    Raises
    ------
    EngineError
        ``broken_bundle``, for a file that is damaged or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(file.read_bytes()))
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise EngineError("broken_bundle", f"{file.name} cannot be read: {error}.", REINSTALL) from error


def quantised(value: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """8-bit numbers of a matrix or kernel (out, ...), and the scale (out, 1, ...) of each output row."""
    value = value.astype(np.float32)
    largest = np.abs(value).max(axis=tuple(range(1, value.ndim)), keepdims=True)
    scale = np.maximum(largest, np.float32(1e-12)) / np.float32(LARGEST)
    return np.rint(value / scale).astype(np.int8), scale


def single(stored: Mapping[str, Array], key: str) -> NDArray[np.float32]:
    """One weight in single precision."""
    value = stored[key].astype(np.float32)
    return value * stored[key + SCALE].astype(np.float32) if key + SCALE in stored else value


def keys(stored: Mapping[str, Array]) -> list[str]:
    """Names of the weights, without those of their scales."""
    return [key for key in stored if not key.endswith(SCALE)]
