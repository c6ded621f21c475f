# SPDX-License-Identifier: GPL-3.0-or-later
"""An adapter of the student that brings what it makes, as a whole, nearer to what was measured.

Distillation compares take by take, and its mean leaves a student with less variety than its teacher. Here nothing is
compared take by take: batches of what the student makes in one step and in several are decoded, judges read them, and
the Fréchet distance of what they read to what they read of the measured windows of the same captions goes down
(`training.frechet`). The judges are evaluators of the report's design, trained by this stage from other random numbers
and at another width: an evaluator that a model was trained against would no longer measure it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from motion_engine.runtime.torch.vae import MotionVAE
from motion_engine.samplers.motionlcm import time_steps
from training.config import Config, LCMMoments
from training.data.loader import Normaliser
from training.data.motion_set import MotionSet
from training.evaluate.own_evaluator import FEATURES, EvaluatorConfig, EvaluatorNetwork, OwnEvaluator
from training.evaluate.train_evaluator import train_evaluator
from training.frechet import FrechetQueue
from training.latents import Batch, batches
from training.loop import EMA, autocast, pick_device, train
from training.low_rank import add_low_rank
from training.train_lcm import consistency, load_lcm, pseudo_huber
from training.train_mld import LatentData, alpha_bar, masked_mean
from training.train_vae import load_vae

NAME = "motionlcm_moments"
SEED = 1
"""Of the judges; the report's evaluators have 0."""


def moments_section(config: Config) -> LCMMoments:
    """The settings of this stage.

    Raises
    ------
    ValueError
        If the configuration has none, or asks for no adapter.
    """
    if config.lcm_moments is None:
        raise ValueError(f"The configuration of {config.bundle.name} lacks the section [lcm_moments].")
    if config.adapter is None:
        raise ValueError("This stage trains an adapter of the student: say with --rank how large it is.")
    return config.lcm_moments


