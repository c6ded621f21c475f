# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs: a bundle as one zip. Adding one to the user's own bundles, and removing it again.

A pack holds the files of a bundle, at its top or in one folder, and nothing that a manifest does not list.
It is unpacked and checked in a folder that no listing sees, and renamed when all is well.
"""

from __future__ import annotations

import errno
import json
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from motion_engine.bundle import (
    Bundle,
    default_bundles_dir,
    is_bundle_name,
    list_bundles,
    load,
    text_encoder_dir,
    user_bundles_dir,
)
from motion_engine.errors import EngineError

LICENCE_FILE = "LICENCE.txt"
MAX_BYTES = 8 << 30
"""Largest pack, unpacked."""
MAX_MANIFEST = 4 << 20
MAX_FILES = 1000
SENTENCE_NETWORK = "text_encoder.onnx"
AGAIN = "Get the pack again: its download may have been cut short."
STALE_SECONDS = 3600.0


def add(source: Path) -> Bundle:
    """Add a pack (zip) or a bundle's folder to the user's own bundles.

    Raises
    ------
    EngineError
        ``missing_pack``, ``not_a_pack``, ``broken_pack``, ``unsafe_pack``, ``bundle_exists``, ``no_space``,
        ``cannot_write`` or what `load` finds wrong; nothing has been added then.
    """
    target = user_bundles_dir()
    with _hidden_folder(target, ".adding-") as hidden:
        folder = hidden / "bundle"
        folder.mkdir()
        if source.is_dir():
            _copy(source, folder)
        elif source.is_file():
            _unpack(source, folder)
        else:
            raise EngineError("missing_pack", f"There is no file {source}.", "Check its name.")
        bundle = _check(folder, source)
        try:
            folder.rename(target / bundle.name)
        except OSError as error:
            raise _cannot_write(target, error) from None
    return replace(bundle, path=target / bundle.name)


def remove(name: str) -> Path:
    """Delete one of the user's own bundles, usable or not; returns where it was.

    Raises
    ------
    EngineError
        ``unknown_bundle``, ``shipped_bundle``, ``bundle_needed`` or ``cannot_write``; it is still there then.
    """
    known = list_bundles()
    own = [info for info in known if info.own and name in (info.name, info.path.name)]
    if not own:
        if any(info.name == name for info in known):
            raise EngineError(
                "shipped_bundle",
                f"The bundle {name!r} comes with Motion Prompt.",
                "Only added ones can be removed.",
            )
        names = ", ".join(info.name for info in known if info.own) or "none"
        raise EngineError("unknown_bundle", f"There is no bundle {name!r}.", f"Added: {names}.")
    folder = own[0].path
    # one that leans on another looks for it beside itself, then among those that ship
    needed = not (default_bundles_dir() / folder.name).exists()
    for info in known:
        if needed and info.path != folder and info.path.parent / info.leans_on == folder:
            raise EngineError(
                "bundle_needed",
                f"The bundle {info.name!r} leans on {name!r}.",
                f"Remove {info.name!r} first.",
            )
    with _hidden_folder(folder.parent, ".removing-") as hidden:
        try:
            folder.rename(hidden / "bundle")  # all of it or nothing: a file in use makes this fail
        except OSError as error:
            raise EngineError(
                "cannot_write",
                f"{folder} cannot be removed: {error.strerror or error}.",
                "End the programs that use it, or check the permissions of its folder.",
            ) from None
    return folder


@contextmanager
def _hidden_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder beside the bundles that no listing sees; it is gone when the block ends."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in [*parent.glob(".adding-*"), *parent.glob(".removing-*")]:  # by a process that was killed
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        hidden = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise _cannot_write(parent, error) from None
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _check(folder: Path, source: Path) -> Bundle:
    """The unpacked bundle, checked as the engine will, and against those that are there."""
    try:
        bundle = load(folder, user_bundles_dir())
    except EngineError as error:
        message = error.message.replace(f"bundle {folder.name}", f"bundle in {source.name}")
        message = message.replace(f"manifest of {folder.name}", f"manifest in {source.name}")
        fix = AGAIN if error.code == "broken_bundle" else error.fix
        raise EngineError(error.code, message, fix) from None
    if not is_bundle_name(bundle.name):
        raise EngineError(
            "bad_name",
            f"{bundle.name!r} cannot be the name of a bundle.",
            "Use letters, digits, '-', '_' and '.'.",
        )
    needed = "stats.npz", "decoder.onnx", *(f"{sampler}.onnx" for sampler in bundle.samplers)
    lacking = [file for file in needed if file not in bundle.files]
    if lacking:
        raise EngineError(
            "broken_bundle", f"The bundle in {source.name} lacks {', '.join(lacking)}.", "Export it again."
        )
    if SENTENCE_NETWORK not in bundle.files:
        if not is_bundle_name(bundle.manifest["text_encoder"]):
            raise EngineError("broken_bundle", f"The bundle in {source.name} names no text encoder.", AGAIN)
        text_encoder_dir(bundle.manifest["text_encoder"])
    for info in list_bundles():
        if bundle.name.casefold() not in (info.name.casefold(), info.path.name.casefold()):
            continue
        if not info.own:
            raise EngineError(
                "bundle_exists",
                f"Motion Prompt itself comes with a bundle named {info.name!r}.",
                "Give yours another name in its manifest.json.",
            )
        raise EngineError(
            "bundle_exists",
            f"A bundle named {info.name!r} was added before.",
            "Remove that one first.",
        )
    return bundle


# --- from a zip -----------------------------------------------------------------------------------------


def _unpack(source: Path, folder: Path) -> None:
    """Write the manifest and the files that it lists; EngineError for a zip that is damaged or none of ours."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = _entries(archive, source)
            sizes = {name: entry.file_size for name, entry in entries.items()}
            _check_manifest_size(sizes["manifest.json"], source)
            listed = _listed(archive.read(entries["manifest.json"]), sizes, source)
            for name in listed:
                with archive.open(entries[name]) as stream:
                    _write(stream, folder / name)
    except EngineError:
        raise
    except OSError as error:
        raise _cannot_read(source, error) from None
    except Exception as error:  # damage shows in many ways: headers, checksums, encryption, decompression
        if not zipfile.is_zipfile(source):
            raise EngineError(
                "not_a_pack", f"{source.name} is no zip, or only the beginning of one.", AGAIN
            ) from None
        reason = str(error).rstrip(".") or type(error).__name__
        raise EngineError("broken_pack", f"{source.name} is damaged: {reason}.", AGAIN) from None


