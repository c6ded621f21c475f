# SPDX-License-Identifier: GPL-3.0-or-later
"""EMDM as published: a denoising diffusion GAN on whole motions (Zhou et al. 2024), from a folder to a bundle.

As in the published code a clip has always the same number of frames and nothing masks its padding, neither in the
networks nor in the losses, and the discriminator reads the condition even where the generator does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine import skeleton
from motion_engine.errors import EngineError
from motion_engine.features import N_FEATURES
from motion_engine.runtime.torch.paper import text_folder
from motion_engine.runtime.torch.paper.bundle import PRESETS, PaperBundle, write_bundle
from motion_engine.runtime.torch.paper.emdm import Generator
from training.adversarial_loop import PairRates, train_pair
from training.denoising_gan import Diffusion, balance, fake_loss, gradient_penalty, real_loss
from training.loop import is_finished, load_average, pick_device
from training.paper.action_data import ActionData, action_joints
from training.paper.data import PaperData, SentenceVectors
from training.paper.emdm_config import EMDMConfig
from training.paper.emdm_discriminators import (
    DiscriminatorSizes,
    MLPDiscriminator,
    TransformerDiscriminator,
)
from training.paper.stages import SteadyEMA
from training.train_emdm import STANDING

Batches = Callable[[int], Iterator[tuple[Tensor, Tensor]]]
"""From the number of a step to endless batches: motions (B, T, F), and sentence vectors (B, 1, W) or classes (B,)."""


def geometric_losses(found: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Squared errors of joints (B, T, 22, 3), of their velocities, and velocity of feet that should stand."""
    moves, wanted_moves = torch.diff(found, dim=1), torch.diff(wanted, dim=1)
    feet = list(skeleton.FOOT_JOINTS)
    standing = wanted_moves[..., feet, :].norm(dim=-1, keepdim=True) <= STANDING
    return {
        "position": F.mse_loss(found, wanted),
        "velocity": F.mse_loss(moves, wanted_moves),
        "foot": (moves[..., feet, :] * standing).square().mean(),
    }


def make_discriminator(config: EMDMConfig) -> nn.Module:
    """The discriminator that a recipe names."""
    sizes = config.sizes
    if config.gan.discriminator == "transformer":
        return TransformerDiscriminator(DiscriminatorSizes(sizes.features, sizes.actions, sizes.stack))
    return MLPDiscriminator(config.frames, sizes.features, sizes.text_width or sizes.actions)


def train_emdm(config: EMDMConfig, batches: Batches, folder: Path, steps: int) -> None:
    """Train both networks; writes ``emdm.pt``. Level and noise are drawn anew for each of the three losses."""
    settings, device = config.gan, pick_device()
    torch.manual_seed(0)
    generator = Generator(config.sizes).to(device)
    discriminator = make_discriminator(config).to(device)
    diffusion = Diffusion(settings.levels).to(device)
    flat = settings.discriminator == "mlp"

    def judged(condition: Tensor) -> Tensor:
        """The condition in the form that the discriminator reads."""
        if config.action is None:
            return condition[:, 0]
        return F.one_hot(condition, config.action.actions).float() if flat else condition

    def dropped(condition: Tensor) -> Tensor:
        gone = torch.rand(len(condition), device=device) < settings.condition_drop
        if config.action is None:
            return torch.where(gone[:, None, None], torch.zeros_like(condition), condition)
        return torch.where(gone, -1, condition)

    def losses(batch: tuple[Tensor, Tensor], step: int) -> Iterator[dict[str, Tensor]]:
        motion, condition = (part.to(device) for part in batch)
        shown = judged(condition)

        def noisy() -> tuple[Tensor, Tensor, Tensor]:
            time = torch.randint(0, settings.levels, (len(motion),), device=device)
            return (
                time,
                *diffusion.pair(motion, time, torch.randn_like(motion), torch.randn_like(motion)),
            )

        def draw(later: Tensor, time: Tensor) -> Tensor:
            z = torch.randn(len(motion), config.generator.noise_width, device=device)
            return generator(later, time, dropped(condition), z)

        time, earlier, later = noisy()
        penalised = step % settings.penalty_every == 0
        real = discriminator(earlier.requires_grad_(penalised), later, time, shown)
        with torch.no_grad():
            made = diffusion.step_back(draw(later, time), later, time, torch.randn_like(motion))
        fake = discriminator(made, later.detach(), time, shown)
        told = {"loss": real_loss(real) + fake_loss(fake), **balance(real.detach(), fake.detach())}
        if penalised:
            told["r1"] = gradient_penalty(real, earlier)
            told["loss"] = told["loss"] + 0.5 * settings.penalty * told["r1"]
        yield told

        time, _, later = noisy()
        clean = draw(later, time)
        parts = {"reconstruction": F.mse_loss(clean, motion)}
        matched = parts["reconstruction"]
        if settings.geometric:
            parts |= geometric_losses(action_joints(clean), action_joints(motion))
            matched = matched + settings.geometric * (parts["position"] + parts["velocity"] + parts["foot"])
        time, _, later = noisy()
        made = diffusion.step_back(draw(later, time), later, time, torch.randn_like(motion))
        parts["adversarial"] = real_loss(discriminator(made, later, time, shown))
        parts["loss"] = parts["adversarial"] + settings.reconstruction * matched
        yield parts

    train_pair(
        generator,
        discriminator,
        batches,
        losses,
        folder=folder,
        name="emdm",
        steps=steps,
        rates=PairRates(
            settings.learning_rate,
            settings.discriminator_rate,
            betas=(settings.betas[0], settings.betas[1]),
            warm_up=0,
            cosine=False,
            clip=None,
        ),
        ema=SteadyEMA(generator, settings.ema),
    )


