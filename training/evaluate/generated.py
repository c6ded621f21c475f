# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions made for the held-out captions, kept in files so that an interrupted report goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from motion_engine import features
from motion_engine.bundle import Bundle
from motion_engine.cleanup import carry_by_feet, lock_feet, put_on_floor
from motion_engine.engine import MAX_PROMPT, Engine, GenerateRequest
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion
from motion_engine.runtime.torch.vae import MotionVAE, VAEConfig
from training.data.loader import Normaliser
from training.data.motion_set import MotionSet, Window
from training.loop import load_average
from training.train_vae import reconstruct

SAVE_SECONDS = 60.0
SEED_STRIDE = 1_000_000
"""Between the seeds of two sets."""

NAMES = {"mld": "MLD", "motionlcm": "MotionLCM", "emdm": "EMDM", "mote": "MoTe"}
LADDER = {"mld": [50], "motionlcm": [1, 2, 4]}
"""Steps that the papers report; another sampler is shown with the steps of its preset."""


@dataclass(frozen=True)
class ModelRow:
    """A sampler of the bundle with a number of steps."""

    sampler: str
    steps: int

    @property
    def name(self) -> str:
        """As a table shows it."""
        plural = "" if self.steps == 1 else "s"
        return f"{NAMES.get(self.sampler, self.sampler)}, {self.steps} step{plural}"

    @property
    def key(self) -> str:
        """As files are named."""
        return f"{self.sampler}_{self.steps}"


def model_rows(bundle: Bundle, steps: Mapping[str, Sequence[int]] | None = None) -> list[ModelRow]:
    """The samplers that a bundle offers, the teacher first, each with its steps.

    Parameters
    ----------
    steps : other steps by sampler; a sampler with an empty list is left out.

    Raises
    ------
    ValueError
        If the bundle does not have a sampler that ``steps`` names.
    """
    unknown = set(steps or {}) - set(bundle.samplers)
    if unknown:
        raise ValueError(
            f"The bundle {bundle.name} has no sampler {', '.join(sorted(unknown))}; "
            f"it has {', '.join(bundle.samplers)}."
        )
    wanted = {
        name: LADDER.get(name, [int(preset["steps"])]) for name, preset in bundle.samplers.items()
    } | dict(steps or {})
    order = sorted(wanted, key=lambda name: (list(NAMES).index(name) if name in NAMES else 99, name))
    return [ModelRow(name, count) for name in order for count in sorted(wanted[name])]


@dataclass
class GeneratedSet:
    """Motions in the order of their captions, and milliseconds that each took (empty where none were measured)."""

    motions: list[Motion]
    captions: list[str]
    milliseconds: list[float]


def generate_set(
    engine: Engine,
    row: ModelRow,
    captions: Sequence[str],
    lengths: Sequence[int],
    file: Path,
    *,
    first_seed: int,
    clean_up: bool = True,
) -> GeneratedSet:
    """One motion a caption at the given length in frames, with seeds counted from ``first_seed``.

    What ``file`` holds of an earlier try with the same bundle and captions is used; it is written once a minute and at
    the end. Each sentence is computed alone, and its time is taken from the prompt to the finished motion.
    """
    prompts = [" ".join(caption.split())[:MAX_PROMPT] for caption in captions]
    key = _key(engine, row, prompts, lengths, first_seed, clean_up)
    done = _read(file, key)
    if len(done.motions) == len(prompts):
        return done
    fps = engine.bundle.fps

    def request(index: int) -> GenerateRequest:
        return GenerateRequest(
            prompts[index], duration=lengths[index] / fps, seed=first_seed + index, sampler=row.sampler,
            steps=row.steps, tries=1, foot_lock=clean_up, floor=clean_up,
        )  # fmt: skip

    engine.generate(request(0))  # loads the sampler: not part of a sentence's time
    saved = time.monotonic()
    bar = tqdm(
        range(len(done.motions), len(prompts)), desc=row.name, initial=len(done.motions), total=len(prompts),
        mininterval=2,
    )  # fmt: skip
    for index in bar:
        start = time.perf_counter()
        motion = engine.generate(request(index))[0]
        done.milliseconds.append(1000 * (time.perf_counter() - start))
        done.motions.append(motion)
        done.captions.append(prompts[index])
        if time.monotonic() - saved > SAVE_SECONDS:
            _write(file, key, done)
            saved = time.monotonic()
    _write(file, key, done)
    return _read(file, key)