def _entries(archive: zipfile.ZipFile, source: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of the pack by their names in the bundle."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        mode = entry.external_attr >> 16
        if (
            path.is_absolute()
            or ".." in path.parts
            or any(mark in entry.orig_filename for mark in ("\\", ":", "\0"))
            or stat.S_ISLNK(mode)
        ):
            raise EngineError(
                "unsafe_pack",
                f"{source.name} holds a path that leaves its folder: {entry.orig_filename!r}.",
                "Do not use this file; get the pack from its author.",
            )
    manifests = [entry.filename for entry in files if PurePosixPath(entry.filename).name == "manifest.json"]
    if len(manifests) != 1 or len(PurePosixPath(manifests[0]).parts) > 2 or len(files) > MAX_FILES:
        is_addon = any(entry.filename == "blender_manifest.toml" for entry in files)
        raise EngineError(
            "not_a_pack",
            f"{source.name} is " + ("the add-on itself." if is_addon else "no model pack: it has no manifest.json."),
            "Install it under Preferences > Get Extensions." if is_addon else "Choose the zip of a model.",
        )  # fmt: skip
    top = PurePosixPath(manifests[0]).parent
    return {
        PurePosixPath(entry.filename).name: entry
        for entry in files
        if PurePosixPath(entry.filename).parent == top
    }


# --- from either ----------------------------------------------------------------------------------------


def _copy(source: Path, folder: Path) -> None:
    """Copy a bundle's folder: the manifest and the files that it lists."""
    try:
        sizes = {file.name: file.stat().st_size for file in source.iterdir() if file.is_file()}
        if "manifest.json" not in sizes:
            raise EngineError(
                "not_a_pack",
                f"{source} is no bundle: it has no manifest.json.",
                "Choose the folder of one bundle, or its zip.",
            )
        _check_manifest_size(sizes["manifest.json"], source)
        for name in _listed((source / "manifest.json").read_bytes(), sizes, source):
            with (source / name).open("rb") as stream:
                _write(stream, folder / name)
    except OSError as error:
        raise _cannot_read(source, error) from None


def _listed(manifest: bytes, sizes: dict[str, int], source: Path) -> list[str]:
    """The names to take over: the manifest, what it lists, and the text of the licence. They fit on the disk."""
    try:
        files = json.loads(manifest)["files"]
        if not isinstance(files, dict):
            raise TypeError("'files' is no table")
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            "broken_bundle", f"The manifest in {source.name} cannot be read: {error}.", AGAIN
        ) from None
    lacking = [name for name in files if name not in sizes]
    if lacking:
        raise EngineError("broken_bundle", f"{source.name} lacks the file {lacking[0]!r}.", AGAIN)
    listed = list(dict.fromkeys(["manifest.json", *files]))
    if LICENCE_FILE in sizes and LICENCE_FILE not in files:
        listed.append(LICENCE_FILE)
    needed = sum(sizes[name] for name in listed)
    free = shutil.disk_usage(user_bundles_dir()).free
    if needed > min(free, MAX_BYTES):
        reason = f"the disk has {free / 1e6:.0f} MB left" if needed > free else "no model is that large"
        raise EngineError(
            "no_space",
            f"The bundle in {source.name} takes {needed / 1e6:.0f} MB; {reason}.",
            f"Make room on the disk of {user_bundles_dir()}." if needed > free else AGAIN,
        )
    return listed


def _check_manifest_size(size: int, source: Path) -> None:
    if size > MAX_MANIFEST:
        raise EngineError("not_a_pack", f"The manifest in {source.name} is too large to be one.", AGAIN)


def _write(stream: IO[bytes], path: Path) -> None:
    """Copy a stream into a new file; what goes wrong with writing is told apart from what does with reading."""
    try:
        file = path.open("xb")
    except OSError as error:
        raise _cannot_write(user_bundles_dir(), error) from None
    with file:
        while piece := stream.read(1 << 20):
            try:
                file.write(piece)
                file.flush()
            except OSError as error:
                raise _cannot_write(user_bundles_dir(), error) from None


def _cannot_read(source: Path, error: OSError) -> EngineError:
    return EngineError(
        "cannot_read", f"{source} cannot be read: {error.strerror or error}.", "Check the file."
    )


def _cannot_write(folder: Path, error: OSError) -> EngineError:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return EngineError("no_space", f"There is no room left in {folder}.", "Make room on its disk.")
    return EngineError(
        "cannot_write",
        f"{folder} cannot be written: {error.strerror or error}.",
        "Check its permissions, or set MOTION_PROMPT_USER_BUNDLES to another folder.",
    )