def recipe(
    config: EMDMConfig,
    data_folder: Path,
    run: Path,
    *,
    epochs: int | None = None,
    text_encoder: Path | None = None,
    out: Path | None = None,
    command: str = "",
) -> None:
    """Train in the folder ``run``; with ``out``, write the bundle. See `training.paper.recipe.recipe`.

    Raises
    ------
    ValueError, FileNotFoundError
        If data, text encoder or a checkpoint cannot be used; the sentence says why.
    """
    if out is not None and (config.data is None or config.features != N_FEATURES or config.bundle is None):
        raise ValueError("A bundle needs sentences and the numbers of HumanML3D. Leave --out away.")
    if epochs is not None:
        if epochs < 1:
            raise ValueError(f"--epochs must be 1 or more, not {epochs}.")
        config = replace(config, gan=replace(config.gan, epochs=epochs))
    batch = config.gan.batch
    text: text_folder.TextNetwork | None = None
    data: PaperData | ActionData
    if config.action is not None:
        data = actions = ActionData.read(data_folder, config.action)
        run.mkdir(parents=True, exist_ok=True)

        def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
            return actions.batches(batch, first)
    else:
        assert config.data is not None
        data = sentences = PaperData.read(data_folder, config.data)
        text = _text_encoder(config, text_encoder)
        run.mkdir(parents=True, exist_ok=True)
        captions = [caption for item in sentences.items for caption in item.captions]
        vectors = SentenceVectors(captions, text, run / "captions.npz", pick_device())

        def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
            for motion, _, words in sentences.batches(batch, vectors, first):
                yield F.pad(motion, (0, 0, 0, config.frames - motion.shape[1])), words

    (run / "skipped.txt").write_text("\n".join(data.skipped), encoding="utf-8")
    steps = config.gan.epochs * data.steps_an_epoch(batch)
    if not is_finished(run, "emdm", steps):
        train_emdm(config, batches, run, steps)
    if out is not None:
        assert isinstance(data, PaperData) and text is not None
        _export(config, data, text, run, out, command)


def _text_encoder(config: EMDMConfig, folder: Path | None) -> text_folder.TextNetwork:
    try:
        text = text_folder.read(text_folder.find("clip-b32", folder))
    except EngineError as error:
        raise ValueError(str(error)) from error
    if text.kind != "clip" or text.width != config.generator.text_width:
        raise ValueError(
            f"The text encoder gives {text.width} numbers a sentence; EMDM reads the"
            f" {config.generator.text_width} of {text_folder.PUBLISHED['clip-b32'].repository}."
        )
    return replace(text, kind="clip-b32", max_tokens=text_folder.EMDM_TOKENS)


def _export(
    config: EMDMConfig,
    data: PaperData,
    text: text_folder.TextNetwork,
    run: Path,
    out: Path,
    command: str,
) -> None:
    assert config.bundle is not None and config.data is not None
    generator = Generator(config.sizes)
    load_average(generator, run / "emdm.pt")
    levels = config.gan.levels
    preset = PRESETS["emdm", ""] | {
        "steps": levels, "levels": levels, "guidance": config.gan.guidance,
        "noise_width": config.generator.noise_width,
    }  # fmt: skip
    write_bundle(
        out,
        PaperBundle(
            asdict(config.bundle),
            None,
            {"emdm": generator},
            {"emdm": preset},
            text,
            data.mean,
            data.std,
            fps=config.data.fps,
            shortest=config.data.shortest,
            longest=config.data.longest,
            extra={"made_with": command, "training_data": {"items": len(data.items)}},
        ),
    )


def run_command(arguments: argparse.Namespace) -> None:
    """``python -m training paper`` with a recipe of EMDM."""
    recipe(
        EMDMConfig.read(arguments.config),
        arguments.data,
        arguments.run,
        epochs=arguments.epochs,
        text_encoder=arguments.text_encoder,
        out=arguments.out,
        command=f"python -m training paper DATA --config {arguments.config}",
    )
