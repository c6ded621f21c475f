# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop of a generator and a discriminator: as `training.loop.train`, with two networks and optimisers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training import loop
from training.loop import EMA, fill, read_checkpoint, scheduled_rate

Losses = Callable[[Any, int], Iterator[dict[str, Tensor]]]
"""From a batch and the number of the step to the losses of the discriminator and, when it has learned from them,
those of the generator. ``"loss"`` is what each minimises."""


@dataclass(frozen=True)
class PairRates:
    """Peak learning rates, and how they run: warm-up steps, then a cosine down to ``last``, or no change.

    ``clip`` is the largest norm of a gradient; None leaves it as it is.
    """

    generator: float
    discriminator: float
    betas: tuple[float, float] = (0.5, 0.9)
    warm_up: int = 200
    cosine: bool = True
    last: float = 0.0
    clip: float | None = 1.0


def train_pair(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Callable[[int], Iterator[Any]],
    losses_of: Losses,
    *,
    folder: Path,
    name: str,
    steps: int,
    rates: PairRates,
    ema: EMA,
) -> None:
    """Adam for both, in turn; checkpoints every minute, a line of losses in ``NAME.jsonl`` every 25 steps.

    Started again with the same folder it goes on where it stopped, along the curve of a run that never did. ``NAME.pt``
    holds what `training.loop.train` writes of the generator, and the discriminator with its optimiser.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}.pt"
    networks = {"discriminator": discriminator, "generator": generator}
    peaks = {"discriminator": rates.discriminator, "generator": rates.generator}
    optimisers = {
        key: torch.optim.Adam(network.parameters(), lr=peaks[key], betas=rates.betas)
        for key, network in networks.items()
    }
    first = 0
    if checkpoint.exists():
        state = read_checkpoint(checkpoint)
        if "discriminator" not in state:
            raise ValueError(f"{checkpoint} holds no discriminator: it was made by another stage.")
        fill(generator, state["module"], checkpoint)
        fill(discriminator, state["discriminator"], checkpoint)
        fill(ema.module, state["ema"], checkpoint)
        optimisers["generator"].load_state_dict(state["optimiser"])
        optimisers["discriminator"].load_state_dict(state["discriminator_optimiser"])
        first = state["step"]

    def save(step: int) -> None:
        loop.save_checkpoint(
            checkpoint,
            {
                "module": generator.state_dict(),
                "ema": ema.module.state_dict(),
                "optimiser": optimisers["generator"].state_dict(),
                "step": step,
                "discriminator": discriminator.state_dict(),
                "discriminator_optimiser": optimisers["discriminator"].state_dict(),
            },
        )

    def update(key: str, losses: dict[str, Tensor]) -> dict[str, float]:
        optimisers[key].zero_grad(set_to_none=True)
        losses["loss"].backward()
        parameters = [p for p in networks[key].parameters() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(parameters, rates.clip or torch.inf)
        if torch.isfinite(norm):
            optimisers[key].step()
        named = {part: float(value.detach()) for part, value in losses.items()}
        return named if key == "generator" else {"discriminator": named.pop("loss"), **named}

    generator.train()
    discriminator.train()
    drawn = batches(first)
    recent: list[dict[str, float]] = []
    saved_at = started = time.monotonic()
    bar = tqdm(range(first, steps), desc=name, initial=first, total=steps, mininterval=5, dynamic_ncols=True)
    with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as log:
        for step in bar:
            for key, optimiser in optimisers.items():
                rate = scheduled_rate(step, steps, peaks[key], rates.warm_up, rates.cosine, rates.last)
                for group in optimiser.param_groups:
                    group["lr"] = rate
            batch = next(drawn)
            torch.manual_seed(step)
            discriminator.requires_grad_(True)
            turns = losses_of(batch, step)
            told = update("discriminator", next(turns))
            discriminator.requires_grad_(False)  # the generator's gradient goes through it, and stops there
            told |= update("generator", next(turns))
            ema.update(generator, step)
            recent.append(told)
            if (step + 1) % loop.LOG_EVERY == 0:
                means = mean_losses(recent)
                seconds = round(time.monotonic() - started, 1)
                log.write(json.dumps({"step": step + 1, **means, "seconds": seconds}) + "\n")
                log.flush()
                bar.set_postfix(means, refresh=False)
                recent = []
            if time.monotonic() - saved_at > loop.CHECKPOINT_SECONDS:
                save(step + 1)
                saved_at = time.monotonic()
    save(steps)


def mean_losses(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means by name; a loss that is not worked out in every step counts where it is."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: round(sum(found) / len(found), 5) for name, found in values.items()}
