# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the papers' networks as a bundle: ONNX graphs that run without torch, the text encoder among them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motion_engine.bundle import SCHEMA
from motion_engine.runtime.torch import onnx_graph
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.emdm import Crop, Generator, GeneratorSizes
from motion_engine.runtime.torch.paper.text_folder import PUBLISHED, TextNetwork
from motion_engine.runtime.torch.paper.vae import MotionDecoder, MotionVAE, VAESizes

Array = NDArray[np.floating]

# Official settings by sampler and version: facts of the published configurations.
PRESETS: dict[tuple[str, str], dict[str, Any]] = {
    ("emdm", ""): {"steps": 10, "guidance": 2.5, "levels": 10, "no_prompt": "zeros"},
    ("mld", "v1"): {"steps": 50, "guidance": 7.5},
    ("mld", "v2"): {"steps": 50, "guidance": 7.5},
    ("motionlcm", "v1"): {"steps": 1, "guidance": 7.5, "grid": 50},
    ("motionlcm", "v2"): {
        "steps": 1,
        "guidance": 8.0,
        "grid": 10,
        "time_lists": {"1": [799], "2": [699, 299], "4": [699, 399, 299, 299]},
        "guidance_by_steps": {"1": 8.0, "2": 12.5, "4": 13.5},
    },
}


@dataclass(frozen=True)
class PaperBundle:
    """What a bundle of the papers is made of.

    Attributes
    ----------
    about : name, title, version, description, licence and attribution for the manifest, and what else is to be told.
    vae : None where the denoisers make frames, not latents.
    denoisers : by sampler; the first is the default.
    presets : by sampler; see `PRESETS`.
    mean, std : (F,) of the features.
    shortest, longest : frames.
    """

    about: dict[str, Any]
    vae: MotionVAE | None
    denoisers: dict[str, Denoiser] | dict[str, Generator]
    presets: dict[str, dict[str, Any]]
    text: TextNetwork
    mean: Array
    std: Array
    fps: float = 20.0
    shortest: int = 40
    longest: int = 196
    extra: dict[str, Any] = field(default_factory=dict)


def write_bundle(destination: Path, bundle: PaperBundle) -> None:
    """Export everything to a folder beside ``destination`` and rename it when it is whole.

    The networks keep their weights in single precision, the text encoder in half.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".writing-") as scratch:
        folder = Path(scratch) / destination.name
        folder.mkdir()
        decoder: nn.Module
        if bundle.vae is None:
            latents, channels, decoder = bundle.longest, len(bundle.mean), Crop()
        else:
            latents, channels = bundle.vae.sizes.latents, bundle.vae.sizes.channels
            decoder = MotionDecoder(bundle.vae.sizes)
            whole = bundle.vae.state_dict()
            decoder.load_state_dict({key: whole[key] for key in decoder.state_dict()})
        np.savez(
            folder / "stats.npz",
            mean=bundle.mean.astype(np.float32),
            std=bundle.std.astype(np.float32),
            latent_mean=np.zeros(channels, dtype=np.float32),
            latent_std=np.ones(channels, dtype=np.float32),
        )
        files = ["stats.npz", "tokenizer.json"]
        (folder / "tokenizer.json").write_text(bundle.text.tokenizer, encoding="utf-8")
        noisy = torch.randn(2, latents, channels)
        files += onnx_graph.export(
            decoder,
            {"latents": noisy, "mask": torch.ones(2, bundle.shortest, dtype=torch.bool)},
            {"latents": {0: "batch"}, "mask": {0: "batch", 1: "frames"}, "out": {0: "batch", 1: "frames"}},
            folder,
            "decoder",
            precision="single",
        )
        for name, denoiser in bundle.denoisers.items():
            inputs = {
                "latents": noisy,
                "time": torch.tensor([1.0, 0.0] if bundle.vae is None else [500.0, 10.0]),
                "text": torch.randn(2, 1, bundle.text.width),
                "guidance": torch.tensor([7.0, 1.0]),
            }
            if isinstance(denoiser, Generator):
                inputs["z"] = torch.randn(2, denoiser.sizes.noise_width)
            inputs = {key: inputs[key] for key in network_inputs(denoiser)}
            dynamic = {key: {0: "batch"} for key in (*inputs, "out")}
            files += onnx_graph.export(denoiser, inputs, dynamic, folder, name, precision="single")
        files += onnx_graph.export(
            bundle.text.module,
            {"ids": torch.tensor([[0, 1, 2, 1]])},
            {"ids": {1: "tokens"}},
            folder,
            "text_encoder",
            precision="half",
        )
        published = PUBLISHED[bundle.text.kind]
        samplers = {name: dict(bundle.presets[name]) for name in bundle.denoisers}
        next(iter(samplers.values()))["default"] = True
        about = dict(bundle.about)
        about["attribution"] = [
            *about["attribution"],
            f"{published.attribution} Licence: {published.licence}.",
        ]
        manifest = {
            "schema": SCHEMA,
            **about,
            "tasks": ["text_to_motion"],
            "fps": bundle.fps,
            "features": "ik",
            "smoothing": 0.0,
            "min_frames": bundle.shortest,
            "max_frames": bundle.longest,
            "downsampling": 1,
            "latents": latents,
            "latent_channels": channels,
            "prediction": "epsilon" if bundle.vae is not None else "clean",
            "text_encoder": published.name,
            "max_tokens": bundle.text.max_tokens,
            "samplers": samplers,
            "networks": {"design": "paper"},
            **bundle.extra,
            "files": {name: _sha256(folder / name) for name in files},
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        if destination.exists():
            shutil.rmtree(destination)
        folder.replace(destination)


def bundle_network(name: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """The empty network of a bundle's file ``name``, of the sizes that its weights have."""
    if name == "decoder":
        return MotionDecoder(VAESizes.of(weights)) if weights else Crop()
    if name == "emdm":
        return Generator(GeneratorSizes.of(weights))
    return Denoiser(DenoiserSizes.of(weights))


def network_inputs(module: nn.Module) -> tuple[str, ...]:
    """Names of what a network takes, in the order of its arguments."""
    if isinstance(module, MotionDecoder | Crop):
        return "latents", "mask"
    if isinstance(module, Generator):
        return "latents", "time", "text", "z"
    assert isinstance(module, Denoiser)
    guided = module.time_embedding.cond_proj is not None
    return ("latents", "time", "text", "guidance") if guided else ("latents", "time", "text")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
