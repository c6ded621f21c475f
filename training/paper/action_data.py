# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of numbered actions, as HumanAct12 has them.

The folder holds ``motions/NAME.npy``, (T, 25, 6): of the 24 SMPL joints the local rotations as the first two columns of
their matrices, the root's first, and last a row whose first three numbers are the root's place in metres; and
``train.txt`` with a line ``NAME CLASS`` for each clip, classes counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.geometry import matrices_from_6d, pelvis_frame_tree
from training.paper.emdm_config import ActionSection

Array = NDArray[np.floating]

N_ROWS, N_BODY = 25, 22
"""Rows of a frame, and the first of them, which move joints of the body."""


@dataclass
class ActionData:
    """Clips (T, 150) and their classes."""

    clips: list[Array]
    classes: list[int]
    skipped: list[str]
    settings: ActionSection

    @classmethod
    def read(cls, folder: Path, settings: ActionSection) -> ActionData:
        """Read the training split.

        Raises
        ------
        ValueError, FileNotFoundError
            If the folder lacks a part, a class is unknown, or no clip can be used.
        """
        listing = folder / "train.txt"
        if not listing.exists() or not (folder / "motions").is_dir():
            raise FileNotFoundError(
                f"{folder} is no folder of actions: it has motions/NAME.npy, and train.txt with lines NAME CLASS."
            )
        found = cls([], [], [], settings)
        for line in listing.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            name, _, label = line.strip().rpartition(" ")
            if not name or not label.isdigit() or int(label) >= settings.actions:
                raise ValueError(
                    f"{listing}: '{line.strip()}' does not end with a class from 0 to {settings.actions - 1}."
                )
            try:
                rows = np.load(folder / "motions" / f"{name}.npy", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                found.skipped.append(f"{name}: {error}")
                continue
            if rows.ndim != 3 or rows[:1].size != settings.features or not np.isfinite(rows).all():
                found.skipped.append(f"{name}: shape {rows.shape} or NaN, expected (frames, {N_ROWS}, 6)")
                continue
            found.clips.append(rows.reshape(len(rows), -1).astype(np.float32))
            found.classes.append(int(label))
        if not found.clips:
            shown = found.skipped[0] if found.skipped else "train.txt is empty"
            raise ValueError(f"{folder} has no clip that can be trained on: {shown}.")
        return found

    def steps_an_epoch(self, batch: int) -> int:
        """Batches that one pass over the clips has; a last one that is not full is left out."""
        return max(len(self.clips) // batch, 1)

    def batches(self, batch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches from step ``first`` on: clips (B, frames, 150) and classes (B,).

        A long clip is cut from a random frame on, a short one stays in its last frame.
        """
        each, step = self.steps_an_epoch(batch), first
        while True:
            order = np.random.default_rng([0, step // each]).permutation(len(self.clips))
            random = np.random.default_rng([1, step])
            begin = step % each * batch
            chosen = order[begin : begin + batch]
            rows = np.stack([self._cut(self.clips[i], random) for i in chosen])
            yield torch.from_numpy(rows), torch.tensor([self.classes[i] for i in chosen])
            step += 1

    def _cut(self, rows: Array, random: np.random.Generator) -> Array:
        frames = self.settings.frames
        start = int(random.integers(0, max(len(rows) - frames, 0) + 1))
        part = rows[start : start + frames]
        return np.pad(part, ((0, frames - len(part)), (0, 0)), mode="edge")


def action_joints(rows: Tensor) -> Tensor:
    """Joints of the body (B, T, 22, 3) in metres of clips (B, T, 150)."""
    parts = rows.unflatten(-1, (N_ROWS, 6))
    turns = matrices_from_6d(parts[..., :N_BODY, :])
    joints = pelvis_frame_tree(turns[..., 1:, :, :]) @ turns[..., 0, :, :].mT
    return joints + parts[..., -1:, :3]
