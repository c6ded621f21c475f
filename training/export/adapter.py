# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle that leans on another one: adapters of its networks, and a manifest; everything else is shared."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from motion_engine.bundle import Bundle
from training.config import Config
from training.export.bundle import write_manifest

Adapter = Mapping[str, Tensor]
"""``KEY.down`` (r, in) and ``KEY.up`` (out, r) for each matrix KEY that is adapted."""


def write_adapter_bundle(
    destination: Path,
    config: Config,
    base: Bundle,
    adapters: Mapping[str, Adapter],
    *,
    data: dict[str, Any] | None = None,
    command: str = "",
) -> None:
    """Write a bundle that adapts networks of ``base`` to a folder beside ``destination``, renamed when it is whole.

    Parameters
    ----------
    adapters : by the network's name. Equal ones (the same object) are stored once.
    data, command : for the manifest: what it was trained on, and what makes it.

    Raises
    ------
    ValueError
        If ``base`` leans on another bundle itself, or lacks a network that is adapted.
    """
    if "shared" in base.manifest:
        raise ValueError(f"{base.name} leans on another bundle itself: adapt that one.")
    for name in adapters:
        if f"{name}.safetensors" not in base.manifest["files"]:
            raise ValueError(f"The bundle {base.name} has no network {name} to adapt.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        folder = Path(scratch) / destination.name
        folder.mkdir()
        files: dict[int, str] = {}
        for name, adapter in adapters.items():
            if id(adapter) not in files:
                files[id(adapter)] = f"{name}.adapter.safetensors"
                halves = {key: value.detach().half().contiguous() for key, value in adapter.items()}
                save_file(halves, folder / files[id(adapter)])
                (folder / files[id(adapter)]).chmod(0o644)
        presets = {
            name: {**preset, **config.presets.get(name, {})}
            for name, preset in base.manifest["samplers"].items()
        }
        manifest = {
            **base.manifest,
            **asdict(config.bundle),
            "samplers": presets,
            "training_data": data or {},
            "scores": {},
            "made_with": command,
            "shared": {"bundle": base.name, "files": base.manifest["files"]},
            "adapters": {name: files[id(adapter)] for name, adapter in adapters.items()},
            "files": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
                for name in sorted(set(files.values()))
            },
        }
        write_manifest(folder, manifest)
        if destination.exists():
            shutil.rmtree(destination)
        folder.replace(destination)
