# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters along time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def gaussian_filter(rows: Array, sigma: float) -> Array:
    """Gaussian filter of width ``sigma`` frames along axis 0 of rows (T, n).

    Edges are held and the kernel is cut at four sigma, as in scipy's ``gaussian_filter1d`` with mode "nearest".
    """
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    padded = np.pad(rows, ((radius, radius), (0, 0)), mode="edge")
    return sum(weight * padded[i : i + len(rows)] for i, weight in enumerate(kernel / kernel.sum()))
