# SPDX-License-Identifier: GPL-3.0-or-later
"""Model packs for tests: the shipped bundle under another name and licence, and bundles that lean on another."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motion_engine import bundle as bundles

NON_COMMERCIAL = "CC-BY-NC-4.0"


def copy_of_base(folder: Path, **changes: Any) -> Path:
    """The default bundle in a new folder; ``changes`` go into its manifest."""
    shutil.copytree(bundles.find(None).path, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"name": folder.name, "title": folder.name.title(), "licence": NON_COMMERCIAL} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def leaning_on(
    base: Path, folder: Path, adapters: Mapping[str, Mapping[str, np.ndarray]] | None = None, **changes: Any
) -> Path:
    """A bundle that shares all files of another one; ``adapters`` by network, ``changes`` go into its manifest."""
    folder.mkdir(parents=True)
    manifest = json.loads((base / "manifest.json").read_text(encoding="utf-8"))
    manifest["shared"] = {"bundle": base.name, "files": manifest["files"]}
    manifest |= {"name": folder.name, "title": folder.name.title(), "licence": NON_COMMERCIAL, "adapters": {}}
    manifest["files"] = {}
    for network, arrays in (adapters or {}).items():
        from safetensors.numpy import save_file

        name = f"{network}.adapter.safetensors"
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, folder / name)
        manifest["adapters"][network] = name
        manifest["files"][name] = sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")
    return folder


def sha256(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def zip_of(bundle: Path, file: Path, top: str = "") -> Path:
    """A pack of the files of a folder, under ``top`` inside the zip."""
    with zipfile.ZipFile(file, "w") as archive:
        for item in sorted(bundle.iterdir()):
            archive.write(item, f"{top}{item.name}")
    return file
