# SPDX-License-Identifier: GPL-3.0-or-later
"""The papers' text encoders on disk, in the layout of Hugging Face: found offline, read without running anything."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from motion_engine.errors import EngineError
from motion_engine.runtime.torch.paper.clip_text import CLIPText
from motion_engine.runtime.torch.paper.sentence_t5 import MAX_TOKENS, SentenceT5

Kind = Literal["t5", "clip", "clip-b32"]


@dataclass(frozen=True)
class Published:
    """A published text encoder: its short name, its repository, the variable that may name its folder, its licence."""

    name: str
    repository: str
    variable: str
    licence: str
    attribution: str


PUBLISHED: dict[Kind, Published] = {
    "t5": Published(
        "sentence-t5-large",
        "sentence-transformers/sentence-t5-large",
        "MOTION_PROMPT_SENTENCE_T5",
        "Apache-2.0",
        "Text encoder: sentence-T5-large, Ni et al., ACL 2022.",
    ),
    "clip": Published(
        "clip-vit-large-patch14",
        "openai/clip-vit-large-patch14",
        "MOTION_PROMPT_CLIP",
        "MIT",
        "Text encoder: CLIP ViT-L/14, Radford et al., ICML 2021.",
    ),
    "clip-b32": Published(
        "clip-vit-base-patch32",
        "openai/clip-vit-base-patch32",
        "MOTION_PROMPT_CLIP_B32",
        "MIT",
        "Text encoder: CLIP ViT-B/32, Radford et al., ICML 2021.",
    ),
}

EMDM_TOKENS = 22
"""Words that MDM and EMDM read of a sentence: twenty, and those that mark its start and end."""


@dataclass(frozen=True)
class TextNetwork:
    """A text encoder that was read: from token numbers (1, S) to a vector (1, width), and its tokenizer as JSON."""

    kind: Kind
    module: nn.Module
    width: int
    tokenizer: str
    max_tokens: int


def find(kind: Kind, given: Path | None = None) -> Path:
    """Folder of a text encoder: the one that is given, of the environment variable, or in the usual caches.

    Raises
    ------
    EngineError
        If there is none; the sentence says where it was looked for and how to get it.
    """
    published = PUBLISHED[kind]
    chosen = given or (Path(value) if (value := os.environ.get(published.variable)) else None)
    if chosen is not None:
        if not (chosen / "config.json").is_file():
            raise EngineError(
                "missing_text_encoder",
                f"There is no text encoder in {chosen}: it has no config.json.",
                f"Name the folder that holds the files of {published.repository}.",
            )
        return chosen
    places = _caches(published)
    for place in places:
        if (place / "config.json").is_file():
            return place
    looked = ", ".join(str(place) for place in dict.fromkeys(_roots(published)))
    raise EngineError(
        "missing_text_encoder",
        f"The text encoder {published.name} is not on this machine (looked in {looked}).",
        f"Fetch it once where there is a network: hf download {published.repository} --local-dir FOLDER; "
        f"then pass --text-encoder FOLDER or set {published.variable}.",
    )


def find_tokenizer(given: Path | None = None) -> str:
    """The words of CLIP as JSON, which all its sizes share: from the folder or file that is given, or the usual caches.

    Raises
    ------
    EngineError
        If there are none; the sentence says where they were looked for and how to get them.
    """
    kinds = [PUBLISHED["clip-b32"], PUBLISHED["clip"]]
    chosen = [Path(value) for kind in kinds if (value := os.environ.get(kind.variable))]
    places = [given] if given else [*chosen, *(place for kind in kinds for place in _caches(kind))]
    for place in places:
        file = place / "tokenizer.json" if place.is_dir() else place
        if file.is_file() and file.suffix == ".json":
            return file.read_text(encoding="utf-8")
    looked = given or ", ".join(str(place) for place in dict.fromkeys(_roots(kinds[0])))
    raise EngineError(
        "missing_text_encoder",
        f"The words of CLIP, its file tokenizer.json, are not on this machine (looked in {looked}); "
        "the checkpoint holds CLIP's weights alone.",
        f"Fetch the file once where there is a network: hf download {kinds[0].repository} tokenizer.json "
        "--local-dir FOLDER; then pass --text-encoder FOLDER.",
    )


def _roots(published: Published) -> list[Path]:
    home = Path.home()
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    hugging_face = Path(os.environ.get("HF_HOME") or home / ".cache" / "huggingface")
    old = Path(
        os.environ.get("SENTENCE_TRANSFORMERS_HOME") or home / ".cache" / "torch" / "sentence_transformers"
    )
    return [Path(hub) if hub else hugging_face / "hub", old, Path("deps")]


def _caches(published: Published) -> list[Path]:
    hub, old, deps = _roots(published)
    repository = hub / f"models--{published.repository.replace('/', '--')}"
    snapshots = sorted((repository / "snapshots").glob("*"), key=lambda p: p.stat().st_mtime, reverse=True)
    return [*snapshots, old / published.repository.replace("/", "_"), deps / published.name]


def read(folder: Path) -> TextNetwork:
    """Read a folder with a Sentence-T5 in the layout of sentence-transformers, or with a CLIP.

    Raises
    ------
    EngineError
        If a file is missing or damaged, or the model is of another kind.
    """
    config = _json(folder / "config.json")
    kind = config.get("model_type")
    try:
        if kind == "t5":
            dense = _weights(folder / "2_Dense")
            model: nn.Module = SentenceT5.from_weights(config, _weights(folder), dense)
            width = dense["linear.weight"].shape[0]
            return TextNetwork("t5", model, width, _tokenizer(folder), MAX_TOKENS)
        if kind in ("clip", "clip_text_model"):
            config = config.get("text_config") or config
            weights = _weights(folder)
            model = CLIPText.from_weights(config, weights)
            longest = config.get("max_position_embeddings", 77)
            width = weights["text_projection.weight"].shape[0]
            return TextNetwork("clip", model, width, _tokenizer(folder), longest)
    except (KeyError, RuntimeError) as error:
        raise EngineError(
            "broken_text_encoder",
            f"The weights of the text encoder in {folder} do not fit its config.json: {error}.",
            "Fetch its files again.",
        ) from error
    raise EngineError(
        "unknown_text_encoder",
        f"The text encoder in {folder} is a {kind!r}; the papers' networks read Sentence-T5 or CLIP.",
        "Name the folder of sentence-t5-large or clip-vit-large-patch14.",
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            "broken_text_encoder", f"{file} cannot be read: {error}.", "Fetch the text encoder's files again."
        ) from error
    return found if isinstance(found, dict) else {}


def _weights(folder: Path) -> Mapping[str, Tensor]:
    """Tensors of ``model.safetensors``, of its pieces, or of ``pytorch_model.bin``, in single precision."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        files = [folder / "model.safetensors"]
    elif index.is_file():
        files = sorted({folder / name for name in _json(index)["weight_map"].values()})
    else:
        files = [folder / "pytorch_model.bin"]
    found: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise EngineError(
                "missing_text_encoder",
                f"The text encoder lacks {file}.",
                "Fetch all its files; Sentence-T5 also needs the folder 2_Dense.",
            )
        try:
            loaded = (
                load_file(file)
                if file.suffix == ".safetensors"
                else torch.load(file, map_location="cpu", weights_only=True)
            )
        except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise EngineError(
                "broken_text_encoder", f"{file} is damaged: {error}.", "Fetch the text encoder's files again."
            ) from error
        found.update({key: value.float() for key, value in loaded.items() if value.is_floating_point()})
    return found


def _tokenizer(folder: Path) -> str:
    """The tokenizer in the one-file form; made from the published sentence pieces where transformers can."""
    file = folder / "tokenizer.json"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    try:
        from transformers import AutoTokenizer

        return str(AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer.to_str())
    except Exception as error:  # transformers raises many kinds
        raise EngineError(
            "missing_text_encoder",
            f"The text encoder in {folder} has no tokenizer.json, and it cannot be made from its other files.",
            "Fetch tokenizer.json too, or: pip install transformers sentencepiece.",
        ) from error
