# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle's folder must hold: the manifest's entries, its files, and the files of another one that it leans on.

A bundle may lean on another one and ship only what differs. Its manifest stays complete, ``files`` lists its own files,
and two entries say the rest::

    "shared": {"bundle": "base", "files": {"decoder.onnx": "<sha256>", "stats.npz": "<sha256>"}},
    "adapters": {"motionlcm": "motionlcm.adapter.safetensors"}

``shared`` names the other bundle's files that this one uses, with their hashes: those of one release, since adapters
fit no other weights. An adapter may be among them; a network with several has a list of them.
`motion_engine.adapter` says what an adapter is.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from motion_engine.errors import EngineError
from motion_engine.licence import allows_commercial_use

SCHEMA = 1
REINSTALL = "Install Motion Prompt again, or choose another bundle."
_REQUIRED = (
    "schema", "name", "version", "licence", "attribution", "tasks", "fps", "features", "min_frames", "max_frames",
    "downsampling", "latent_channels", "prediction", "text_encoder", "samplers", "files",
)  # fmt: skip
_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "version": str, "licence": str, "attribution": list, "tasks": list, "fps": (int, float),
    "min_frames": int, "max_frames": int, "text_encoder": str, "samplers": dict, "files": dict,
}  # fmt: skip
_PRESETS: dict[str, tuple[str, ...]] = {
    "motionlcm": ("steps", "guidance", "grid"),
    "mld": ("steps", "guidance"),
    "emdm": ("steps", "guidance", "levels", "noise_width"),
    "mote": ("steps", "guidance"),
}
"""What the engine reads of a sampler's preset."""
_WHOLE = ("steps", "grid", "levels", "noise_width", "tries")
"""Entries of a preset that are whole numbers from 1; its guidance is a number."""


