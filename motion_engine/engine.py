# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: a prompt becomes motions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import __version__, features
from motion_engine import bundle as bundles
from motion_engine.bundle import Bundle
from motion_engine.cleanup import carry_by_feet, lock_feet, put_on_floor
from motion_engine.errors import Cancelled, EngineError
from motion_engine.motion import Motion
from motion_engine.quality import quality
from motion_engine.samplers import mld, motionlcm
from motion_engine.text_encoder import TextEncoder

Array = NDArray[np.floating]

MAX_PROMPT = 500
"""Characters: what the text encoder reads, with room to spare."""

MAX_COUNT = 32
MAX_GUIDANCE = 20.0
CPU_BATCH = 4
"""Samples computed together on a CPU: larger batches are no faster there, and cancelling waits for a step."""

GPU_BATCH = 32


@dataclass(frozen=True)
class GenerateRequest:
    """What to make.

    Attributes
    ----------
    prompt : one sentence.
    duration : seconds.
    seed : of the first sample; sample i has ``seed + i``.
    count : how many samples.
    sampler, steps, guidance : the bundle's preset where None.
    foot_lock, floor : clean-up of the result.
    """

    prompt: str
    duration: float = 4.0
    seed: int = 0
    count: int = 1
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    foot_lock: bool = True
    floor: bool = True


@dataclass(frozen=True)
class Plan:
    """A checked request with every default filled in."""

    prompt: str
    frames: int
    seeds: tuple[int, ...]
    sampler: str
    times: tuple[int, ...]
    guidance: float
    foot_lock: bool
    floor: bool


class Engine:
    """A bundle with its networks loaded. One thread at a time may generate."""

    def __init__(
        self, bundle: Bundle, device: str = "auto", backend: str = "onnx", threads: int | None = None
    ) -> None:
        self.bundle = bundle
        encoder_dir = bundles.text_encoder_dir(bundle.manifest["text_encoder"])
        self._text_encoder = TextEncoder(encoder_dir, threads)
        if backend == "onnx":
            from motion_engine.runtime.onnx import OnnxNetwork, providers_for

            providers = providers_for(device)

            def network(name: str) -> Any:
                return OnnxNetwork(bundle.path / f"{name}.onnx", providers, threads)

        elif backend == "torch":
            from motion_engine.runtime.torch.backend import TorchNetwork, device_for

            torch_device = device_for(device)

            def network(name: str) -> Any:
                return TorchNetwork(bundle, name, torch_device)

        else:
            raise EngineError("unknown_backend", f"There is no backend {backend!r}.", "Choose onnx or torch.")
        self._load_network = network
        self._decoder = network("decoder")
        self._denoisers: dict[str, Any] = {}
        self._denoiser(bundle.default_sampler)

    @classmethod
    def load(
        cls,
        bundle: str | Path | None = None,
        *,
        bundles_dir: str | Path | None = None,
        device: str = "auto",
        backend: str = "onnx",
        threads: int | None = None,
    ) -> Engine:
        """Load a bundle by name or folder, the default one when None.

        Raises
        ------
        EngineError
            If there is no such bundle, it is damaged, or the device cannot be used.
        """
        directory = Path(bundles_dir) if bundles_dir else None
        return cls(bundles.find(bundle, directory), device, backend, threads)

    @property
    def device(self) -> str:
        """The device in use: cpu, cuda, dml, coreml or mps."""
        return str(self._decoder.device)

    def warm_up(self) -> None:
        """Run every network once, so that the first request is as fast as the next."""
        self.generate(GenerateRequest("a person walks", duration=self.bundle.min_frames / self.bundle.fps))

    def plan(self, request: GenerateRequest) -> Plan:
        """Check a request against the bundle's limits and fill in its presets.

        Raises
        ------
        EngineError
            With a code, a sentence on what is wrong and what to do.
        """
        return make_plan(self.bundle, request)

    def generate(
        self,
        request: GenerateRequest,
        on_progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> list[Motion]:
        """Make ``request.count`` motions.

        Parameters
        ----------
        on_progress : called with (steps done, steps in all) after each step.
        is_cancelled : asked before each step.

        Raises
        ------
        EngineError
            If the request is not valid.
        Cancelled
            When ``is_cancelled`` says so.
        """
        plan = self.plan(request)
        batch = CPU_BATCH if self.device == "cpu" else GPU_BATCH
        chunks = [plan.seeds[i : i + batch] for i in range(0, len(plan.seeds), batch)]
        total = len(chunks) * len(plan.times)

        def check() -> None:
            if is_cancelled and is_cancelled():
                raise Cancelled

        check()
        text, _ = self._text_encoder.encode(plan.prompt)
        empty = self._text_encoder.encode("")[0] if plan.sampler == "mld" and plan.guidance != 1.0 else text
        motions = []
        for done, seeds in enumerate(chunks):

            def progress(step: int, steps: int, before: int = done * len(plan.times)) -> None:
                if on_progress:
                    on_progress(before + step, total)
                if step < steps:
                    check()

            check()
            latents = self._sample(plan, seeds, text, empty, progress)
            rows = self._decode(latents)[:, : plan.frames]
            for seed, sample in zip(seeds, rows, strict=True):
                sample = features.smooth(sample, self.bundle.manifest.get("smoothing", 0.0))
                motion = features.decode(sample, self.bundle.fps, self.bundle.manifest["features"])
                if plan.floor:
                    motion = put_on_floor(motion)
                if plan.foot_lock:
                    motion = lock_feet(carry_by_feet(motion))
                motion.provenance = self._provenance(plan, seed)
                motion.provenance["quality"] = quality(motion)
                motions.append(motion)
        return motions

    def _denoiser(self, sampler: str) -> Any:
        if sampler not in self._denoisers:
            self._denoisers[sampler] = self._load_network(sampler)
        return self._denoisers[sampler]

    def _sample(
        self,
        plan: Plan,
        seeds: tuple[int, ...],
        text: Array,
        empty: Array,
        progress: Callable[[int, int], None],
    ) -> Array:
        manifest = self.bundle.manifest
        length = math.ceil(plan.frames / manifest["downsampling"])
        streams = [np.random.default_rng(seed) for seed in seeds]

        def noise() -> Array:
            shape = (length, manifest["latent_channels"])
            return np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])

        denoiser = self._denoiser(plan.sampler)
        words = {
            with_prompt: np.repeat(t[None], len(seeds), axis=0)
            for with_prompt, t in ((True, text), (False, empty))
        }

        def call(latents: Array, time: int, tokens: Array, w: float = 0.0) -> Array:
            ones = np.ones(len(seeds), dtype=np.float32)
            return denoiser(
                {
                    "latents": latents.astype(np.float32),
                    "time": ones * time,
                    "text": tokens,
                    "guidance": ones * np.float32(w),
                }
            )[0]

        if plan.sampler == "motionlcm":
            return motionlcm.sample(
                lambda z, t, w: call(z, t, words[True], w),
                noise(), noise, plan.times, plan.guidance, manifest["prediction"], progress,
            )  # fmt: skip
        return mld.sample(
            lambda z, t, with_prompt: call(z, t, words[with_prompt]),
            noise(), plan.times, plan.guidance, manifest["prediction"], progress,
        )  # fmt: skip

    def _decode(self, latents: Array) -> Array:
        stats = self.bundle.stats
        normalised = self._decoder({"latents": latents * stats["latent_std"] + stats["latent_mean"]})[0]
        return normalised * stats["std"] + stats["mean"]

    def _provenance(self, plan: Plan, seed: int) -> dict[str, Any]:
        return {
            "prompt": plan.prompt,
            "seed": seed,
            "sampler": plan.sampler,
            "steps": len(plan.times),
            "guidance": plan.guidance,
            "duration": plan.frames / self.bundle.fps,
            "foot_lock": plan.foot_lock,
            "floor": plan.floor,
            "bundle": f"{self.bundle.name} {self.bundle.version}",
            "bundle_sha256": self.bundle.sha256,
            "licence": self.bundle.manifest["licence"],
            "engine_version": __version__,
        }


