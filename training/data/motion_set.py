# SPDX-License-Identifier: GPL-3.0-or-later
"""`MotionSet`: many captioned clips in one compact file.

Rotations are kept as rotation vectors in 16-bit fractions of pi (0.1 mrad), root positions in tenths of a
millimetre: seven hours at 20 frames a second fit into about 50 MB, and the 263 features, mirrored copies included,
are computed from it in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import features, skeleton
from motion_engine import quaternion as quat
from motion_engine.contacts import detect_contacts
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion
from training.data.captions import mirror_caption

Array = NDArray[np.floating]

_ROTATION_UNIT = np.pi / 32767
_ROOT_UNIT = 1e-4
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Window:
    """A captioned part of a clip; ``start`` and ``end`` are seconds of the clip."""

    clip: str
    start: float
    end: float
    split: str
    captions: tuple[str, ...]

    @property
    def source(self) -> str:
        """The folder that the clip came from: its sampling group and licence."""
        return self.clip.split("/")[0]


@dataclass
class Item:
    """One training item: features (T, 263) float32, not normalised, and its captions."""

    features: Array
    captions: tuple[str, ...]
    source: str
    clip: str


@dataclass
class MotionSet:
    """Motions by clip name, the captioned windows into them, and the rate they share."""

    motions: dict[str, Motion]
    windows: list[Window]
    fps: float

    def save(self, path: Path) -> None:
        """Write one ``.npz``, under a temporary name first."""
        names = list(self.motions)
        lengths = np.array([self.motions[name].n_frames for name in names])
        rotations = np.concatenate(
            [quat.to_axis_angle(self.motions[n].rotations.astype(float)) for n in names]
        )
        root = np.concatenate([self.motions[name].root for name in names])
        contacts = np.concatenate([self.motions[name].contacts for name in names])
        with replacing(path) as file:
            np.savez_compressed(
                file,
                names=np.array(names),
                lengths=lengths,
                rotations=np.round(rotations / _ROTATION_UNIT).astype(np.int16),
                root=np.round(root / _ROOT_UNIT).astype(np.int32),
                contacts=np.packbits(contacts),
                windows=np.array(json.dumps([asdict(window) for window in self.windows])),
                fps=np.array(self.fps),
            )

    @classmethod
    def load(cls, path: Path) -> MotionSet:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            rotations = quat.from_axis_angle(data["rotations"].astype(float) * _ROTATION_UNIT)
            root = data["root"].astype(float) * _ROOT_UNIT
            contacts = np.unpackbits(data["contacts"])[: 4 * len(root)].reshape(-1, 4).astype(bool)
            ends = np.cumsum(data["lengths"])
            fps = float(data["fps"])
            motions = {}
            for name, start, end in zip(data["names"], ends - data["lengths"], ends, strict=True):
                part = slice(int(start), int(end))
                motions[str(name)] = Motion.from_rotations(
                    rotations[part], root[part], fps, None, contacts[part]
                )
            windows = [
                Window(**{**w, "captions": tuple(w["captions"])}) for w in json.loads(str(data["windows"]))
            ]
        return cls(motions, windows, fps)

    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return sorted({window.source for window in self.windows})

    def summary(self) -> str:
        """One line a source: clips, minutes, windows, captions, windows of each split."""
        lines = []
        for source in self.sources():
            windows = [w for w in self.windows if w.source == source]
            clips = {w.clip for w in windows}
            minutes = sum(self.motions[clip].duration for clip in clips) / 60
            captions = len({c for w in windows for c in w.captions})
            split = ", ".join(f"{s} {sum(w.split == s for w in windows)}" for s in SPLITS)
            lines.append(
                f"{source:12} {len(clips):5} clips {minutes:6.1f} min {len(windows):5} windows ({split}) "
                f"{captions:6} captions"
            )
        return "\n".join(lines)

    def items(self, split: str, mirrored: bool, context: float = 0.0) -> Iterator[Item]:
        """Training items of a split; mirrored copies follow their originals.

        Parameters
        ----------
        context : float
            Seconds added on both sides of each window where the clip has them.
        """
        by_clip: dict[str, list[Window]] = {}
        for window in self.windows:
            if window.split == split:
                by_clip.setdefault(window.clip, []).append(window)
        for clip, windows in by_clip.items():
            encoded = features.encode(self.motions[clip]).astype(np.float32)
            yield from self._cut(encoded, windows, context, "")
            if mirrored:
                yield from self._cut(features.mirror(encoded), windows, context, "/mirrored")

    def _cut(self, rows: Array, windows: list[Window], context: float, suffix: str) -> Iterator[Item]:
        for window in windows:
            first = max(round((window.start - context) * self.fps), 0)
            last = min(round((window.end + context) * self.fps), len(rows))
            captions = tuple(map(mirror_caption, window.captions)) if suffix else window.captions
            if last - first >= 2:
                yield Item(rows[first:last], captions, window.source, window.clip + suffix)


def window_motion(motion_set: MotionSet, window: Window) -> Motion:
    """The measured motion of a window."""
    motion = motion_set.motions[window.clip]
    end = min(window.end, motion.duration)
    return motion.trim(window.start, end)


def recompute_contacts(motion: Motion) -> Motion:
    """The motion with contacts detected anew on the floor y = 0, after a change of rate."""
    motion.contacts = detect_contacts(motion.joints, motion.fps, floor=0.0)
    return motion


def manifest_of(motion_set: MotionSet) -> dict[str, Any]:
    """Numbers about the set for a bundle's manifest."""
    return {
        "sources": motion_set.sources(),
        "clips": len(motion_set.motions),
        "minutes": round(sum(m.duration for m in motion_set.motions.values()) / 60, 1),
        "windows": len(motion_set.windows),
        "joints": skeleton.N_JOINTS,
    }
