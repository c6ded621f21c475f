# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files of EMDM: ``{"epoch", "netG_dict", "global_step"}``, averaged weights with a CLIP among them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from motion_engine.errors import EngineError
from motion_engine.runtime.torch.paper.checkpoint import NAMED, load_checked, misfit, read_pickle
from motion_engine.runtime.torch.paper.clip_text import CLIPText
from motion_engine.runtime.torch.paper.emdm import Generator, GeneratorSizes

TABLES = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")
"""Positions by a formula, which the files store as well."""

CLIP = "clip_model."


def read(file: Path) -> tuple[Generator, CLIPText]:
    """The generator of sentences and its text encoder, in single precision.

    Raises
    ------
    EngineError
        If the file is missing, damaged, would have to run code, is something else, or lacks keys.
    """
    weights = _weights(file)
    if "embed_action.action_embedding" in weights:
        raise EngineError(
            "other_checkpoint",
            f"{file.name} is an EMDM that makes motions of numbered actions, not of sentences.",
            "Use the authors' file that was trained on HumanML3D.",
        )
    wanted, problems = "an emdm", list[str]()
    own = {key: value for key, value in weights.items() if not key.startswith(CLIP) and key not in TABLES}
    generator = None
    try:
        empty = Generator(GeneratorSizes.of(own))
        generator = load_checked(empty, own, "", problems)
    except (KeyError, ValueError, IndexError) as error:
        problems.append(f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error))
    words = {key.removeprefix(CLIP): value for key, value in weights.items() if key.startswith(CLIP)}
    if not words:
        raise EngineError(
            "other_checkpoint",
            f"{file.name} holds a generator without the CLIP that it reads sentences with.",
            "Use the authors' file NUMBER.pth as it is, which holds both.",
        )
    text = None
    try:
        text = CLIPText.from_openai(words)
    except (KeyError, RuntimeError) as error:
        reason = (
            f"{CLIP}{error.args[0]} is missing"
            if isinstance(error, KeyError)
            else str(error).splitlines()[-1]
        )
        problems.append(reason.strip())
    if problems or generator is None or text is None:
        raise misfit(file, wanted, problems)
    assert isinstance(generator, Generator)
    return generator, text


def _weights(file: Path) -> dict[str, Tensor]:
    loaded = read_pickle(file)
    if isinstance(loaded, dict) and "optimizerG" in loaded:
        raise EngineError(
            "other_checkpoint",
            f"{file.name} is a file to go on training from: its weights are not averaged.",
            "Use the file NUMBER.pth of the same folder.",
        )
    found = loaded.get("netG_dict") if isinstance(loaded, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        holds = ", ".join(map(str, list(loaded)[:NAMED])) if isinstance(loaded, dict) else "no mapping"
        raise EngineError(
            "other_checkpoint",
            f"{file.name} is no checkpoint of EMDM: it has no netG_dict of tensors, but {holds}.",
            "Use the authors' file NUMBER.pth; for MLD and MotionLCM choose their own --kind.",
        )
    return found
