# SPDX-License-Identifier: GPL-3.0-or-later
"""Model packs: each bundle under a licence that forbids selling becomes a zip of its own.

`build_addon.py --models` calls this. ``motion-prompt bundles add``, or "Add Model..." in the sidebar, takes the zip.
Standard library only, as everything that builds.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
import zipfile
from pathlib import Path
from typing import Any

from motion_engine.licence import allows_commercial_use  # needs the standard library only, too

ROOT = Path(__file__).resolve().parent
SHIPPED = ROOT / "assets" / "models"
NON_COMMERCIAL = ROOT / "assets" / "models_noncommercial"
TIMESTAMP = (2026, 1, 1, 0, 0, 0)  # in every zip entry, so that equal content gives equal bytes


class PackError(Exception):
    """A pack cannot be written; the message says why and what to do."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a bundle's folder, after checking its files.

    Raises
    ------
    PackError
        If the manifest or a file is missing or damaged, or it leans on another bundle than this release ships.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files: dict[str, str] = manifest["files"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", manifest["name"]):
            raise ValueError(f"{manifest['name']!r} is no name for a bundle")
        for name, expected in files.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{name} is not the file that the manifest lists")
        if "shared" in manifest:
            other = manifest["shared"]["bundle"]
            shipped = json.loads((SHIPPED / other / "manifest.json").read_text(encoding="utf-8"))["files"]
            for name, expected in manifest["shared"]["files"].items():
                if shipped.get(name) != expected:
                    raise ValueError(
                        f"it was made for another release of {other}, whose {name} was different"
                    )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackError(f"{folder} holds no sound bundle: {error}. Export it again.") from None
    return dict(manifest)


def licence_text(manifest: dict[str, Any]) -> str:
    """Return the text of ``LICENCE.txt``: the licence, what it forbids, and whom to credit."""
    lines = [
        f"{manifest.get('title', manifest['name'])} {manifest['version']}",
        "A model for Motion Prompt.",
        "",
    ]
    if manifest.get("description"):
        lines += [*textwrap.wrap(manifest["description"], 100), ""]
    lines.append(f"Licence of the weights: {manifest['licence']}")
    if not allows_commercial_use(manifest["licence"]):
        lines.append("NON-COMMERCIAL. Clips made with it must not be sold.")
    if "shared" in manifest:
        lines.append(
            f"It uses files of the model {manifest['shared']['bundle']}, which comes with Motion Prompt."
        )
    lines += ["", "The model was made from these data. Pass their credit on with it and with its clips:", ""]
    for credit in manifest["attribution"]:
        lines += textwrap.wrap(
            credit, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"


def write_pack(folder: Path, out_folder: Path) -> Path:
    """Write ``motion-prompt-model-NAME-VERSION.zip`` of a bundle's folder; return its path.

    Raises
    ------
    PackError
        As for `read_manifest`.
    """
    manifest = read_manifest(folder)
    name = manifest["name"]
    out = out_folder / f"motion-prompt-model-{name}-{manifest['version']}.zip"
    partial = out.with_name(out.name + ".part")
    contents = {entry: (folder / entry).read_bytes() for entry in ["manifest.json", *manifest["files"]]}
    contents["LICENCE.txt"] = licence_text(manifest).encode("utf-8")
    with zipfile.ZipFile(partial, "w") as archive:
        for entry_name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{name}/{entry_name}", TIMESTAMP)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    partial.replace(out)
    return out


def write_packs(out_folder: Path, folder: Path = NON_COMMERCIAL) -> list[Path]:
    """Write a pack of each bundle in a folder; return their paths, in the order of the bundles' names."""
    return [write_pack(manifest.parent, out_folder) for manifest in sorted(folder.glob("*/manifest.json"))]


def check_shipped(manifests: dict[str, bytes]) -> None:
    """Make sure that nothing non-commercial comes along in what is shipped.

    Parameters
    ----------
    manifests : contents of the manifests by their names.

    Raises
    ------
    PackError
        If one of them forbids selling.
    """
    for name, content in manifests.items():
        licence = str(json.loads(content)["licence"])
        if not allows_commercial_use(licence):
            raise PackError(
                f"{name} is under {licence}: it belongs into {NON_COMMERCIAL}, not into the engine."
            )
