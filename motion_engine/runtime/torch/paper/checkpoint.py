# SPDX-License-Identifier: GPL-3.0-or-later
"""Official checkpoints: read as weights alone, told apart by their keys, checked key by key.

The published files hold ``{"state_dict": {...}}`` with the prefixes ``vae.``, ``denoiser.``, for control also
``controlnet.`` and ``traj_encoder.``, and ``t2m_...`` for the evaluators that every file carries along.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from motion_engine.errors import EngineError
from motion_engine.runtime.torch.paper.control import (
    ControlNet,
    ControlSizes,
    TrajectoryEncoder,
    TrajectorySizes,
)
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.vae import MotionVAE, VAESizes

Kind = Literal["mld", "motionlcm", "motionlcm-control"]
Version = Literal["v1", "v2"]

SKIPPED = ("t2m_", "text_encoder.")
"""Evaluators, and a text encoder that some files carry."""

NAMED = 8
"""Keys that a sentence names before it counts the rest."""

_PARTS: dict[str, tuple[type[nn.Module], Any]] = {
    "vae": (MotionVAE, VAESizes),
    "denoiser": (Denoiser, DenoiserSizes),
    "controlnet": (ControlNet, ControlSizes),
    "traj_encoder": (TrajectoryEncoder, TrajectorySizes),
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "mld": ("vae", "denoiser"),
    "motionlcm": ("vae", "denoiser"),
    "motionlcm-control": ("vae", "denoiser", "controlnet", "traj_encoder"),
}
_AGAIN = "Download the file again from the authors' page."


@dataclass(frozen=True)
class Checkpoint:
    """The networks of a checkpoint, in eval mode."""

    kind: Kind
    version: Version
    vae: MotionVAE
    denoiser: Denoiser
    controlnet: ControlNet | None
    trajectory: TrajectoryEncoder | None


def read(file: Path, kind: Kind, version: Version) -> Checkpoint:
    """Read an official checkpoint.

    Raises
    ------
    EngineError
        If the file is missing, damaged, would have to run code, is of another kind or version, or lacks keys.
    """
    weights = _state(file)
    found = describe(weights)
    wanted = f"a {kind} {version}"
    if found != (kind, version):
        looks = f"a {found[0]} {found[1]}" if found[1] else found[0]
        fix = f"Run it again with --kind {found[0]} --version {found[1]}." if found[0] in _NEEDED else _AGAIN
        raise EngineError(
            "other_checkpoint", f"{file.name} is not {wanted} checkpoint: it looks like {looks}.", fix
        )
    parts: dict[str, Any] = {}
    problems: list[str] = []
    for part in _NEEDED[kind]:
        parts[part] = _build(part, _under(weights, part), problems)
    prefixes = tuple(f"{part}." for part in _NEEDED[kind])
    unknown = [key for key in weights if not key.startswith(prefixes + SKIPPED)]
    problems += [f"{key} is unknown" for key in unknown]
    if problems:
        raise misfit(file, wanted, problems)
    vae, denoiser = parts["vae"], parts["denoiser"]
    assert isinstance(vae, MotionVAE) and isinstance(denoiser, Denoiser)
    return Checkpoint(kind, version, vae, denoiser, parts.get("controlnet"), parts.get("traj_encoder"))


def describe(weights: Mapping[str, Tensor]) -> tuple[str, str]:
    """Kind and version by the keys that tell; the version is empty where the kind is none of those that are read."""
    projected = "denoiser.latent_pre.weight" in weights
    version = "v2" if projected else "v1"
    if "controlnet.controlnet_cond_embedding.0.weight" in weights:
        return "motionlcm-control", version
    if "denoiser.time_embedding.cond_proj.weight" in weights:
        return "motionlcm", version
    if "denoiser.time_embedding.linear_1.weight" in weights:
        return "mld", version
    if any(key.startswith("vae.") for key in weights):
        return "a motion VAE alone, the first stage of training", ""
    return "none of MLD, MotionLCM and its control", ""


def read_pickle(file: Path) -> Any:
    """What a file of torch holds, where that is tensors and plain values alone; nothing that it brings is run.

    Raises
    ------
    EngineError
        If it is missing, damaged, or would have to run code.
    """
    if not file.is_file():
        raise EngineError("missing_checkpoint", f"There is no file {file}.", "Check the path.")
    try:
        with warnings.catch_warnings():  # torch warns of pickles that it then refuses
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _brings_code(file, str(error)):
            raise EngineError(
                "unsafe_checkpoint",
                f"{file.name} holds more than weights: reading it would run code that it brings along. "
                "It was not opened.",
                "Use the authors' own file, or have its owner save the weights alone.",
            ) from error
        raise _damaged(file, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise _damaged(file, error) from error


def _state(file: Path) -> dict[str, Tensor]:
    loaded = read_pickle(file)
    state = loaded.get("state_dict") if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        holds = (
            ", ".join(str(key) for key in list(loaded)[:NAMED]) if isinstance(loaded, dict) else "no mapping"
        )
        raise EngineError(
            "other_checkpoint",
            f"{file.name} is no checkpoint of MLD or MotionLCM: it has no state_dict of tensors, but {holds}.",
            "It looks like EMDM: run it again with --kind emdm."
            if isinstance(loaded, dict) and "netG_dict" in loaded
            else "Use the authors' .ckpt file.",
        )
    return state


def misfit(file: Path, wanted: str, problems: list[str]) -> EngineError:
    """The error of a file whose keys do not fit: it names the first of them."""
    shown = "; ".join(problems[:NAMED])
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return EngineError(
        "broken_checkpoint",
        f"{file.name} does not hold the networks of {wanted}: {shown}{more}.",
        f"{_AGAIN} Files of other forks have other networks.",
    )


def _brings_code(file: Path, complaint: str) -> bool:
    """Whether torch stopped at something that is to be called, or at a pickle that is not one of its own."""
    if re.search(r"GLOBAL|reduce|Unsupported class", complaint.split("trusted source.")[-1]):
        return True
    with file.open("rb") as stream:
        return stream.read(1) == pickle.PROTO


def _damaged(file: Path, error: Exception) -> EngineError:
    first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return EngineError(
        "broken_checkpoint", f"{file.name} cannot be read, it is damaged or cut short: {first}.", _AGAIN
    )


def _under(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def _build(part: str, weights: dict[str, Tensor], problems: list[str]) -> nn.Module | None:
    """The network with these weights; adds what does not fit to ``problems``."""
    module, sizes = _PARTS[part]
    try:
        network = module(sizes.of(weights))
    except (KeyError, ValueError, IndexError) as error:
        problems.append(
            f"{part}.{error.args[0]} is missing" if isinstance(error, KeyError) else f"{part}: {error}"
        )
        return None
    return load_checked(network, weights, f"{part}.", problems)


def load_checked(
    network: nn.Module, weights: Mapping[str, Tensor], prefix: str, problems: list[str]
) -> nn.Module | None:
    """Fill ``network``, or add what does not fit to ``problems``; keys are told with their ``prefix``."""
    expected = network.state_dict()
    before = len(problems)
    problems += [f"{prefix}{key} is missing" for key in expected if key not in weights]
    for key, value in weights.items():
        if key not in expected:
            problems.append(f"{prefix}{key} is unknown")
        elif value.shape != expected[key].shape:
            shapes = f"{tuple(value.shape)} where {tuple(expected[key].shape)} is expected"
            problems.append(f"{prefix}{key} has the shape {shapes}")
        elif not torch.isfinite(value).all():
            problems.append(f"{prefix}{key} holds NaN or infinite numbers")
    if len(problems) > before:
        return None
    network.load_state_dict({key: value.float() for key, value in weights.items()}, assign=True)
    return network.eval().requires_grad_(False)
