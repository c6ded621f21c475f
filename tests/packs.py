# SPDX-License-Identifier: GPL-3.0-or-later
"""Model packs for tests: the shipped bundle under another name and licence."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from motion_engine import bundle as bundles

NON_COMMERCIAL = "CC-BY-NC-4.0"


def copy_of_base(folder: Path, **changes: Any) -> Path:
    """The default bundle in a new folder; ``changes`` go into its manifest."""
    shutil.copytree(bundles.find(None).path, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"name": folder.name, "title": folder.name.title(), "licence": NON_COMMERCIAL} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def zip_of(bundle: Path, file: Path, top: str = "") -> Path:
    """A pack of the files of a folder, under ``top`` inside the zip."""
    with zipfile.ZipFile(file, "w") as archive:
        for item in sorted(bundle.iterdir()):
            archive.write(item, f"{top}{item.name}")
    return file