def _key(
    engine: Engine,
    row: ModelRow,
    prompts: Sequence[str],
    lengths: Sequence[int],
    first_seed: int,
    clean_up: bool,
) -> str:
    told = [engine.bundle.sha256, row.key, list(prompts), [int(n) for n in lengths], first_seed, clean_up]
    return hashlib.sha256(json.dumps(told).encode("utf-8")).hexdigest()


def _read(file: Path, key: str) -> GeneratedSet:
    notes = file.with_suffix(".json")
    if not (file.exists() and notes.exists()):
        return GeneratedSet([], [], [])
    kept: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
    if kept["key"] != key:
        return GeneratedSet([], [], [])
    made = MotionSet.load(file)
    motions = [made.motions[window.clip] for window in made.windows]
    count = min(len(motions), len(kept["milliseconds"]))
    captions = [window.captions[0] for window in made.windows]
    return GeneratedSet(motions[:count], captions[:count], kept["milliseconds"][:count])


def _write(file: Path, key: str, made: GeneratedSet) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    names = [f"made/{index:05d}" for index in range(len(made.motions))]
    windows = [
        Window(name, 0.0, motion.duration, "test", (caption,))
        for name, motion, caption in zip(names, made.motions, made.captions, strict=True)
    ]
    MotionSet(dict(zip(names, made.motions, strict=True)), windows, made.motions[0].fps).save(file)
    with replacing(file.with_suffix(".json")) as notes:
        told = {"key": key, "milliseconds": [round(value, 3) for value in made.milliseconds]}
        notes.write(json.dumps(told).encode("utf-8"))


def reconstructed(bundle: Bundle, run: Path, motions: Sequence[Motion]) -> list[Motion]:
    """Measured motions through the VAE's mean and back, then finished as the engine finishes what it makes.

    Raises
    ------
    FileNotFoundError, ValueError
        If the run folder does not hold this bundle's VAE: a bundle carries the decoder only.
    """
    for name in ("vae.pt", "normaliser.npz"):
        if not (run / name).exists():
            raise FileNotFoundError(
                f"the folder {run.name} holds no {name}, and a bundle carries the decoder only."
            )
    try:
        vae = MotionVAE(VAEConfig(**bundle.manifest["networks"]["vae"]))
        load_average(vae, run / "vae.pt")
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"the VAE in {run.name} is not the one of the bundle {bundle.name}: {error}"
        ) from error
    normaliser = Normaliser.load(run / "normaliser.npz")
    if not np.allclose(normaliser.mean, bundle.stats["mean"], atol=1e-4):
        raise ValueError(f"the statistics in {run.name} are not those of the bundle {bundle.name}.")
    found = []
    for motion in tqdm(motions, desc="VAE", mininterval=2):
        rows = features.encode(motion)
        # whole latents: the last frame is repeated and the excess cut again
        padded = np.pad(rows, ((0, -len(rows) % vae.downsampling), (0, 0)), mode="edge")
        recovered = reconstruct(vae, normaliser, padded.astype(np.float32))[: len(rows)]
        found.append(finish(bundle, recovered))
    return found


def finish(bundle: Bundle, rows: np.ndarray) -> Motion:
    """Features (T, 263) as the engine hands them out: smoothed, decoded, on the floor, planted feet held."""
    smoothed = features.smooth(rows, bundle.manifest.get("smoothing", 0.0))
    motion = features.decode(smoothed, bundle.fps, bundle.manifest["features"])
    return lock_feet(carry_by_feet(put_on_floor(motion)))