def is_bundle_name(name: str) -> bool:
    """Whether a name can be typed, sent in an address, and be that of a folder."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle's folder, with every entry that the engine needs.

    Raises
    ------
    EngineError
        ``missing_bundle``, ``broken_bundle`` or ``unknown_bundle_version``.
    """
    manifest_file = folder / "manifest.json"
    if not manifest_file.exists():
        raise EngineError(
            "missing_bundle", f"There is no bundle in {folder}.", "Choose one of `motion-prompt bundles`."
        )
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _broken(f"The manifest of {folder.name} cannot be read: {error}.") from error
    missing = (
        [key for key in _REQUIRED if key not in manifest] if isinstance(manifest, dict) else list(_REQUIRED)
    )
    if missing:
        raise _broken(f"The manifest of {folder.name} lacks {', '.join(missing)}.")
    if manifest["schema"] != SCHEMA:
        raise EngineError(
            "unknown_bundle_version",
            f"The bundle {folder.name} has layout {manifest['schema']}; this engine knows layout {SCHEMA}.",
            "Update Motion Prompt, or choose another bundle.",
        )
    wrong = [key for key, kind in _TYPES.items() if not isinstance(manifest[key], kind)]
    if not wrong and not all(isinstance(preset, dict) for preset in manifest["samplers"].values()):
        wrong.append("samplers")
    if "shared" in manifest and not _is_shared(manifest["shared"]):
        wrong.append("shared")
    if not _is_table_of_adapters(manifest.get("adapters", {})):
        wrong.append("adapters")
    if wrong or not manifest["samplers"]:
        raise _broken(f"The manifest of {folder.name} has no usable {', '.join(wrong) or 'samplers'}.")
    for sampler, preset in manifest["samplers"].items():
        if absent := [key for key in _PRESETS.get(sampler, ()) if key not in preset]:
            raise _broken(f"The preset of the sampler {sampler} of {folder.name} lacks {', '.join(absent)}.")
        if unfit := [key for key, value in preset.items() if not _is_fit(key, value)]:
            raise _broken(
                f"The preset of the sampler {sampler} of {folder.name} has no usable {', '.join(unfit)}."
            )
    return dict(manifest)


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Compare the bundle's own files with their hashes.

    Raises
    ------
    EngineError
        ``broken_bundle``.
    """
    for name, expected in manifest["files"].items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise _broken(f"The bundle {folder.name} lacks its file {name}.")
        if _hash(file, folder.name) != expected:
            raise _broken(f"The file {name} of the bundle {folder.name} is damaged.")


def check_shared(folder: Path, manifest: dict[str, Any], places: Sequence[Path]) -> Path | None:
    """Find the bundle that this one leans on, and compare the shared files with their hashes.

    Parameters
    ----------
    places : folders of bundles; the first that holds one of that name is used.

    Returns
    -------
    Folder of the other bundle, None for a bundle that stands alone.

    Raises
    ------
    EngineError
        ``missing_other_bundle``, ``other_release`` or ``broken_other_bundle`` for what is wrong with the other one;
        ``broken_bundle`` for one that leans on itself, on one that leans on a third, or that tears a network apart.
    """
    if "shared" in manifest:
        name, shared = manifest["shared"]["bundle"], manifest["shared"]["files"]
        other = next((place / name for place in places if (place / name / "manifest.json").is_file()), None)
        if other is None:
            raise EngineError(
                "missing_other_bundle",
                f"The bundle {folder.name} leans on the bundle {name}, which is not installed.",
                f"Add {name} of the same release first.",
            )
        _check_other(folder, manifest, other)
        for file, expected in shared.items():
            _check_shared_file(folder, other, file, expected)
    else:
        name, shared, other = "", {}, None
    files = manifest["files"]
    for graph in {*files, *shared}:
        # a graph refers to its weights as a file beside it
        weights = Path(graph).with_suffix(".safetensors").name
        if (
            graph.endswith(".onnx")
            and weights in {*files, *shared}
            and (graph in files) != (weights in files)
        ):
            raise _broken(
                f"The bundle {folder.name} has one of {graph} and {weights}, and shares the other with {name}."
            )
    for network in manifest.get("adapters", {}):
        for adapter in adapter_names(manifest, network):
            if adapter not in {*files, *shared} or not adapter.endswith(".safetensors"):
                raise _broken(f"The bundle {folder.name} lacks its adapter {adapter}.")
            if f"{network}.safetensors" not in {*files, *shared}:
                raise _broken(
                    f"{adapter} of the bundle {folder.name} is for {network}, a network that it lacks."
                )
    return other


def adapter_names(manifest: dict[str, Any], network: str) -> list[str]:
    """Files of the adapters of a network, which a manifest names alone or in a list."""
    found = manifest.get("adapters", {}).get(network, [])
    return [found] if isinstance(found, str) else list(found)


def leans_on(folder: Path) -> str:
    """Name of the bundle that a bundle leans on, sound or not; empty for one that stands alone."""
    try:
        return str(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["shared"]["bundle"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _check_other(folder: Path, manifest: dict[str, Any], other: Path) -> None:
    """Refuse a bundle that no other one may lean on."""
    try:
        below = read_manifest(other)
    except EngineError as error:
        raise EngineError(
            "broken_other_bundle",
            f"The bundle {folder.name} leans on the bundle {other.name}, which cannot be used: {error.message}",
            f"Put {other.name} back as it was released.",
        ) from error
    if "shared" in below:
        third = below["shared"]["bundle"]
        raise _broken(
            f"The bundle {folder.name} leans on {other.name}, which leans on {third} itself: one step is the most."
        )
    if allows_commercial_use(manifest["licence"]) and not allows_commercial_use(below["licence"]):
        raise _broken(
            f"The licence of the bundle {folder.name} lets clips be sold, "
            f"but it leans on {other.name}, whose licence ({below['licence']}) forbids that."
        )


def _check_shared_file(folder: Path, other: Path, name: str, expected: str) -> None:
    file = other / name
    if file.is_file() and _hash(file, other.name) == expected:
        return
    if _listed_hash(other, name) == expected:
        raise EngineError(
            "broken_other_bundle",
            f"The bundle {folder.name} leans on the bundle {other.name}, whose file {name} is damaged or missing.",
            f"Put {other.name} back as it was released.",
        )
    raise EngineError(
        "other_release",
        f"The bundle {folder.name} leans on another release of the bundle {other.name} than the one in {other}.",
        "Both have to be of one release: get both from the same one.",
    )


def _listed_hash(folder: Path, name: str) -> str | None:
    found: str | None = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"].get(name)
    return found


def _is_fit(key: str, value: Any) -> bool:
    if key in _WHOLE:
        return type(value) is int and value >= 1
    if key == "guidance":
        return type(value) in (int, float) and math.isfinite(value)
    if key == "guidance_by_steps":
        return isinstance(value, dict) and all(_is_fit("guidance", each) for each in value.values())
    return True


def _is_shared(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(name := entry.get("bundle"), str)
        and is_bundle_name(name)
        and bool(entry.get("files"))
        and _is_table_of_words(entry["files"])
        and all(Path(file).name == file for file in entry["files"])
    )


def _is_table_of_adapters(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(names, str) or (isinstance(names, list) and all(isinstance(name, str) for name in names))
        for names in entry.values()
    )


def _is_table_of_words(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(word, str) for word in entry.values())


def _broken(message: str) -> EngineError:
    return EngineError("broken_bundle", message, REINSTALL)


def _hash(file: Path, bundle: str) -> str:
    try:
        status = file.stat()
        return _hash_of(file, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    except OSError as error:
        reason = error.strerror or error
        raise _broken(f"{file.name} of the bundle {bundle} cannot be read: {reason}.") from None


@lru_cache(maxsize=1024)
def _hash_of(file: Path, _state: tuple[int, ...]) -> str:
    """SHA-256 of a file in that state: read once a process, however many bundles share it and lists are made."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
