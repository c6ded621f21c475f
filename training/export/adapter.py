# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle that leans on another one: adapters of its networks, and a manifest; everything else is shared."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from motion_engine import weights as stored_form
from motion_engine.adapter import DELTA, UP
from motion_engine.bundle import Bundle
from motion_engine.bundle_check import adapter_names
from training.config import Config
from training.export.bundle import preset_default, with_default, write_manifest

Adapter = Mapping[str, Tensor]
"""``KEY.down`` (r, in) and ``KEY.up`` (out, r) for each matrix KEY that is adapted."""


ADAPTER_SUFFIX = ".adapter.safetensors"


def save_adapters(folder: Path, adapters: Mapping[str, Adapter]) -> tuple[dict[str, str], dict[str, str]]:
    """Write adapters in half precision; returns the file of each network, and the hash of each file.

    Equal ones (the same object) are stored once.
    """
    named: dict[str, str] = {}
    written: dict[int, str] = {}
    hashes: dict[str, str] = {}
    for name, adapter in adapters.items():
        if id(adapter) not in written:
            written[id(adapter)] = file = f"{name}{ADAPTER_SUFFIX}"
            halves = {key: value.detach().half() for key, value in adapter.items()}
            hashes[file] = save_adapter(halves, folder / file)
        named[name] = written[id(adapter)]
    return named, dict(sorted(hashes.items()))


def save_adapter(stored: Mapping[str, Tensor], file: Path) -> str:
    """Write an adapter as it is to be stored; returns the hash of the file."""
    save_file({key: value.contiguous() for key, value in stored.items()}, file)
    file.chmod(0o644)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def stored_adapter(bundle: Bundle, network: str) -> dict[str, Tensor]:
    """All adapters that a bundle has for one of its networks as one, single precision; empty where it has none."""
    found: dict[str, Tensor] = {}
    for file in bundle.adapters(network):
        stored = stored_form.read(file)
        for key in stored_form.keys(stored):
            value = torch.from_numpy(stored_form.single(stored, key))
            if key not in found:
                found[key] = value
            elif key.endswith(DELTA):
                found[key] = found[key] + value
            else:  # side by side: their product is the sum of the products
                found[key] = torch.cat([found[key], value], dim=int(key.endswith(UP)))
    return found


def in_eight_bits(adapter: Adapter) -> dict[str, Tensor]:
    """Matrices of an adapter as `motion_engine.weights` stores 8-bit ones, their product as near as that allows.

    The product is split anew, so that the columns of ``up`` have unit length and the scale of each direction is the one
    that its row of ``down`` has: rounding then takes the same share from strong and weak directions.
    """
    found: dict[str, Tensor] = {}
    for key in dict.fromkeys(key.rpartition(".")[0] for key in adapter):
        up, down = adapter[f"{key}.up"].detach().float(), adapter[f"{key}.down"].detach().float()
        columns, left = torch.linalg.qr(up)
        u, values, v = torch.linalg.svd(left @ down, full_matrices=False)
        for part, matrix in (("up", columns @ u), ("down", values[:, None] * v)):
            numbers, scale = stored_form.quantised(matrix.numpy())
            found[f"{key}.{part}"] = torch.from_numpy(numbers)
            found[f"{key}.{part}{stored_form.SCALE}"] = torch.from_numpy(scale).half()
    return found


def without_adapters(bundle: Bundle, networks: Collection[str]) -> Bundle:
    """``bundle`` as it was before some of its networks were adapted, so that they can be adapted anew.

    Raises
    ------
    ValueError
        If one of the networks has no adapter.
    """
    known = bundle.manifest.get("adapters", {})
    for name in networks:
        if name not in known:
            raise ValueError(f"The bundle {bundle.name} has no adapter of a network {name}.")
    kept = {name: file for name, file in known.items() if name not in networks}
    return replace(bundle, manifest={**bundle.manifest, "adapters": kept})


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

    Of a network that it does not adapt itself it takes the adapter that ``base`` has.

    Parameters
    ----------
    adapters : by the network's name, of the networks as ``base`` has them stored: its own adapters do not count.
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
    taken = {
        network: files
        for network, files in base.manifest.get("adapters", {}).items()
        if network not in adapters
    }
    taken_files = {file for network in taken for file in adapter_names(base.manifest, network)}
    shared = {
        name: value
        for name, value in base.manifest["files"].items()
        if not name.endswith(ADAPTER_SUFFIX) or name in taken_files
    }
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        folder = Path(scratch) / destination.name
        folder.mkdir()
        named, files = save_adapters(folder, adapters)
        presets = {
            name: {**preset, **config.presets.get(name, {})}
            for name, preset in base.manifest["samplers"].items()
        }
        kept = {key: value for key, value in base.manifest.items() if key != "extended_with"}
        manifest = {
            **kept,
            **asdict(config.bundle),
            "samplers": with_default(presets, preset_default(config, presets) or base.default_sampler),
            "training_data": data or {},
            "scores": {},
            "made_with": command,
            "shared": {"bundle": base.name, "files": shared},
            "adapters": taken | named,
            "files": files,
        }
        write_manifest(folder, manifest)
        if destination.exists():
            shutil.rmtree(destination)
        folder.replace(destination)
