# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a bundle: graphs, weights, statistics, manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motion_engine.bundle import SCHEMA
from motion_engine.control_hints import N_HINTS
from motion_engine.features import N_FEATURES
from motion_engine.formats.atomic import replacing
from motion_engine.runtime.torch import onnx_graph
from motion_engine.runtime.torch.control import ControlNet
from motion_engine.runtime.torch.denoiser import Denoiser
from motion_engine.runtime.torch.emdm import Generator
from motion_engine.runtime.torch.frame_control import FrameControl
from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.data.loader import Normaliser
from training.export.captions import CaptionSide

SHORTEST_SECONDS = 0.5


class Encoder(nn.Module):
    """The VAE's encoder with the engine's axes: (B, T, 263) to the means (B, L, C); parameter names are its own."""

    def __init__(self, encoder: nn.Sequential) -> None:
        super().__init__()
        for index, layer in enumerate(encoder):
            self.add_module(str(index), layer)

    def forward(self, features: Tensor) -> Tensor:
        """Latents, not normalised."""
        x = features.transpose(1, 2)
        for layer in self.children():
            x = layer(x)
        return x.transpose(1, 2).chunk(2, dim=-1)[0]


class Decoder(nn.Module):
    """The VAE's decoder with the engine's axes: (B, L, C) to (B, T, 263); parameter names are the decoder's own."""

    def __init__(self, decoder: nn.Sequential) -> None:
        super().__init__()
        for index, layer in enumerate(decoder):
            self.add_module(str(index), layer)

    def forward(self, latents: Tensor) -> Tensor:
        """Normalised features."""
        x = latents.transpose(1, 2)
        for layer in self.children():
            x = layer(x)
        return x.transpose(1, 2)


def write_bundle(
    destination: Path,
    config: Config,
    normaliser: Normaliser,
    latent_stats: tuple[np.ndarray, np.ndarray],
    vae: MotionVAE,
    denoisers: dict[str, Denoiser],
    *,
    control: ControlNet | None = None,
    frame_control: FrameControl | None = None,
    captions: CaptionSide | None = None,
    prediction: str = "v",
    data: dict[str, Any] | None = None,
    scores: dict[str, Any] | None = None,
    command: str = "",
) -> None:
    """Export everything to a folder beside ``destination`` and rename it when it is whole.

    Parameters
    ----------
    latent_stats : mean and standard deviation (C,) of the latents.
    denoisers : by sampler name, ``motionlcm``, ``mld`` and ``emdm``; the first is the default where no preset of the
        configuration says ``default``.
    control, frame_control : networks for the task ``control``, on top of ``motionlcm``, of latents and of frames.
    captions : networks for captions, search and MoTe.
    data, scores : for the manifest: what it was trained on and what was measured.
    command : what makes this bundle from the data.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        folder = Path(scratch) / destination.name
        folder.mkdir()
        np.savez(
            folder / "stats.npz",
            mean=normaliser.mean,
            std=normaliser.std,
            latent_mean=latent_stats[0],
            latent_std=latent_stats[1],
        )
        files = ["stats.npz"]
        channels = config.vae.latent_channels
        files += export_decoder(vae.decoder, channels, folder)
        files += export_encoder(vae, folder)
        for name, denoiser in denoisers.items():
            files += export_denoiser(denoiser, config, folder, name)
        if control is not None:
            files += _export_control(control, config, folder)
        if frame_control is not None:
            files += _export_frame_control(frame_control, folder)
        if captions is not None:
            files += captions.export(folder)
        samplers: dict[str, Any] = {name: dict(config.presets[name]) for name in denoisers}
        if captions is not None:
            samplers |= captions.samplers(config.presets)
        samplers = with_default(samplers, preset_default(config, samplers) or next(iter(denoisers)))
        if "motionlcm" in samplers:
            samplers["motionlcm"]["grid"] = config.lcm_training.grid
        generator = denoisers.get("emdm")
        if isinstance(generator, Generator):
            samplers["emdm"] |= asdict(generator.settings)
        manifest = {
            "schema": SCHEMA,
            **asdict(config.bundle),
            "tasks": [
                "text_to_motion",
                *(["control"] if control is not None else []),
                *(captions.tasks if captions is not None else []),
            ],
            "fps": config.data.fps,
            "features": "true",
            "min_frames": round(SHORTEST_SECONDS * config.data.fps),
            "max_frames": config.data.max_frames,
            "downsampling": config.vae.downsampling,
            "latent_channels": channels,
            "prediction": prediction,
            "samplers": samplers,
            **({"captions": captions.section(config.presets["captions"])} if captions is not None else {}),
            "networks": {
                "vae": asdict(config.vae),
                "denoiser": asdict(config.denoiser),
                **({"emdm": asdict(generator.settings)} if isinstance(generator, Generator) else {}),
                **({"control": asdict(control.config)} if control is not None else {}),
                **({"control_frames": asdict(frame_control.config)} if frame_control is not None else {}),
                **(captions.settings() if captions is not None else {}),
            },
            "training_data": data or {},
            "scores": scores or {},
            "made_with": command,
            "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
        }
        write_manifest(folder, manifest)
        if destination.exists():
            shutil.rmtree(destination)
        folder.replace(destination)


def preset_default(config: Config, samplers: Collection[str]) -> str | None:
    """The sampler of these whose preset says ``default``; the first one if several do, None if none does."""
    return next((name for name in samplers if config.presets.get(name, {}).get("default")), None)


def with_default(samplers: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """A manifest's ``samplers`` with ``name``, and no other, as the default."""
    changed = {
        sampler: {key: value for key, value in preset.items() if key != "default" or sampler == name}
        for sampler, preset in samplers.items()
    }
    changed[name]["default"] = True
    return changed


