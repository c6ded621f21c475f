# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the arrays of the official implementations, and how near is near enough."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np
import torch

TOLERANCE = 5e-5


class Golden:
    """Weights, inputs and outputs of one folder."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.inputs = {k: torch.from_numpy(v) for k, v in np.load(folder / "inputs.npz").items()}
        self.outputs = dict(np.load(folder / "outputs.npz"))
        self._weights = {k: torch.from_numpy(v) for k, v in np.load(folder / "small_weights.npz").items()}

    def load(self, module, sizes, part):
        """A network in eval mode with every tensor of ``part`` and no other."""
        weights = {
            k.removeprefix(f"{part}."): v for k, v in self._weights.items() if k.startswith(f"{part}.")
        }
        network = module(sizes.of(weights))
        network.load_state_dict(weights, strict=True)
        return network.eval()

    def check(self, name, found, tolerance=TOLERANCE):
        """Compare with the output ``name``."""
        close(found, self.outputs[name], tolerance, f"{self.name} {name}")


def close(found, expected, tolerance=TOLERANCE, name=""):
    """Within ``tolerance`` of the largest number, or of 1."""
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    expected = np.asarray(expected)
    assert found.shape == expected.shape, name
    scale = max(1.0, float(np.abs(expected).max()))
    deviation = float(np.abs(found - expected).max()) / scale
    if report := os.environ.get("MOTION_PROMPT_PARITY_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"golden": name, "deviation": deviation}) + "\n")
    assert deviation <= tolerance, f"{name}: {deviation:.2e} of the largest number"


def layout(folder: Path) -> dict[str, list[int]]:
    """Shapes by key of a full-size checkpoint."""
    entries = json.loads((folder / "layout.json").read_text())["state_dict"]
    return {key: entry["shape"] for key, entry in entries.items()}


def formula_tensor(key: str, shape: list[int], first: int | None = None) -> torch.Tensor:
    """Weights from a formula of the key, so that full-size networks can be compared without a file of weights.

    With ``first``, only that many numbers, flat.
    """
    n = int(np.prod(shape)) if first is None else first
    x = (np.arange(n, dtype=np.uint64) + zlib.crc32(key.encode("ascii"))).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    u = x.astype(np.float64) / 2.0**31 - 1.0
    if key.endswith((".pe", "global_motion_token", "cls_token")):
        values = u
    elif len(shape) == 1:
        values = 0.1 * u + key.endswith(".weight")
    else:
        values = u * 0.7 * np.sqrt(3.0 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32).reshape(shape if first is None else (first,)))
