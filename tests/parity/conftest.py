# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums in one order on every processor: some of the networks magnify the last digit a hundred times.

MKL has kernels for each processor, which round otherwise; with this setting (conditional numerical reproducibility) it
takes the same ones everywhere. It is read when the first matrices are multiplied.
"""

from __future__ import annotations

import os

os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
