# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the standard HumanML3D folder: features of flavour ``ik`` with their captions.

The folder holds ``new_joint_vecs/ID.npy``, ``texts/ID.txt`` and ``train.txt``, ``val.txt``, ``test.txt``; ids that
begin with M are mirrored copies. A line of a text is ``caption#word/POS ...#start#end``, times in seconds, 0 and 0
for the whole clip; a caption of a part makes an item of its own, as in the reference loader.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motion_engine.features import N_FEATURES
from training.data.motion_set import Item

FPS = 20.0
SHORTEST, LONGEST = 40, 200
"""Frames: the reference loader keeps 40 <= T < 200."""


@dataclass
class HumanML3D:
    """The dataset as items; ``skipped`` holds a sentence for each file that could not be used.

    KIT-ML has the same layout with 251 numbers a frame, 12.5 frames a second and clips from 24 frames.
    """

    folder: Path
    fps: float = FPS
    n_features: int = N_FEATURES
    shortest: int = SHORTEST
    skipped: list[str] = field(default_factory=list)

    def items(self, split: str, mirrored: bool, context: float = 0.0) -> Iterator[Item]:
        """Items of a split, without the mirrored ids where ``mirrored`` is False.

        ``context`` is ignored: the clips of HumanML3D are already cut.

        Raises
        ------
        FileNotFoundError
            If the folder has no list of that split.
        """
        listing = self.folder / f"{split}.txt"
        if not listing.exists():
            raise FileNotFoundError(f"{listing} is missing: it lists the clips of the split.")
        for name in listing.read_text(encoding="utf-8").split():
            if name.startswith("M") and not mirrored:
                continue
            try:
                rows = np.load(self.folder / "new_joint_vecs" / f"{name}.npy", allow_pickle=False)
                lines = (self.folder / "texts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
            except (OSError, ValueError, EOFError) as error:
                self.skipped.append(f"{name}: {error}")
                continue
            if rows.ndim != 2 or rows.shape[1] != self.n_features or not np.isfinite(rows).all():
                self.skipped.append(
                    f"{name}: shape {rows.shape} or NaN, expected (frames, {self.n_features})"
                )
                continue
            yield from self._cut(name, rows.astype(np.float32), lines)

    def _cut(self, name: str, rows: np.ndarray, lines: list[str]) -> Iterator[Item]:
        whole = []
        for line in lines:
            parts = line.strip().split("#")
            if len(parts) != 4 or not parts[0].strip():
                continue
            start, end = (0.0 if math.isnan(value) else value for value in (float(parts[2]), float(parts[3])))
            if start == 0.0 and end == 0.0:
                whole.append(parts[0].strip())
                continue
            part = rows[int(start * self.fps) : int(end * self.fps)]
            if self.shortest <= len(part) < LONGEST:
                yield Item(part, (parts[0].strip(),), "humanml3d", name)
        if whole and self.shortest <= len(rows) < LONGEST:
            yield Item(rows, tuple(whole), "humanml3d", name)
        elif whole:
            self.skipped.append(f"{name}: {len(rows)} frames, outside {self.shortest} to {LONGEST - 1}")
