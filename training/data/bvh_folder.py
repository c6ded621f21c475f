# SPDX-License-Identifier: GPL-3.0-or-later
"""Import "a folder of BVH files + captions.jsonl".

``captions.jsonl`` holds one object a line::

    {"clip": "walks/take_01", "start": 0.0, "end": 7.1, "split": "train", "captions": ["a person walks forward"]}

``clip`` is the path of the BVH below the folder, without its suffix, and its first part names the source. ``start``
and ``end`` are seconds; ``split`` is train, val or test, and without it whole clips are dealt out by a hash of their
name. Folders may be packed as ``SOURCE.tar.xz`` beside the captions; they are read without being unpacked.

Where names or rest pose are not SMPL-22's, a ``skeleton.json`` beside the captions says which joint is which and
where the T-pose is: see `training.data.skeleton_map.SkeletonMap`.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from motion_engine.formats import bvh
from training.data.motion_set import MotionSet, Window, recompute_contacts
from training.data.skeleton_map import SkeletonMap, to_smpl

SHORTEST = 0.8
"""Seconds: a shorter clip is skipped."""


def import_folder(
    folder: Path, fps: float = 20.0, sources: Sequence[str] = ()
) -> tuple[MotionSet, list[str]]:
    """Read every captioned clip at ``fps``.

    Parameters
    ----------
    sources : names of the sources to take; all when empty.

    Returns
    -------
    The set, and one sentence for each clip that was skipped, with the reason.

    Raises
    ------
    FileNotFoundError, ValueError
        If the captions are missing or a line of them is malformed (with its number).
    """
    windows_by_clip: dict[str, list[Window]] = {}
    for window in _read_captions(folder / "captions.jsonl"):
        if not sources or window.source in sources:
            windows_by_clip.setdefault(window.clip, []).append(window)
    map_file = folder / "skeleton.json"
    skeleton_map = SkeletonMap.read(map_file) if map_file.exists() else SkeletonMap()

    found = MotionSet({}, [], fps)
    skipped = []
    seen = set()
    wanted_sources = sorted({clip.split("/")[0] for clip in windows_by_clip})
    with tqdm(total=len(windows_by_clip), desc="clips", unit="clip") as bar:
        for clip, path in _bvh_files(folder, wanted_sources):
            if clip not in windows_by_clip:
                continue
            seen.add(clip)
            bar.update()
            try:
                motion = to_smpl(bvh.read(path), skeleton_map)
            except ValueError as error:
                skipped.append(f"{clip}: {error}")
                continue
            if motion.duration < SHORTEST:
                skipped.append(f"{clip}: {motion.duration:.2f} s long, shorter than {SHORTEST} s")
                continue
            found.motions[clip] = recompute_contacts(motion.resample(fps))
            found.windows += windows_by_clip[clip]
    skipped += [
        f"{clip}: captioned, but there is no such BVH file" for clip in sorted(set(windows_by_clip) - seen)
    ]
    if not found.motions:
        raise ValueError(f"No clip of {folder} could be read. " + " ".join(skipped[:3]))
    return found, skipped


def _read_captions(path: Path) -> Iterator[Window]:
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: it says which clip does what.")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            captions = tuple(caption.strip() for caption in data["captions"] if caption.strip())
            window = Window(
                data["clip"],
                float(data["start"]),
                float(data["end"]),
                data.get("split") or _deal(data["clip"]),
                captions,
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path.name}, line {number}: {error!r} in {line[:80]!r}.") from error
        if captions and window.end > window.start:
            yield window


def _deal(clip: str) -> str:
    """Split of a clip that has none: 80, 5 and 15 of a hundred, the same on every machine."""
    share = zlib.crc32(clip.encode()) % 100
    return "train" if share < 80 else "val" if share < 85 else "test"


def _bvh_files(folder: Path, sources: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for source in sources:
        archive = folder / f"{source}.tar.xz"
        if (folder / source).is_dir() or not archive.exists():
            for path in sorted((folder / source).rglob("*.bvh")):
                yield path.relative_to(folder).with_suffix("").as_posix(), path
        else:
            with tempfile.TemporaryDirectory() as scratch, tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and member.name.endswith(".bvh"):
                        tar.extract(member, scratch, filter="data")
                        path = Path(scratch) / member.name
                        yield path.relative_to(scratch).with_suffix("").as_posix(), path
                        path.unlink()
