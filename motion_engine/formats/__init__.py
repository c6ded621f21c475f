# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing motion files. A file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from motion_engine.motion import Motion

SUFFIXES = (".npz", ".bvh", ".glb", ".fbx")


def check_suffix(path: str | Path) -> str:
    """Lower-case suffix of ``path`` if `save` can write it.

    Raises
    ------
    ValueError
        Names the suffixes that can be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"Cannot write {Path(path).name!r}: the file name must end in {', '.join(SUFFIXES)}."
        )
    return suffix


def save(motion: Motion, path: str | Path) -> None:
    """Write ``motion`` in the format that the suffix of ``path`` names."""
    suffix = check_suffix(path)
    if suffix == ".npz":
        from motion_engine.formats import npz

        npz.save(motion, path)
    elif suffix == ".bvh":
        from motion_engine.formats import bvh

        bvh.save(motion, path)
    elif suffix == ".glb":
        from motion_engine.formats import glb

        glb.save(motion, path)
    else:
        from motion_engine.formats import fbx

        fbx.save(motion, path)
