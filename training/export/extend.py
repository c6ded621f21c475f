# SPDX-License-Identifier: GPL-3.0-or-later
"""More networks for a bundle that is there: what it has stays as it is, to the byte."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from torch import nn

from motion_engine.bundle import Bundle
from motion_engine.bundle_check import adapter_names
from motion_engine.runtime.torch.backend import stored_weights
from motion_engine.runtime.torch.emdm import Generator
from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.export.adapter import (
    ADAPTER_SUFFIX,
    Adapter,
    in_eight_bits,
    save_adapter,
    save_adapters,
    stored_adapter,
)
from training.export.bundle import (
    export_decoder,
    export_denoiser,
    export_encoder,
    preset_default,
    with_default,
    write_manifest,
)
from training.export.captions import CaptionSide
from training.low_rank import rank_of, summed
from training.train_emdm import make_generator

ROUNDING = 0.005
"""Of the largest weight: what storing in 8 bits or in half precision changes at most."""


def extend_bundle(
    bundle: Bundle,
    destination: Path,
    config: Config,
    latent_stats: tuple[np.ndarray, np.ndarray],
    *,
    vae: MotionVAE | None = None,
    emdm: Generator | None = None,
    captions: CaptionSide | None = None,
    adapters: Mapping[str, Adapter] | None = None,
    beside: int | None = None,
    command: str = "",
) -> None:
    """Copy ``bundle`` to ``destination``, which may be its own folder, with more networks.

    Parameters
    ----------
    latent_stats : mean and standard deviation (C,) of the latents that the new networks were trained on.
    vae : whose encoder is added where the bundle has none, and whose decoder takes the place of the bundle's where it
        was trained further over the bundle's encoder.
    emdm, captions : the sampler, and the caption side; they replace those that the bundle has. EMDM becomes the
        default where its preset in the configuration says so.
    adapters : low-rank changes of networks that the bundle has, by their names; added to those that it has already.
        Their samplers take steps and guidance from the configuration's presets.
    beside : rank at which these adapters are stored, in 8 bits, in files beside those that the bundle has, which then
        stay as they are.
    command : what made the new networks.

    Raises
    ------
    ValueError
        If the new networks speak of other latents than the bundle's, nothing is to be added, ``beside`` is below 1, or
        the bundle leans on another one.
    """
    if bundle.other is not None:
        raise ValueError(
            f"The bundle {bundle.name} leans on {bundle.other.name} and cannot be extended: "
            f"extend {bundle.other.name}, and export {bundle.name} anew."
        )
    known = bundle.stats["latent_mean"], bundle.stats["latent_std"]
    if not all(np.allclose(a, b, atol=1e-4) for a, b in zip(latent_stats, known, strict=True)):
        raise ValueError(
            f"The run's latents are not those of the bundle {bundle.name}: "
            "begin with `python -m training restore`, which keeps their scale."
        )
    has_encoder = "encoder.onnx" in bundle.manifest["files"]
    decoder = None
    if vae is not None and has_encoder:
        same_latents = _holds(bundle, "encoder", vae.encoder)
        decoder = vae.decoder if same_latents and not _holds(bundle, "decoder", vae.decoder) else None
        vae = None
    if beside is not None and beside < 1:
        raise ValueError(f"The rank of an adapter is 1 or more, not {beside}.")
    if vae is None and decoder is None and emdm is None and captions is None and not adapters:
        raise ValueError("The run has no network that the bundle lacks.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        folder = Path(scratch) / destination.name
        shutil.copytree(bundle.path, folder)
        manifest = dict(bundle.manifest)
        networks, files = dict(manifest["networks"]), dict(manifest["files"])
        written: list[str] = []
        if vae is not None:
            written += export_encoder(vae, folder)
        if decoder is not None:
            written += export_decoder(decoder, manifest["latent_channels"], folder)
        if emdm is not None:
            written += export_denoiser(emdm, config, folder, "emdm")
            settings = asdict(emdm.settings)
            samplers = manifest["samplers"] | {"emdm": dict(config.presets["emdm"]) | settings}
            default = preset_default(config, ["emdm"]) or bundle.default_sampler
            manifest["samplers"] = with_default(samplers, default)
            networks["emdm"] = settings
        if captions is not None:
            written += captions.export(folder)
            manifest["tasks"] = list(dict.fromkeys([*manifest["tasks"], *captions.tasks]))
            manifest["captions"] = captions.section(config.presets["captions"])
            networks |= captions.settings()
            manifest["samplers"] = manifest["samplers"] | captions.samplers(config.presets)
        if adapters and beside is not None:
            for name, adapter in adapters.items():
                before = adapter_names(manifest, name)
                file = f"{name}.{len(before) + 1}{ADAPTER_SUFFIX}"
                files[file] = save_adapter(in_eight_bits(summed([adapter], beside)), folder / file)
                manifest["adapters"] = manifest.get("adapters", {}) | {name: [*before, file]}
        elif adapters:
            together = {
                name: summed([stored_adapter(bundle, name), adapter], rank_of(adapter))
                for name, adapter in adapters.items()
            }
            named, hashes = save_adapters(folder, together)
            manifest["adapters"] = manifest.get("adapters", {}) | named
            files |= hashes
            used = {file for name in manifest["adapters"] for file in adapter_names(manifest, name)}
            for file in [file for file in files if file.endswith(ADAPTER_SUFFIX) and file not in used]:
                (folder / file).unlink()  # what it held is in the new one
                del files[file]
        for name in set(adapters or {}) & set(manifest["samplers"]):
            # what a network makes of its guidance has changed
            settings = manifest["samplers"][name] | config.presets.get(name, {})
            manifest["samplers"] = manifest["samplers"] | {name: settings}
        for name in written:
            files[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        made = [*manifest.get("extended_with", []), command]
        del manifest["files"]  # stays the last entry
        manifest |= {"networks": networks, "extended_with": made, "version": config.bundle.version}
        manifest["files"] = files
        write_manifest(folder, manifest)
        if destination.exists():
            shutil.rmtree(destination)
        folder.replace(destination)


def new_levels(bundle: Bundle, config: Config) -> Generator | None:
    """The EMDM generator that a bundle holds, on the noise levels of a configuration; None where these are its own.

    Its weights, without the adapter, are the same: it reads the teacher's time of a level, and only the graph knows
    which times those are.
    """
    if asdict(make_generator(config).settings) == bundle.manifest["networks"].get("emdm"):
        return None
    generator = make_generator(config)
    alone = replace(bundle, manifest={**bundle.manifest, "adapters": {}})
    generator.load_state_dict(stored_weights(alone, "emdm"))
    return generator.eval()


def _holds(bundle: Bundle, name: str, network: nn.Module) -> bool:
    """Whether a bundle has the weights of a network, but for the rounding to 8 bits."""
    stored = stored_weights(bundle, name)
    state = network.state_dict()
    return stored.keys() == state.keys() and all(
        (stored[key] - value).abs().max() <= ROUNDING * value.abs().max() for key, value in state.items()
    )
