# SPDX-License-Identifier: GPL-3.0-or-later
"""From the engine's axes (+Y up, +Z front) to Blender's (+Z up, -Y front); +X is the body's left in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat

Array = NDArray[np.floating]

TO_BLENDER = quat.about_axis(0, np.array(np.pi / 2))
"""The rotation between the two, a quarter turn about +X."""


def to_blender(vectors: Array) -> Array:
    """Vectors (..., 3) from the engine's axes to Blender's."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    return np.stack([x, -z, y], axis=-1)
