# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of motion files: which files it has, and their clips one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion_engine.captioning import blender_reader
from motion_engine.captioning.canonical import Clip
from motion_engine.errors import EngineError

SUFFIXES = (".npz", *blender_reader.SUFFIXES)


@dataclass(frozen=True)
class FileClip:
    """A clip of a file, or the problem with the file.

    Attributes
    ----------
    file : its name under the folder, with slashes.
    name : of the Action, in a file that has several; empty otherwise.
    is_last : no other clip of this file follows.
    """

    file: str
    name: str
    clip: Clip | EngineError
    is_last: bool = True


def motion_files(place: Path) -> tuple[Path, list[str]]:
    """The folder, and the motion files under it by name; of a single file its folder and its name.

    Raises
    ------
    EngineError
        ``cannot_read``, ``unknown_format`` or ``no_clips``.
    """
    wanted = ", ".join(SUFFIXES)
    if place.is_file():
        if place.suffix.lower() not in SUFFIXES:
            raise EngineError(
                "unknown_format",
                f"'{place}' cannot be read.",
                f"Give a file that ends in {wanted}, or a folder.",
            )
        return place.parent, [place.name]
    if not place.is_dir():
        raise EngineError("cannot_read", f"There is no file or folder '{place}'.", "Check the name.")
    found = sorted(
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise EngineError(
            "no_clips", f"'{place}' holds no motion files.", f"Files that end in {wanted} are read."
        )
    return place, found


def clips_of(folder: Path, files: Sequence[str]) -> Iterator[FileClip]:
    """The clips of files: first those that are read here, then those that Blender has to open."""
    for_blender = []
    for file in files:
        path = folder / file
        if path.suffix.lower() in (".npz", ".bvh"):
            try:
                yield FileClip(file, "", _read_here(path))
                continue
            except EngineError as error:
                if error.code != "other_rig":
                    yield FileClip(file, "", error)
                    continue
        for_blender.append(file)
    if not for_blender:
        return
    try:
        for file, read in zip(
            for_blender, blender_reader.read([folder / f for f in for_blender]), strict=True
        ):
            if read.problem is not None:
                yield FileClip(file, "", read.problem)
            for number, (name, clip) in enumerate(read.clips, start=1):
                several = len(read.clips) > 1
                yield FileClip(file, name if several else "", clip, number == len(read.clips))
    except EngineError as error:
        if error.code not in ("no_blender", "no_addon", "blender_failed"):
            raise
        for file in for_blender:
            yield FileClip(file, "", error)


def _read_here(path: Path) -> Clip:
    """The clip of a ``.npz`` or ``.bvh``; EngineError ``other_rig`` for a BVH whose joints have other names."""
    from motion_engine import skeleton
    from motion_engine.formats import bvh, npz

    try:
        if path.suffix.lower() == ".npz":
            return Clip.of(npz.load(path))
        names = bvh.joint_names(path)
        if names and not set(skeleton.JOINT_NAMES) <= set(names):
            raise EngineError("other_rig", f"{path.name} has other joints than SMPL.", "Blender can read it.")
        return Clip.of(bvh.load(path))
    except OSError as error:
        raise EngineError(
            "cannot_read", f"Cannot read '{path}': {error.strerror or error}.", "Check the file."
        ) from None
    except ValueError as error:
        raise EngineError("bad_file", str(error), "Export the file again from where it came.") from None
