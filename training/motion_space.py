# SPDX-License-Identifier: GPL-3.0-or-later
"""A start in motion space from a teacher that knows latents.

The layers of a latent denoiser speak of tokens of its own width; only the maps at its two ends know what a token is
made of. Both are fitted anew by least squares. In: the latent of a bundle's VAE from the frames that it stands for.
Out: those frames, clean, from what the last layer says of noisy ones.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from motion_engine.bundle import Bundle, find
from motion_engine.errors import EngineError
from motion_engine.runtime.torch.backend import stored_weights
from motion_engine.runtime.torch.emdm import Generator
from motion_engine.runtime.torch.vae import MotionVAE, VAEConfig
from training.config import Config
from training.data.loader import Normaliser
from training.denoising_gan import Diffusion
from training.latents import batches
from training.train_mld import LatentData

WINDOWS = 600
"""That the map in is fitted to."""

BATCHES, BATCH = 24, 32
"""Of noisy windows that the map out is fitted to."""

RIDGE = 1e-3
"""Of the mean square of the last layer's numbers: what keeps the map out small."""


@torch.no_grad()
def begin_in_motion_space(generator: Generator, config: Config, data: LatentData, folder: Path) -> None:
    """Give ``generator`` the layers of the teacher of the bundle ``[emdm_training] warm_start``, with ends that fit.

    Parameters
    ----------
    data : windows of frames side by side, normalised.
    folder : of the run, with its ``normaliser.npz``.

    Raises
    ------
    ValueError
        If there is no such bundle, or its teacher is of another size.
    """
    assert config.emdm_training is not None
    bundle = _teachers_bundle(config, config.emdm_training.warm_start)
    weights = stored_weights(bundle, "mld")
    patches, latents = _pairs(bundle, data, Normaliser.load(folder / "normaliser.npz"))
    inward = map_in(patches, latents)
    weights["latent_in.weight"] = weights["latent_in.weight"] @ inward
    last = {name: generator.get_parameter(name) for name in ("latent_out.weight", "latent_out.bias")}
    weights |= last
    missing, unexpected = generator.load_state_dict(weights, strict=False)
    assert not unexpected and all(key.startswith("noise.") for key in missing)
    for parameter, fitted in zip(last.values(), _map_out(generator, config, data), strict=True):
        parameter.copy_(fitted)


def _teachers_bundle(config: Config, name: str) -> Bundle:
    try:
        bundle = find(name)
    except EngineError as error:
        raise ValueError(f"[emdm_training] warm_start: {error}") from error
    networks = bundle.manifest.get("networks", {})
    if not {"mld.safetensors", "encoder.safetensors"} <= bundle.files or "vae" not in networks:
        raise ValueError(f"[emdm_training] warm_start: the bundle {name} has no teacher with an encoder.")
    sizes = networks["denoiser"] | {"dropout": config.denoiser.dropout}
    if sizes != asdict(config.denoiser) or bundle.manifest["downsampling"] != config.vae.downsampling:
        raise ValueError(
            f"[emdm_training] warm_start: the teacher of {name} is of another size than [denoiser] and [vae] say."
        )
    return bundle


def _pairs(bundle: Bundle, data: LatentData, normaliser: Normaliser) -> tuple[Tensor, Tensor]:
    """Frames side by side (N, C) as the run has them, and the bundle's latents (N, its channels) for them."""
    vae = MotionVAE(VAEConfig(**bundle.manifest["networks"]["vae"])).eval()
    vae.encoder.load_state_dict(stored_weights(bundle, "encoder"))
    stats = {name: torch.from_numpy(value) for name, value in bundle.stats.items()}
    mean, std = torch.from_numpy(normaliser.mean), torch.from_numpy(normaliser.std)
    centre, scale = torch.from_numpy(data.centre), torch.from_numpy(data.scale)
    patches, latents = [], []
    for index in np.random.default_rng(0).permutation(len(data.windows))[:WINDOWS]:
        window = data.windows[index].mean
        rows = (window * scale + centre).reshape(-1, len(mean)) * std + mean
        known = vae.encode(((rows - stats["mean"]) / stats["std"])[None])[0][0]
        latents.append((known - stats["latent_mean"]) / stats["latent_std"])
        patches.append(window)
    return torch.cat(patches), torch.cat(latents)


def map_in(patches: Tensor, latents: Tensor) -> Tensor:
    """The matrix (C', C) that makes latents (N, C') of patches (N, C), both of zero mean, by least squares.

    Ridge regression, as much of it as makes unit noise on the patches unit noise on the latents, in the mean: then a
    level of noise is for the layers behind it what the teacher knows as that level.
    """
    x, y = patches.double(), latents.double()
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    along = vectors.T @ (x.T @ y / len(x))

    def fitted(ridge: float) -> Tensor:
        return (vectors @ (along / (values[:, None] + ridge))).T

    low, high = 1e-6, 1e3
    for _ in range(40):
        middle = (low * high) ** 0.5
        too_loud = fitted(middle).square().sum(dim=1).mean() > 1.0
        low, high = (middle, high) if too_loud else (low, middle)
    return fitted(high).float()


def _map_out(generator: Generator, config: Config, data: LatentData) -> tuple[Tensor, Tensor]:
    """Weight (2 C, width) and bias (2 C,) from the last layer's numbers to clean data, at all levels of noise alike.

    Half of what they say is of the tokens before and behind; see `motion_engine.runtime.torch.emdm.WindowsOut`.
    """
    settings = generator.settings
    diffusion = Diffusion(settings.levels)
    drawn = batches(data.windows, data.captions, config, BATCH, 0.1, seed=3)
    said: list[Tensor] = []
    hook = generator.norm.register_forward_hook(lambda module, given, out: said.append(out))
    random = torch.Generator().manual_seed(0)
    square: Tensor | float = 0.0
    product: Tensor | float = 0.0
    for _, batch in zip(range(BATCHES), drawn, strict=False):
        time = torch.randint(0, settings.levels, (len(batch.latents),), generator=random)
        noise = torch.randn(2, *batch.latents.shape, generator=random)
        _, later = diffusion.pair(batch.latents, time, noise[0], noise[1])
        z = torch.randn(len(time), settings.noise_width, generator=random)
        generator(later, time, batch.text, z, batch.mask, batch.text_mask)
        half = batch.latents.shape[-1] // 2
        wanted = torch.cat(
            [batch.latents[:, :-2, half:], batch.latents[:, 1:-1], batch.latents[:, 2:, :half]], dim=-1
        )
        between = batch.mask[:, 2:]  # tokens with one on either side
        features = F.pad(said.pop()[:, 1:-1][between], (0, 1), value=1.0).double()
        square = square + features.T @ features
        product = product + features.T @ wanted[between].double()
    hook.remove()
    assert isinstance(square, Tensor) and isinstance(product, Tensor)
    weight = RIDGE * square.diagonal()[:-1].mean()
    ridge = torch.full((len(square),), float(weight), dtype=square.dtype)
    ridge[-1] = 0.0  # the bias may be what it is
    fitted = torch.linalg.solve(square + ridge.diag(), product).float()
    return fitted[:-1].T, fitted[-1]
