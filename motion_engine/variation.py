# SPDX-License-Identifier: GPL-3.0-or-later
"""Variations of a motion: the sampler starts from its latents with noise on them, not from noise alone.

SDEdit (Meng et al. 2022) in the latent space: the strength says at which noise level the sampler takes over. What is
coarser than the noise stays as it was, what is finer is made anew by the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.bundle import Bundle
from motion_engine.captioning.canonical import canonical, check
from motion_engine.captioning.joint_space import ClipProblem
from motion_engine.captioning.parts import latents_of
from motion_engine.errors import EngineError
from motion_engine.motion import Motion
from motion_engine.request import GenerateRequest, Plan, Variation, make_plan, sampler_for
from motion_engine.samplers import emdm, mld, motionlcm
from motion_engine.samplers.schedule import ALPHA_BAR, N_TRAIN

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]


def check_variation(bundle: Bundle, request: GenerateRequest) -> None:
    """Refuse what cannot be varied; needs no networks.

    Raises
    ------
    EngineError
        ``not_supported``, ``bad_strength``, ``empty_prompt``, or what is wrong with the clip or another value.
    """
    variation = _asked(request)
    bundle.require("variation")
    if request.prompts is not None or request.controls is not None:
        raise EngineError(
            "not_supported",
            "A variation cannot be combined with controls or several timed prompts.",
            "Leave them out.",
        )
    if not 0.0 <= variation.strength <= 1.0:
        raise EngineError(
            "bad_strength",
            f"A strength of {variation.strength:g} cannot be used.",
            "Choose 0 (the same motion) to 1 (another one); 0.4 is usual.",
        )
    if not request.prompt.strip() and "motion_to_text" not in bundle.tasks:
        raise EngineError(
            "empty_prompt",
            f"The bundle {bundle.name} cannot describe the motion itself, and there is no prompt.",
            "Say in a prompt what the motion is.",
        )
    check(variation.clip)
    seconds = len(variation.clip.joints) / variation.clip.fps
    longest = bundle.max_frames / bundle.fps
    if seconds > longest + 1.0 / bundle.fps:
        raise EngineError(
            "too_long",
            f"The clip is {seconds:.1f} s long; variations can be made of {longest:g} s.",
            "Choose a part of it.",
        )
    _plan(bundle, request, request.prompt or "a motion", bundle.min_frames)


def vary(
    engine: Engine,
    request: GenerateRequest,
    on_progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> list[Motion]:
    """``request.count`` motions like the one of ``request.variation``; see `motion_engine.engine.Engine.generate`."""
    check_variation(engine.bundle, request)
    variation, prompt = _asked(request), request.prompt
    if not prompt.strip():
        (told,) = engine.caption([variation.clip], is_cancelled=is_cancelled)[-1:]
        if isinstance(told, ClipProblem):
            raise EngineError(told.code, told.message, told.fix)
        prompt = told.text
    motion = canonical(variation.clip, engine.bundle.fps)
    rows = features.encode(motion).astype(np.float32)[: engine.bundle.max_frames]
    plan = _plan(engine.bundle, request, prompt, min(motion.n_frames, engine.bundle.max_frames))
    step = int(engine.bundle.manifest["downsampling"])
    missing = -(-plan.frames // step) * step - len(rows)
    rows = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
    start = latents_of([rows], engine.bundle, engine.network("encoder"))[0]
    motions = engine.run(plan, start, on_progress, is_cancelled)
    for made in motions:
        made.provenance["variation"] = {"strength": variation.strength}
    return motions


def start_times(sampler: str, preset: dict[str, Any], steps: int, strength: float) -> tuple[int, ...]:
    """Times of a sampler from the noise level of ``strength`` on; none for 0, all for 1."""
    if strength <= 0:
        return ()
    if sampler == "motionlcm":
        times, most = motionlcm.time_steps(preset["grid"], preset["grid"]), N_TRAIN
    elif sampler == "emdm":
        times, most = emdm.time_steps(preset["levels"], preset["levels"]), preset["levels"]
    else:
        times, most = mld.time_steps(steps), N_TRAIN
    reached = [time for time in times if time < strength * most] or times[-1:]
    count = min(steps, len(reached))
    return tuple(reached[i * len(reached) // count] for i in range(count))


def noised(start: Array, noise: Array, sampler: str, preset: dict[str, Any], times: Sequence[int]) -> Array:
    """Latents (L, C) with unit Gaussian ``noise`` (B, L, C) of the level of the first time."""
    if not times:
        return np.repeat(start[None], len(noise), axis=0)
    signal = emdm.alpha_bar(preset["levels"])[times[0] + 1] if sampler == "emdm" else ALPHA_BAR[times[0]]
    mixed: Array = np.float32(signal**0.5) * start + np.float32((1.0 - signal) ** 0.5) * noise
    return mixed


def _asked(request: GenerateRequest) -> Variation:
    if request.variation is None:
        raise ValueError("the request asks for no variation")
    return request.variation


def _plan(bundle: Bundle, request: GenerateRequest, prompt: str, frames: int) -> Plan:
    frames = max(frames, bundle.min_frames)
    sampler = sampler_for(bundle, request)
    plan = make_plan(
        bundle,
        replace(request, prompt=prompt, duration=frames / bundle.fps, sampler=sampler, variation=None),
    )
    if plan.sampler == "mote":
        others = [name for name in bundle.samplers if name != "mote"]
        raise EngineError(
            "not_supported",
            "MoTe's tokens are not latents, so it makes no variations.",
            f"Choose the sampler {' or '.join(others)}." if others else "Choose another bundle.",
        )
    preset = bundle.samplers[plan.sampler]
    times = start_times(plan.sampler, preset, len(plan.times), _asked(request).strength)
    return replace(plan, times=times, frames=frames)
