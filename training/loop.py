# SPDX-License-Identifier: GPL-3.0-or-later
"""What every stage shares: device, learning-rate schedule, EMA, checkpoints that resume, progress bar, loss log."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

CHECKPOINT_SECONDS = 60.0
LOG_EVERY = 25
MOST_PARTS = 16
"""A batch that does not fit into memory in this many parts is given up."""


def pick_device() -> torch.device:
    """CUDA when there is one, Apple's GPU next, else the CPU."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where it pays: on CUDA and on CPUs with instructions for it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type in ("cuda", "cpu"))


class EMA:
    """Exponential moving average of a module's parameters; the average is warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, step: int | None = None) -> None:
        """Blend in the present parameters."""
        decay = self.decay if step is None else min(self.decay, (1 + step) / (10 + step))
        pairs = zip(self.module.parameters(), module.parameters(), strict=True)
        for average, present in pairs:
            average.lerp_(present, 1.0 - decay)


def train(
    module: nn.Module,
    batches: Callable[[int], Iterator[Any]],
    loss_of: Callable[[Any], dict[str, Tensor]],
    *,
    folder: Path,
    name: str,
    steps: int,
    learning_rate: float,
    ema: EMA,
    warm_up: int = 200,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.99),
    cosine: bool = True,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """AdamW with warm-up and cosine decay, gradient norm clipped at 1, checkpoints every minute.

    Started again with the same folder it goes on where it stopped, along the curve of a run that never did: batches
    and noise depend on the number of the step alone. ``NAME.jsonl`` gets a line of losses every 25 steps, ``NAME.pt``
    holds the weights, their average, the optimiser and the step. When a GPU runs out of memory, the batch is worked
    off in smaller parts from then on, whose gradients are summed, and a line says so.

    Parameters
    ----------
    batches : from the number of a step to the endless batches from that step on; a batch has ``chunk(n)``, or is a
        tuple of tensors.
    cosine : let the learning rate fall after the warm-up; without, it stays.
    loss_of : from a batch to named losses, means over the batch; ``"loss"`` is what is minimised.
    after_step : called with the number of the step when the parameters have changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}.pt"
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=learning_rate, weight_decay=weight_decay, betas=betas
    )
    first = 0
    if checkpoint.exists():
        state = read_checkpoint(checkpoint)
        fill(module, state["module"], checkpoint)
        fill(ema.module, state["ema"], checkpoint)
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]

    def save(step: int) -> None:
        state = {
            "module": module.state_dict(),
            "ema": ema.module.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
        }
        save_checkpoint(checkpoint, state)

    def backward(batch: Any, parts: int) -> dict[str, float]:
        optimiser.zero_grad(set_to_none=True)
        total: dict[str, float] = {}
        chunks = _chunk(batch, parts)
        for chunk in chunks:
            losses = loss_of(chunk)
            (losses["loss"] / len(chunks)).backward()
            for key, value in losses.items():
                total[key] = total.get(key, 0.0) + float(value.detach()) / len(chunks)
        return total

    module.train()
    parts = 1
    drawn = batches(first)
    recent: list[dict[str, float]] = []
    saved_at = started = time.monotonic()
    bar = tqdm(range(first, steps), desc=name, initial=first, total=steps, mininterval=5, dynamic_ncols=True)
    with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as log:
        for step in bar:
            for group in optimiser.param_groups:
                group["lr"] = scheduled_rate(step, steps, learning_rate, warm_up, cosine)
            batch = next(drawn)
            while True:
                try:
                    torch.manual_seed(step)
                    losses = backward(batch, parts)
                    break
                except torch.OutOfMemoryError:
                    if parts >= MOST_PARTS:
                        raise
                    parts *= 2
                    torch.cuda.empty_cache()
                    bar.write(
                        f"{name}: out of memory; each batch is worked off in {parts} parts from now on."
                    )
            norm = nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            if torch.isfinite(norm):
                optimiser.step()
            ema.update(module, step)
            if after_step:
                after_step(step + 1)
            recent.append(losses)
            if (step + 1) % LOG_EVERY == 0:
                means = {key: round(sum(row[key] for row in recent) / len(recent), 5) for key in recent[0]}
                log.write(
                    json.dumps({"step": step + 1, **means, "seconds": round(time.monotonic() - started, 1)})
                    + "\n"
                )
                log.flush()
                bar.set_postfix(means, refresh=False)
                recent = []
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                save(step + 1)
                saved_at = time.monotonic()
    save(steps)


def scheduled_rate(
    step: int, steps: int, peak: float, warm_up: int, cosine: bool, last: float = 0.0
) -> float:
    """Learning rate that rises over ``warm_up`` steps and then, with ``cosine``, falls to ``last``."""
    rising = peak * min(1.0, (step + 1) / max(warm_up, 1))
    if not cosine:
        return rising
    return last + (rising - last) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


def save_checkpoint(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside the old one, and take its place when it is whole."""
    temporary = checkpoint.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(checkpoint)


def _chunk(batch: Any, parts: int) -> list[Any]:
    if parts == 1:
        return [batch]
    if hasattr(batch, "chunk"):
        return list(batch.chunk(parts))
    return list(zip(*(tensor.chunk(parts) for tensor in batch), strict=True))


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """What `train` saved: ``module``, ``ema``, ``optimiser``, ``step``.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or the file is not a whole checkpoint.
    """
    if not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint} is missing: run the stage that makes it first.")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if {"module", "ema", "optimiser", "step"} <= set(state):
            return dict(state)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{checkpoint} is damaged ({error}): delete it and run its stage again.") from error
    raise ValueError(f"{checkpoint} is no checkpoint of a stage: it was made by another program.")


def fill(module: nn.Module, weights: dict[str, Tensor], checkpoint: Path) -> None:
    """Load weights; ValueError with a sentence where they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2]
        raise ValueError(
            f"{checkpoint} holds another network than the configuration describes:"
            f" {' '.join(first).strip()} Use the configuration it was trained with, or another folder for the run."
        ) from error


def is_finished(folder: Path, name: str, steps: int) -> bool:
    """Whether the checkpoint of a stage has reached ``steps``."""
    checkpoint = folder / f"{name}.pt"
    return checkpoint.exists() and read_checkpoint(checkpoint)["step"] >= steps


def load_average(module: nn.Module, checkpoint: Path) -> nn.Module:
    """``module`` with the averaged weights of a checkpoint, in eval mode."""
    fill(module, read_checkpoint(checkpoint)["ema"], checkpoint)
    return module.eval()