class Judge:
    """What an evaluator reads of normalised latents: its embedding, and the mean of its tokens.

    Parameters
    ----------
    centre, scale : (C,) of the latents.
    """

    def __init__(
        self, evaluator: OwnEvaluator, vae: MotionVAE, normaliser: Normaliser, centre: Tensor, scale: Tensor
    ) -> None:
        self.network: EvaluatorNetwork = evaluator.network.requires_grad_(False).eval().to(centre.device)
        self.vae, self.centre, self.scale = vae, centre, scale
        self.seen = FEATURES[evaluator.config.features]
        own = evaluator.normaliser
        # from the VAE's normalised features to the evaluator's
        self.factor, self.shift = (
            torch.from_numpy(numbers[self.seen].astype("float32")).to(centre.device)
            for numbers in (normaliser.std / own.std, (normaliser.mean - own.mean) / own.std)
        )

    def decode(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Features (B, T, 263) of latents (B, L, C), normalised for the VAE."""
        with autocast(latents.device):
            return self.vae.decode((latents * self.scale + self.centre) * mask[..., None]).float()

    def __call__(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and token means (B, width) of decoded features (B, T, 263)."""
        lengths = mask.sum(dim=1) * self.vae.downsampling
        tokens, count = self.network.tokens(rows[..., self.seen] * self.factor + self.shift, lengths)
        real = (torch.arange(tokens.shape[1], device=tokens.device) < count[:, None])[..., None]
        return self.network.embed(tokens, count), (tokens * real).sum(dim=1) / count[:, None]


def own_judges(
    config: Config, settings: LCMMoments, motion_set: MotionSet, folder: Path
) -> list[OwnEvaluator]:
    """An evaluator for each kind of features, trained in ``folder`` where it has none."""
    return [
        train_evaluator(
            motion_set, folder / f"judge_{kind}",
            EvaluatorConfig(config.bundle.text_encoder, features=kind, width=settings.judge_width),
            steps=settings.judge_steps, seed=SEED,
        )
        for kind in FEATURES
    ]  # fmt: skip


def train_lcm_moments(
    config: Config, data: LatentData, motion_set: MotionSet, folder: Path, start_from: Path | None = None
) -> None:
    """Train low-rank matrices beside the student of ``start_from``; writes ``motionlcm_moments.pt``.

    Every batch goes through the sampler's steps, noised anew between them as it does; at the ``taught`` ones the
    student is pulled, each time alone: no gradient runs through the noise in between. Resumed, the queues are filled
    anew, so the curve goes on but for chance.

    Raises
    ------
    ValueError, FileNotFoundError
        Without ``start_from``, or without a student in it.
    """
    settings = moments_section(config)
    if start_from is None:
        raise ValueError("An adapter needs networks to adapt: name their run with --start-from.")
    assert config.adapter is not None
    device = pick_device()
    before = load_lcm(config, start_from).to(device).requires_grad_(False)
    student = load_lcm(config, start_from).to(device)
    torch.manual_seed(0)
    add_low_rank(student, config.adapter.rank)
    vae = load_vae(config, folder).to(device).requires_grad_(False)
    normaliser = Normaliser.load(folder / "normaliser.npz")
    centre, scale = (torch.from_numpy(numbers).float().to(device) for numbers in (data.centre, data.scale))
    judges = [
        Judge(evaluator, vae, normaliser, centre, scale)
        for evaluator in own_judges(config, settings, motion_set, folder)
    ]
    as_measured = replace(config, data=replace(config.data, shares=settings.shares, rarity=settings.rarity))
    levels = alpha_bar(device)
    times = time_steps(settings.sampler_steps, config.lcm_training.grid)
    low, high = settings.guidance_range
    weights = dict(zip(settings.taught, settings.weights, strict=True))
    queues = {
        index: [[FrechetQueue(settings.queue) for _ in ("embedding", "tokens")] for _ in judges]
        for index in settings.taught
    }

    def read(latents: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        rows = judges[0].decode(latents, mask)
        return [judge(rows, mask) for judge in judges]

    def steps(batch: Batch, learn: bool) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number of each taught step, the clip (B, L, C) that the student sees there, and what it saw before."""
        w = torch.rand(len(batch.mask), device=device) * (high - low) + low
        latents = torch.randn_like(batch.latents)
        for index, time in enumerate(times[: max(settings.taught) + 1]):
            at = torch.full_like(w, time, dtype=torch.long)
            taught = index in settings.taught
            with torch.set_grad_enabled(learn and taught), autocast(device):
                output = student(latents, at, batch.text, w, batch.mask, batch.text_mask).float()
                clean = consistency(output, latents, at, levels)
            if taught:
                with torch.no_grad(), autocast(device):
                    output = before(latents, at, batch.text, w, batch.mask, batch.text_mask).float()
                    old = consistency(output, latents, at, levels)
                yield index, clean, old
            if index + 1 < len(times):
                level = levels[times[index + 1]]
                fresh = torch.randn_like(clean)
                latents = level.sqrt() * clean.detach() + (1 - level).sqrt() * fresh

    def drawn(first: int) -> Iterator[Batch]:
        return batches(
            data.windows, data.captions, as_measured, settings.batch, caption_drop=0.0, seed=14, first=first
        )

    @torch.no_grad()
    def fill() -> None:
        first = drawn(0)
        for _ in range(-(-settings.queue // settings.batch)):
            batch = next(first).to(device)
            wanted = read(batch.latents, batch.mask)
            for index, clean, _ in steps(batch, learn=False):
                _add(queues[index], read(clean, batch.mask), wanted)

    def losses(batch: Batch) -> dict[str, Tensor]:
        if not len(queues[settings.taught[0]][0][0].made):
            fill()
        batch = batch.to(device)
        with torch.no_grad():
            wanted = read(batch.latents, batch.mask)
        pull, kept, distance = torch.zeros((), device=device), torch.zeros((), device=device), 0.0
        for index, clean, old in steps(batch, learn=True):
            made = read(clean, batch.mask)
            for of_judge, features in zip(queues[index], made, strict=True):
                for share, queue, part in zip((1.0, settings.tokens), of_judge, features, strict=True):
                    pull = pull + weights[index] * share * queue.pull(part)
            kept = kept + masked_mean(pseudo_huber(clean - old, settings.huber), batch.mask)
            _add(queues[index], made, wanted)
            distance += sum(of_judge[0].distance for of_judge in queues[index])
        told = torch.tensor(distance / (len(queues) * len(judges)))
        return {"loss": pull + settings.keep * kept, "distance": told, "kept": kept}

    train(
        student,
        drawn,
        losses,
        folder=folder,
        name=NAME,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        ema=EMA(student, settings.ema),
        warm_up=settings.warm_up,
        betas=(0.9, 0.998),  # its gradients are small beside their noise
    )


def _add(
    queues: list[list[FrechetQueue]], made: list[tuple[Tensor, Tensor]], wanted: list[tuple[Tensor, Tensor]]
) -> None:
    for of_judge, *parts in zip(queues, made, wanted, strict=True):
        for queue, new, goal in zip(of_judge, *parts, strict=True):
            queue.add(new, goal)