def make_plan(bundle: Bundle, request: GenerateRequest) -> Plan:
    """See `Engine.plan`; needs no networks."""
    prompt = " ".join(request.prompt.split())
    if not prompt:
        raise EngineError(
            "empty_prompt", "The prompt is empty.", "Describe a motion, for instance: a person walks forward."
        )
    if len(prompt) > MAX_PROMPT:
        raise EngineError(
            "long_prompt",
            f"The prompt has {len(prompt)} characters; {MAX_PROMPT} are the most.",
            "Shorten it to one or two sentences about one motion.",
        )
    low, high = bundle.min_frames / bundle.fps, bundle.max_frames / bundle.fps
    if not low <= request.duration <= high:  # also refuses NaN
        raise EngineError(
            "bad_duration",
            f"A duration of {request.duration:g} s cannot be made.",
            f"Choose {low:g} to {high:g} seconds.",
        )
    if not 1 <= request.count <= MAX_COUNT:
        raise EngineError(
            "bad_count", f"{request.count} samples cannot be made at once.", f"Choose 1 to {MAX_COUNT}."
        )
    if not 0 <= request.seed < 2**63:
        raise EngineError(
            "bad_seed", f"The seed {request.seed} is not a whole number from 0.", "Choose 0 or more."
        )
    sampler = request.sampler or bundle.default_sampler
    if sampler not in bundle.samplers:
        raise EngineError(
            "unknown_sampler",
            f"The bundle {bundle.name} has no sampler {sampler!r}.",
            f"Choose one of {', '.join(bundle.samplers)}.",
        )
    preset = bundle.samplers[sampler]
    guidance = preset["guidance"] if request.guidance is None else request.guidance
    if not 1.0 <= guidance <= MAX_GUIDANCE:
        raise EngineError(
            "bad_guidance",
            f"A guidance of {guidance:g} cannot be used.",
            f"Choose 1 to {MAX_GUIDANCE:g}; {preset['guidance']:g} is usual.",
        )
    steps = preset["steps"] if request.steps is None else request.steps
    try:
        times = (
            motionlcm.time_steps(steps, preset["grid"]) if sampler == "motionlcm" else mld.time_steps(steps)
        )
    except ValueError as error:
        raise EngineError("bad_steps", str(error), f"{preset['steps']} is usual.") from error
    frames = min(max(round(request.duration * bundle.fps), bundle.min_frames), bundle.max_frames)
    seeds = tuple(request.seed + i for i in range(request.count))
    return Plan(
        prompt, frames, seeds, sampler, tuple(times), float(guidance), request.foot_lock, request.floor
    )
