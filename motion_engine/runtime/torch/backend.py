# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's networks on torch, from the weights that its ONNX graphs use too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from motion_engine.adapter import network_weights
from motion_engine.bundle import Bundle
from motion_engine.errors import EngineError
from motion_engine.runtime.torch.captioner import CaptionerConfig, MotionReader, TextDecoder, TextReader
from motion_engine.runtime.torch.control import ControlConfig, ControlNet
from motion_engine.runtime.torch.denoiser import Denoiser, DenoiserConfig
from motion_engine.runtime.torch.emdm import EMDMConfig, Generator
from motion_engine.runtime.torch.frame_control import FrameControl, FrameControlConfig
from motion_engine.runtime.torch.mote import MoTeConfig, MotionDecoder, MotionEncoder, MotionTextDenoiser
from motion_engine.runtime.torch.vae import MotionVAE, VAEConfig
from motion_engine.weights import keys, single

Array = NDArray[np.generic]


def device_for(name: str) -> torch.device:
    """Torch device for a device name; ``auto`` takes CUDA, then Apple's GPU, then the CPU.

    Raises
    ------
    EngineError
        If this torch does not have the device.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available.get(name):
        usable = ", ".join(device for device, there in available.items() if there)
        raise EngineError("device_missing", f"This torch cannot use {name!r}.", f"Choose auto, {usable}.")
    return torch.device(name)


def stored_weights(bundle: Bundle, name: str) -> dict[str, torch.Tensor]:
    """Single-precision weights of one network of a bundle, its adapter included."""
    stored = network_weights(bundle, name)
    return {key: torch.from_numpy(single(stored, key)) for key in keys(stored)}


CAPTION_NETWORKS = (
    "caption_encoder", "text_reader", "text_decoder", "motion_encoder", "motion_decoder", "mote"
)  # fmt: skip


def caption_network(
    name: str, settings: dict[str, Any], channels: int
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """One of `CAPTION_NETWORKS`, untrained, and the names of its inputs in order."""
    sizes = CaptionerConfig(**settings["captioner"])
    if name == "caption_encoder":
        return MotionReader(sizes, channels), ("latents", "mask")
    if name == "text_reader":
        return TextReader(sizes), ("text", "text_mask")
    if name == "text_decoder":
        return TextDecoder(sizes), ("memory", "memory_mask", "words")
    mote = MoTeConfig(**settings["mote"])
    if name == "motion_encoder":
        return MotionEncoder(mote, channels, sizes.token_width), ("latents", "mask")
    if name == "motion_decoder":
        return MotionDecoder(mote, channels, sizes.token_width), ("tokens", "mask")
    module = MotionTextDenoiser(mote, sizes.token_width, sizes.text_tokens)
    return module, ("motion", "text", "motion_time", "text_time")


class TorchNetwork:
    """One network of a bundle as a callable from named arrays to a list of arrays."""

    def __init__(self, bundle: Bundle, name: str, device: torch.device) -> None:
        settings = bundle.manifest["networks"]
        channels = bundle.manifest["latent_channels"]
        self._inputs: tuple[str, ...] = ()
        weights = stored_weights(bundle, name)
        module: torch.nn.Module
        if settings.get("design") == "paper":
            from motion_engine.runtime.torch.paper.bundle import bundle_network, network_inputs

            module = bundle_network(name, weights)
            self._inputs = tuple(network_inputs(module))
        elif name == "decoder":
            module = MotionVAE(VAEConfig(**settings["vae"])).decoder
        elif name == "encoder":
            module = MotionVAE(VAEConfig(**settings["vae"])).encoder
        elif name == "control":
            parts = ControlConfig(**settings["control"]), DenoiserConfig(**settings["denoiser"])
            module = ControlNet(*parts, channels, bundle.manifest["downsampling"])
        elif name == "control_frames":
            module = FrameControl(FrameControlConfig(**settings["control_frames"]))
        elif name in CAPTION_NETWORKS:
            module, self._inputs = caption_network(name, settings, channels)
        elif name == "emdm":
            module = Generator(
                DenoiserConfig(**settings["denoiser"]), channels, EMDMConfig(**settings["emdm"])
            )
        else:
            module = Denoiser(DenoiserConfig(**settings["denoiser"]), channels, guided=name == "motionlcm")
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise EngineError(
                "broken_network",
                f"{name}.safetensors of the bundle {bundle.name} holds another network than its manifest describes.",
                "Install the bundle again.",
            ) from error
        self._module = module.eval().to(device)
        self._device = device
        self._name = name
        self.device = device.type

    @torch.inference_mode()
    def __call__(self, arrays: Mapping[str, Array]) -> list[Array]:
        """The same inputs and outputs as the ONNX graph of that name."""
        given = {
            name: torch.from_numpy(np.ascontiguousarray(a)).to(self._device) for name, a in arrays.items()
        }
        if self._inputs:
            out = self._module(*(given[key] for key in self._inputs))
        elif self._name == "decoder":
            out = self._module(given["latents"].transpose(1, 2)).transpose(1, 2)
        elif self._name == "encoder":
            out = self._module(given["features"].transpose(1, 2)).transpose(1, 2).chunk(2, dim=-1)[0]
        elif self._name == "control_frames":
            out = self._module(given["features"], given["hints"])
        elif self._name == "control":
            out = self._module(given["latents"], given["hints"], given["time"], given["text"])
        elif self._name == "emdm":
            out = self._module(given["latents"], given["time"], given["text"], given["z"])
        else:
            out = self._module(given["latents"], given["time"], given["text"], given["guidance"])
        return [out.cpu().numpy()]