def export_decoder(decoder: nn.Sequential, channels: int, folder: Path) -> list[str]:
    """Write the VAE's decoder; returns the names of the files."""
    return onnx_graph.export(
        Decoder(decoder),
        {"latents": torch.randn(2, 7, channels)},
        {"latents": {0: "batch", 1: "latents"}, "out": {0: "batch", 1: "frames"}},
        folder,
        "decoder",
    )


def export_encoder(vae: MotionVAE, folder: Path) -> list[str]:
    """Write the VAE's encoder; returns the names of the files."""
    axes = {0: "batch", 1: "frames"}
    return onnx_graph.export(
        Encoder(vae.encoder),
        {"features": torch.randn(2, 28, N_FEATURES)},
        {"features": axes, "out": {0: "batch", 1: "latents"}},
        folder,
        "encoder",
    )


def export_denoiser(denoiser: Denoiser, config: Config, folder: Path, name: str) -> list[str]:
    """Write the network of a sampler; returns the names of the files."""
    inputs: dict[str, Tensor] = {
        "latents": torch.randn(2, 7, config.vae.latent_channels),
        "time": torch.tensor([500.0, 10.0]),
        "text": torch.randn(2, 5, config.denoiser.text_width),
        "guidance": torch.tensor([3.0, 1.0]),
    }
    if isinstance(denoiser, Generator):
        z = torch.randn(2, denoiser.settings.noise_width)
        inputs = {"latents": inputs["latents"], "time": torch.zeros(2), "text": inputs["text"], "z": z}
    axes = {
        "latents": {0: "batch", 1: "latents"},
        "text": {0: "batch", 1: "tokens"},
        "out": {0: "batch", 1: "latents"},
    }
    dynamic = {key: axes.get(key, {0: "batch"}) for key in (*inputs, "out")}
    return onnx_graph.export(denoiser, inputs, dynamic, folder, name)


def _export_control(control: ControlNet, config: Config, folder: Path) -> list[str]:
    length, step = 7, config.vae.downsampling
    return onnx_graph.export(
        control,
        {
            "latents": torch.randn(2, length, config.vae.latent_channels),
            "hints": torch.randn(2, length * step, N_HINTS),
            "time": torch.tensor([500.0, 10.0]),
            "text": torch.randn(2, 5, config.denoiser.text_width),
        },
        {
            "latents": {0: "batch", 1: "latents"},
            "hints": {0: "batch", 1: "frames"},
            "time": {0: "batch"},
            "text": {0: "batch", 1: "tokens"},
            "out": {0: "batch", 1: "latents"},
        },
        folder,
        "control",
    )


def _export_frame_control(control: FrameControl, folder: Path) -> list[str]:
    axes = {0: "batch", 1: "frames"}
    return onnx_graph.export(
        control,
        {"features": torch.randn(2, 28, N_FEATURES), "hints": torch.randn(2, 28, N_HINTS)},
        {"features": axes, "hints": axes, "out": axes},
        folder,
        "control_frames",
    )


def add_scores(bundle: Path, scores: dict[str, Any]) -> None:
    """Add measured scores to the manifest of a bundle."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["scores"].update(scores)
    write_manifest(bundle, manifest)


def write_manifest(bundle: Path, manifest: dict[str, Any]) -> None:
    """Replace ``manifest.json`` of a folder."""
    with replacing(bundle / "manifest.json") as file:
        file.write((json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
