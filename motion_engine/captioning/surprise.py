# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion and its sentence, made together: MoTe samples both from noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle import Bundle
from motion_engine.captioning.readers import Memory, mote_network, token_shapes
from motion_engine.errors import Cancelled, EngineError
from motion_engine.motion import Motion
from motion_engine.request import MAX_GUIDANCE, GenerateRequest, Plan, make_plan
from motion_engine.samplers import mote
from motion_engine.samplers.schedule import N_TRAIN
from motion_engine.variation import start_times

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]

STEPS = 20
"""Steps where the bundle's ``joint_steps`` says nothing."""


def check_surprise(bundle: Bundle, request: GenerateRequest) -> None:
    """Refuse what cannot be made; needs no networks.

    Raises
    ------
    EngineError
        ``not_supported``, ``bad_request``, ``bad_steps``, ``bad_guidance`` or what `make_plan` refuses.
    """
    _plan(bundle, request)


def surprise(
    engine: Engine,
    request: GenerateRequest,
    on_progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> list[Motion]:
    """``request.count`` motions with their sentences as ``provenance["prompt"]``; see `Engine.generate`."""
    plan = _plan(engine.bundle, request)
    steps = len(plan.times)
    polish = float(engine.bundle.manifest["captions"].get("polish", 0.0))
    groups = engine.seed_groups(plan)
    length = math.ceil(plan.frames / engine.bundle.manifest["downsampling"])
    of_motion, of_text = token_shapes(engine)

    def check() -> None:
        if is_cancelled and is_cancelled():
            raise Cancelled

    network = mote_network(engine, check)
    motions: list[Motion] = []
    for done, seeds in enumerate(groups):

        def progress(step: int, of: int, before: int = done * steps) -> None:
            if on_progress:
                on_progress(before + step, len(groups) * steps)

        streams = [np.random.default_rng(seed) for seed in seeds]
        motion, text, no_motion, no_text = (
            np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])
            for shape in (of_motion, of_text, of_motion, of_text)
        )
        tokens, spoken = mote.sample(
            network,
            mote.Side(motion, is_sampled=True, scale=plan.guidance, open=no_motion),
            mote.Side(text, is_sampled=True, scale=plan.guidance, open=no_text),
            steps,
            progress,
        )
        mask = np.ones((len(seeds), length), dtype=bool)
        latents = engine.network("motion_decoder")({"tokens": tokens, "mask": mask})[0]
        check()
        said = [best.text for best, *_ in engine.captioner.sentences(Memory.whole(spoken), check)]
        if polish:
            made = [
                _polished(engine, plan, *drawn, polish, is_cancelled)
                for drawn in zip(said, latents, seeds, strict=True)
            ]
        else:
            made = engine.finish(latents, plan, seeds)
        for one, sentence in zip(made, said, strict=True):
            of_mote = {"sampler": "mote", "steps": steps, "guidance": plan.guidance, "polish": polish}
            one.provenance |= {"prompt": sentence, "surprise": True, **of_mote}
            motions.append(one)
    return motions


def _polished(
    engine: Engine,
    plan: Plan,
    sentence: str,
    latents: Array,
    seed: int,
    strength: float,
    is_cancelled: Callable[[], bool] | None,
) -> Motion:
    """A motion of latents (L, C), whose detail is made anew by the sentence, as a variation is.

    A few tokens hold the course of a motion and little of its detail, so that what is decoded from them is smooth.
    """
    request = GenerateRequest(
        sentence, plan.frames / engine.bundle.fps, seed, sampler=engine.bundle.variation_sampler,
        foot_lock=plan.foot_lock, floor=plan.floor,
    )  # fmt: skip
    drawn = make_plan(engine.bundle, request)
    preset = engine.bundle.samplers[drawn.sampler]
    times = start_times(drawn.sampler, preset, len(drawn.times), strength)
    return engine.run(replace(drawn, times=times), latents, None, is_cancelled)[0]


def _plan(bundle: Bundle, request: GenerateRequest) -> Plan:
    bundle.require("joint")
    if request.prompt.strip() or request.prompts is not None or request.variation or request.controls:
        raise EngineError(
            "bad_request",
            "A surprise brings its own sentence: it cannot be combined with a prompt, a variation or controls.",
            "Leave them out.",
        )
    if request.sampler not in (None, "mote"):
        raise EngineError(
            "unknown_sampler", "A surprise is made by MoTe, not by another sampler.", "Leave the sampler out."
        )
    captions = bundle.manifest["captions"]
    steps = captions.get("joint_steps", STEPS) if request.steps is None else request.steps
    guidance = captions["guidance"] if request.guidance is None else request.guidance
    if not 1.0 <= guidance <= MAX_GUIDANCE:
        raise EngineError(
            "bad_guidance", f"A guidance of {guidance:g} cannot be used.", f"Choose 1 to {MAX_GUIDANCE:g}."
        )
    if not 1 <= steps <= N_TRAIN:
        raise EngineError("bad_steps", f"MoTe takes 1 to {N_TRAIN} steps, not {steps}.", f"{STEPS} is usual.")
    plain = replace(request, prompt="a motion", surprise=False, sampler=None, steps=None, guidance=None)
    plan = make_plan(bundle, plain)
    return replace(plan, sampler="mote", times=tuple(mote.time_steps(steps)), guidance=float(guidance))
