# SPDX-License-Identifier: GPL-3.0-or-later
"""Model bundles: a folder with a manifest, statistics and networks, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine.errors import EngineError

SCHEMA = 1
REINSTALL = "Install Motion Prompt again, or choose another bundle."
_REQUIRED = (
    "schema", "name", "version", "licence", "attribution", "tasks", "fps", "features", "min_frames", "max_frames",
    "downsampling", "latent_channels", "prediction", "text_encoder", "samplers", "files",
)  # fmt: skip


@dataclass(frozen=True)
class BundleInfo:
    """A line of a menu: what is in a folder, and whether it can be used."""

    name: str
    path: Path
    title: str
    licence: str
    ok: bool
    problem: str = ""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle.

    Attributes
    ----------
    path : its folder.
    manifest : what ``manifest.json`` says.
    """

    path: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Short name, used in requests."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """Version of the weights."""
        return str(self.manifest["version"])

    @property
    def fps(self) -> float:
        """Frames a second that the model makes."""
        return float(self.manifest["fps"])

    @property
    def min_frames(self) -> int:
        """Shortest clip in frames."""
        return int(self.manifest["min_frames"])

    @property
    def max_frames(self) -> int:
        """Longest clip in frames."""
        return int(self.manifest["max_frames"])

    @property
    def samplers(self) -> dict[str, dict[str, Any]]:
        """Presets by sampler: steps, guidance, limits."""
        return dict(self.manifest["samplers"])

    @property
    def default_sampler(self) -> str:
        """The sampler that is used when a request names none."""
        return next(
            (name for name, preset in self.samplers.items() if preset.get("default")),
            next(iter(self.samplers)),
        )

    @property
    def can_control(self) -> bool:
        """Whether it has a control network of the kind that `motion_engine.control_sampling` runs."""
        return "control" in self.manifest["tasks"] and "control" in self.manifest.get("networks", {})

    @property
    def controls_frames(self) -> bool:
        """Whether control goes on in decoded frames (`motion_engine.runtime.torch.frame_control`)."""
        return self.can_control and "control_frames" in self.manifest["networks"]

    @cached_property
    def sha256(self) -> str:
        """Hash of the manifest, which holds the hashes of all files: names the weights exactly."""
        return hashlib.sha256((self.path / "manifest.json").read_bytes()).hexdigest()

    @cached_property
    def stats(self) -> dict[str, NDArray[np.float32]]:
        """``mean``, ``std`` (263,) of features and ``latent_mean``, ``latent_std`` (C,)."""
        with np.load(self.path / "stats.npz", allow_pickle=False) as data:
            return {name: data[name].astype(np.float32) for name in data.files}


def default_bundles_dir() -> Path:
    """Where bundles are: ``MOTION_PROMPT_BUNDLES``, else inside the package, else ``assets/models`` of a checkout."""
    override = os.environ.get("MOTION_PROMPT_BUNDLES")
    return Path(override) if override else _assets() / "models"


def text_encoder_dir(name: str) -> Path:
    """Folder of a shipped text encoder.

    Raises
    ------
    EngineError
        If it is not there.
    """
    folder = _assets() / "text_encoders" / name
    if not (folder / "manifest.json").exists():
        raise EngineError("missing_text_encoder", f"The text encoder {name} is not installed.", REINSTALL)
    return folder


def _assets() -> Path:
    package = Path(__file__).resolve().parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent / "assets"


def load(path: str | Path) -> Bundle:
    """Read and check a bundle folder: schema, required entries, and the hash of every file.

    Raises
    ------
    EngineError
        With a sentence on what is wrong and what to do.
    """
    path = Path(path)
    manifest_file = path / "manifest.json"
    if not manifest_file.exists():
        raise EngineError(
            "missing_bundle", f"There is no bundle in {path}.", "Choose one of `motion-prompt bundles`."
        )
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise EngineError(
            "broken_bundle", f"The manifest of {path.name} cannot be read: {error}.", REINSTALL
        ) from error
    missing = (
        [key for key in _REQUIRED if key not in manifest] if isinstance(manifest, dict) else list(_REQUIRED)
    )
    if missing:
        raise EngineError(
            "broken_bundle", f"The manifest of {path.name} lacks {', '.join(missing)}.", REINSTALL
        )
    if manifest["schema"] != SCHEMA:
        raise EngineError(
            "unknown_bundle_version",
            f"The bundle {path.name} has layout {manifest['schema']}; this engine knows layout {SCHEMA}.",
            "Update Motion Prompt, or choose another bundle.",
        )
    for name, expected in manifest["files"].items():
        file = path / name
        if Path(name).name != name or not file.is_file():
            raise EngineError("broken_bundle", f"The bundle {path.name} lacks its file {name}.", REINSTALL)
        if _hash(file) != expected:
            raise EngineError(
                "broken_bundle", f"The file {name} of the bundle {path.name} is damaged.", REINSTALL
            )
    return Bundle(path, manifest)


def list_bundles(directory: Path | None = None) -> list[BundleInfo]:
    """Every bundle of a folder (the default one when None), the default bundle ``base`` first."""
    directory = directory or default_bundles_dir()
    found = []
    for manifest_file in sorted(directory.glob("*/manifest.json")) if directory.is_dir() else []:
        folder = manifest_file.parent
        try:
            bundle = load(folder)
            manifest = bundle.manifest
            found.append(
                BundleInfo(bundle.name, folder, manifest.get("title", bundle.name), manifest["licence"], True)
            )
        except EngineError as error:
            found.append(BundleInfo(folder.name, folder, folder.name, "", False, str(error)))
    return sorted(found, key=lambda info: (not info.ok, info.name != "base", info.name))


def find(name: str | Path | None, directory: Path | None = None) -> Bundle:
    """A bundle by name or folder; the first usable one when ``name`` is None.

    Raises
    ------
    EngineError
        If there is none of that name; the sentence lists those that there are.
    """
    if name is not None and (Path(name) / "manifest.json").exists():
        return load(name)
    directory = directory or default_bundles_dir()
    if name is not None and Path(name).name == str(name) and (directory / name / "manifest.json").exists():
        return load(directory / name)
    known = list_bundles(directory)
    if name is None:
        for info in known:
            if info.ok:
                return load(info.path)
        problem = next((info.problem for info in known), f"{directory} holds no bundle.")
        raise EngineError("no_bundle", problem, REINSTALL)
    names = ", ".join(info.name for info in known) or "none"
    raise EngineError("unknown_bundle", f"There is no bundle {str(name)!r}.", f"Installed: {names}.")


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
