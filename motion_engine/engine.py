# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: a prompt becomes motions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import __version__, adapter, features
from motion_engine import bundle as bundles
from motion_engine.bundle import Bundle
from motion_engine.captioning import joint_space
from motion_engine.captioning.canonical import Clip as Clip
from motion_engine.captioning.captioner import PARTS_TOGETHER, Captioner, Result
from motion_engine.captioning.joint_space import Embeddings, JointSpace
from motion_engine.captioning.parts import latents_of
from motion_engine.captioning.readers import motion_of_text, token_shapes
from motion_engine.captioning.surprise import surprise
from motion_engine.cleanup import carry_by_feet, lock_feet, put_on_floor
from motion_engine.control import Targets
from motion_engine.control_refine import refine
from motion_engine.control_sampling import controlled, corrected_frames
from motion_engine.errors import Cancelled, EngineError
from motion_engine.expected import expectations
from motion_engine.motion import Motion
from motion_engine.quality import quality
from motion_engine.redraw import Judge, best_of_draws
from motion_engine.request import MAX_COUNT as MAX_COUNT
from motion_engine.request import MAX_GUIDANCE as MAX_GUIDANCE
from motion_engine.request import MAX_PROMPT as MAX_PROMPT
from motion_engine.request import GenerateRequest as GenerateRequest
from motion_engine.request import Plan as Plan
from motion_engine.request import make_plan as make_plan
from motion_engine.samplers import emdm, mld, motionlcm
from motion_engine.text_encoder import text_encoder_for
from motion_engine.timeline import generate_timeline
from motion_engine.variation import noised, vary

Array = NDArray[np.floating]

CPU_BATCH = 3
"""Samples computed together on a CPU: larger batches are no faster there, and cancelling waits for a step."""

GPU_BATCH = 32


class Engine:
    """A bundle with its networks loaded. One thread at a time may generate."""

    def __init__(
        self, bundle: Bundle, device: str = "auto", backend: str = "onnx", threads: int | None = None
    ) -> None:
        self.bundle = bundle
        self.text_encoder = text_encoder_for(bundle, threads)
        if backend == "onnx":
            from motion_engine.runtime.onnx import OnnxNetwork, providers_for

            providers = providers_for(device)

            def network(name: str) -> Any:
                file = bundle.file(f"{name}.onnx")
                loaded = OnnxNetwork(file, providers, threads, adapter.changes(bundle, name))
                if name == "emdm":
                    loaded.require("z")  # a denoiser of another sampler would run too, and make noise
                return loaded

        elif backend == "torch":
            from motion_engine.runtime.torch.backend import TorchNetwork, device_for

            torch_device = device_for(device)

            def network(name: str) -> Any:
                return TorchNetwork(bundle, name, torch_device)

        else:
            raise EngineError("unknown_backend", f"There is no backend {backend!r}.", "Choose onnx or torch.")
        self._load_network = network
        self._decoder = network("decoder")
        self._networks: dict[str, Any] = {}
        self.network(bundle.default_sampler)

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
        if request.surprise:
            return surprise(self, request, on_progress, is_cancelled)
        if request.variation is not None:
            return vary(self, request, on_progress, is_cancelled)
        if request.prompts is not None:
            return generate_timeline(self, request, on_progress, is_cancelled)
        return self.run(self.plan(request), None, on_progress, is_cancelled)

    def run(
        self,
        plan: Plan,
        start: Array | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> list[Motion]:
        """Make the motions of a plan; see `generate`.

        Parameters
        ----------
        start : (L, C) normalised latents of a motion to start from, with noise of the plan's first time.
        """
        total = len(plan.times) * math.ceil(len(plan.seeds) / self.batch)

        def check() -> None:
            if is_cancelled and is_cancelled():
                raise Cancelled

        check()
        text, _ = self.text_encoder.encode(plan.prompt)
        empty = self._no_prompt(plan, text)
        # what a variation starts from decides more than its noise does
        judged = plan.tries > 1 and start is None
        judge = Judge(expectations(plan.prompt), self.bundle.least_fit) if judged else None
        motions = []
        for done, seeds in enumerate(self.seed_groups(plan)):

            def draw(
                takes: Sequence[int], number: int, seeds: tuple[int, ...] = seeds, done: int = done
            ) -> list[Motion]:
                def progress(step: int, steps: int) -> None:
                    # further draws come on top of the steps that were told of
                    if on_progress and number == 0:
                        on_progress(done * len(plan.times) + step, total)
                    if step < steps:
                        check()

                check()
                chosen = [seeds[take] for take in takes]
                streams = [np.random.default_rng([seed, number] if number else seed) for seed in chosen]
                latents = self._sample(plan, streams, text, empty, start, progress, check)
                made = self.finish(latents, plan, chosen)
                if judge is not None and judge.least_fit is not None:
                    for motion, fit in zip(made, self.joint_space.fit(plan.prompt, latents), strict=True):
                        motion.provenance["fit"] = round(float(fit), 3)
                return made

            takes = range(len(seeds))
            motions += draw(takes, 0) if judge is None else best_of_draws(judge, len(takes), plan.tries, draw)
        return motions

    @property
    def batch(self) -> int:
        """How many samples are computed together."""
        return CPU_BATCH if self.device == "cpu" else GPU_BATCH

    def seed_groups(self, plan: Plan) -> list[tuple[int, ...]]:
        """The seeds of a plan in groups that are computed together."""
        return [plan.seeds[i : i + self.batch] for i in range(0, len(plan.seeds), self.batch)]

    def finish(self, latents: Array, plan: Plan, seeds: Sequence[int]) -> list[Motion]:
        """Motions of normalised latents (B, L, C): decoded, cleaned up, with provenance and quality."""
        rows = self._decode(latents, plan.frames)[:, : plan.frames]
        width = self.bundle.manifest.get("smoothing", 0.0)
        rows = np.stack([features.smooth(sample, width) for sample in rows])
        if plan.targets is not None and self.bundle.controls_frames:
            rows = self._correct_frames(rows, plan.targets)
        motions = []
        for seed, sample in zip(seeds, rows, strict=True):
            motion = features.decode(sample, self.bundle.fps, self.bundle.manifest["features"])
            motion = _clean_up(motion, plan)
            motion.provenance = self._provenance(plan, seed)
            if plan.targets is not None:
                errors = plan.targets.errors(motion.joints)
                motion.provenance["controls"] = {
                    "targets": len(errors),
                    "mean_error": round(float(errors.mean()), 4),
                    "refined": plan.refine,
                }
            motion.provenance["quality"] = quality(motion)
            motions.append(motion)
        return motions

    def _no_prompt(self, plan: Plan, text: Array) -> Array:
        """What the network reads in place of the prompt where a sampler makes a second pass for guidance."""
        if plan.sampler == "motionlcm" or plan.guidance == 1.0:
            return text
        if self.bundle.samplers[plan.sampler].get("no_prompt") == "zeros":
            return np.zeros_like(text)
        return self.text_encoder.encode("")[0]

    def network(self, name: str) -> Any:
        """A network of the bundle, loaded when it is first asked for."""
        if name not in self._networks:
            self._networks[name] = self._load_network(name)
        return self._networks[name]

    @cached_property
    def joint_space(self) -> JointSpace:
        """The joint space of motion and text."""
        return JointSpace(self)

    @cached_property
    def captioner(self) -> Captioner:
        """What describes motions; EngineError for a bundle that cannot."""
        return Captioner(self)

    def caption(
        self,
        clips: Sequence[Clip],
        count: int = 1,
        together: int = PARTS_TOGETHER,
        on_result: Callable[[Result], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:
        """Describe clips in words.

        Parameters
        ----------
        count : sentences of each clip, 1 to 5, the best first.
        together : parts of clips that are computed together.
        on_result : called with each caption or problem as soon as it is known.
        on_progress : called with (clips done, clips in all).
        is_cancelled : asked before each step.

        Returns
        -------
        For each clip a caption, or one of each part and a summary where it is long, or the problem with it.

        Raises
        ------
        EngineError
            If the bundle has no captioner, or the count is wrong.
        Cancelled
            When ``is_cancelled`` says so.
        """
        return self.captioner.caption(clips, count, together, on_result, on_progress, is_cancelled)

    def embed(
        self,
        texts: Sequence[str] = (),
        clips: Sequence[Clip] = (),
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Embeddings:
        """Unit vectors of texts and clips, whose dot product says how well they fit; errors as for `caption`."""
        return joint_space.embed(self, texts, clips, is_cancelled)

    def _sample(
        self,
        plan: Plan,
        streams: Sequence[np.random.Generator],
        text: Array,
        empty: Array,
        start: Array | None,
        progress: Callable[[int, int], None],
        check: Callable[[], None],
    ) -> Array:
        manifest = self.bundle.manifest
        # the papers' networks hold a clip of any length in a fixed number of latents
        length = manifest.get("latents") or math.ceil(plan.frames / manifest["downsampling"])

        def noise() -> Array:
            shape = (length, manifest["latent_channels"])
            return np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])

        first = noise()
        if start is not None:
            first = noised(start, first, plan.sampler, self.bundle.samplers[plan.sampler], plan.times)

        denoiser = self.network(plan.sampler)
        words = {
            with_prompt: np.repeat(t[None], len(streams), axis=0)
            for with_prompt, t in ((True, text), (False, empty))
        }

        def call(latents: Array, time: int, tokens: Array, **more: Array) -> Array:
            times = np.full(len(streams), time, dtype=np.float32)
            return denoiser({"latents": latents.astype(np.float32), "time": times, "text": tokens, **more})[0]

        def weight(w: float) -> Array:
            return np.full(len(streams), w, dtype=np.float32)

        if plan.sampler == "motionlcm":
            network: motionlcm.Network = lambda z, t, w: call(  # noqa: E731
                z, t, words[True], guidance=weight(w)
            )

            def correct(clean: Array, hints: Array, time: int) -> Array:
                given = {"latents": clean.astype(np.float32), "hints": hints, "text": words[True]}
                given["time"] = np.full(len(streams), time, dtype=np.float32)
                return self.network("control")(given)[0]

            if plan.targets is not None:
                frames = length * manifest["downsampling"]

                def encode(rows: Array) -> Array:
                    return np.stack(latents_of(list(rows), self.bundle, self.network("encoder")))

                network = controlled(
                    network, correct, lambda z: self._decode(z, frames), plan.targets, plan.times,
                    self.bundle.fps, manifest["prediction"], encode if "encoder.onnx" in self.bundle.files else None,
                    check,
                )  # fmt: skip
            return motionlcm.sample(
                network,
                first, noise, plan.times, plan.guidance, manifest["prediction"], progress,
            )  # fmt: skip
        if plan.sampler == "emdm":
            preset = self.bundle.samplers["emdm"]

            def random_vectors() -> Array:
                width = preset["noise_width"]
                return np.stack([stream.standard_normal(width, dtype=np.float32) for stream in streams])

            return emdm.sample(
                lambda x, t, with_prompt, z: call(x, t, words[with_prompt], z=z),
                first, random_vectors, noise, plan.times, preset["levels"], plan.guidance, progress,
            )  # fmt: skip
        if plan.sampler == "mote":
            motion, unknown = (
                np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])
                for shape in token_shapes(self)
            )
            return motion_of_text(
                self, text, motion, unknown, length, len(plan.times), plan.guidance, progress
            )
        return mld.sample(
            lambda z, t, with_prompt: call(z, t, words[with_prompt], guidance=weight(0.0)),
            first, plan.times, plan.guidance, manifest["prediction"], progress,
        )  # fmt: skip

    def _correct_frames(self, rows: Array, targets: Targets) -> Array:
        def correct(normalised: Array, hints: Array) -> Array:
            return self.network("control_frames")({"features": normalised, "hints": hints})[0]

        stats = self.bundle.stats
        return corrected_frames(rows, correct, targets, self.bundle.fps, stats["mean"], stats["std"])

    def _decode(self, latents: Array, frames: int) -> Array:
        stats = self.bundle.stats
        latents = latents * stats["latent_std"] + stats["latent_mean"]
        mask = np.ones((len(latents), frames), dtype=bool)
        normalised = self._decoder({"latents": latents, "mask": mask})[0]
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


def _clean_up(motion: Motion, plan: Plan) -> Motion:
    if plan.targets is not None and not plan.refine:
        return motion  # what the network made of the targets, as it is
    if plan.floor:
        motion = put_on_floor(motion)
    if plan.foot_lock:
        motion = carry_by_feet(motion)
    if plan.targets is not None:
        return refine(motion, plan.targets, plan.foot_lock)
    return lock_feet(motion) if plan.foot_lock else motion
