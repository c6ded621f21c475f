# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of the engine, and its limits: a request becomes a plan, or a sentence on what is wrong."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from motion_engine.bundle import Bundle
from motion_engine.captioning.canonical import Clip
from motion_engine.control import Controls, Targets
from motion_engine.errors import EngineError
from motion_engine.samplers import emdm, mld, mote, motionlcm

MAX_PROMPT = 500
"""Characters: what the text encoder reads, with room to spare."""

MAX_COUNT = 32
MAX_GUIDANCE = 20.0
MAX_TRIES = 16


@dataclass(frozen=True)
class GenerateRequest:
    """What to make.

    Attributes
    ----------
    prompt : one sentence.
    duration : seconds.
    seed : of the first sample; sample i has ``seed + i``.
    count : how many samples.
    sampler : see `sampler_for` where None.
    steps, guidance : the sampler's preset where None.
    tries : how often a take may be drawn that does not do what its words measurably say (`motion_engine.redraw`);
        the sampler's preset where None, 1 keeps the first draw.
    foot_lock, floor : clean-up of the result.
    controls : where joints have to be; needs a bundle with the task ``control``.
    prompts : sentences and their seconds, in place of ``prompt`` and ``duration``: one continuous motion
        (`motion_engine.timeline`).
    variation : a motion to make similar ones of, in place of ``duration`` (`motion_engine.variation`); where the
        prompt is empty, it is the caption of that motion.
    surprise : a motion together with its sentence, in place of the prompt (`motion_engine.captioning.surprise`).
    """

    prompt: str = ""
    duration: float = 4.0
    seed: int = 0
    count: int = 1
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    tries: int | None = None
    foot_lock: bool = True
    floor: bool = True
    controls: Controls | None = None
    prompts: tuple[tuple[str, float], ...] | None = None
    variation: Variation | None = None
    surprise: bool = False


@dataclass(frozen=True)
class Variation:
    """A motion to start from, and how far to go from it: 0 gives it back, 1 leaves nothing of it."""

    clip: Clip
    strength: float


@dataclass(frozen=True)
class Plan:
    """A checked request for one clip with every default filled in."""

    prompt: str
    frames: int
    seeds: tuple[int, ...]
    sampler: str
    times: tuple[int, ...]
    guidance: float
    foot_lock: bool
    floor: bool
    targets: Targets | None = None
    refine: bool = True
    tries: int = 1


def sampler_for(bundle: Bundle, request: GenerateRequest) -> str:
    """The sampler of a request: the one that it names, else the bundle's default, or another where the task needs it.

    Controls, and timelines of several parts, each of which starts from the last frames of the one before, go through
    the control network; all parts of a timeline have one sampler. Variations start from a motion's latents.
    """
    if request.sampler:
        return request.sampler
    if request.variation is not None:
        return bundle.variation_sampler
    has_seams = request.prompts is not None and len(request.prompts) > 1
    if has_seams or _is_controlled(request):
        return bundle.control_sampler or bundle.default_sampler
    return bundle.default_sampler


def make_plan(bundle: Bundle, request: GenerateRequest) -> Plan:
    """Check a request against a bundle's limits and fill in its presets; needs no networks.

    Raises
    ------
    EngineError
        With a code, a sentence on what is wrong and what to do.
    """
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
    sampler = sampler_for(bundle, request)
    if sampler not in bundle.samplers:
        raise EngineError(
            "unknown_sampler",
            f"The bundle {bundle.name} has no sampler {sampler!r}.",
            f"Choose one of {', '.join(bundle.samplers)}.",
        )
    preset = bundle.samplers[sampler]
    steps = preset["steps"] if request.steps is None else request.steps
    usual = preset.get("guidance_by_steps", {}).get(str(steps), preset["guidance"])
    guidance = usual if request.guidance is None else request.guidance
    if not 1.0 <= guidance <= MAX_GUIDANCE:
        raise EngineError(
            "bad_guidance",
            f"A guidance of {guidance:g} cannot be used.",
            f"Choose 1 to {MAX_GUIDANCE:g}; {usual:g} is usual.",
        )
    tries = preset.get("tries", 1) if request.tries is None else request.tries
    if not 1 <= tries <= MAX_TRIES:
        raise EngineError(
            "bad_tries",
            f"A take cannot be drawn {tries} times.",
            f"Choose 1 to {MAX_TRIES}; {preset.get('tries', 1)} is usual.",
        )
    try:
        times = _times(sampler, preset, steps)
    except ValueError as error:
        raise EngineError("bad_steps", str(error), _other_steps(bundle, sampler, steps)) from error
    frames = min(max(round(request.duration * bundle.fps), bundle.min_frames), bundle.max_frames)
    targets = None
    if request.controls is not None and _is_controlled(request):
        check_control(bundle, sampler)
        targets = request.controls.targets(frames, bundle.fps)
    return Plan(
        prompt=prompt,
        frames=frames,
        seeds=tuple(request.seed + i for i in range(request.count)),
        sampler=sampler,
        times=tuple(times),
        guidance=float(guidance),
        foot_lock=request.foot_lock,
        floor=request.floor,
        targets=targets,
        refine=request.controls is None or request.controls.refine,
        tries=tries,
    )


def _times(sampler: str, preset: dict[str, Any], steps: int) -> list[int]:
    if sampler == "motionlcm":
        return motionlcm.time_steps(steps, preset["grid"], preset.get("time_lists"))
    if sampler == "mote":
        return mote.time_steps(steps)
    if sampler == "emdm":
        return emdm.time_steps(steps, preset["levels"])
    if sampler == "mld":
        return mld.time_steps(steps)
    raise EngineError(
        "unknown_sampler",
        f"This engine does not know the sampler {sampler!r} of the bundle.",
        "Update Motion Prompt, or choose another sampler.",
    )


def _other_steps(bundle: Bundle, sampler: str, steps: int) -> str:
    """What to do about a number of steps that a sampler lacks."""
    usual = f"{bundle.samplers[sampler]['steps']} is usual"
    able = []
    for name, preset in bundle.samplers.items():
        with contextlib.suppress(ValueError, EngineError):
            _times(name, preset, steps)
            able.append(name)
    return f"{usual}; {' or '.join(able)} would take {steps}." if able else f"{usual}."


def _is_controlled(request: GenerateRequest) -> bool:
    return request.controls is not None and bool(request.controls.joints or request.controls.poses)


def check_control(bundle: Bundle, sampler: str) -> None:
    """Refuse controls that the bundle cannot obey.

    Raises
    ------
    EngineError
        ``not_supported``.
    """
    if not bundle.can_control:
        raise EngineError(
            "not_supported",
            f"The bundle {bundle.name} has no control network, so it cannot obey controls.",
            "Choose a bundle whose tasks name control, or leave the controls out.",
        )
    if sampler != bundle.control_sampler:
        raise EngineError(
            "not_supported",
            f"Controls work with the sampler {bundle.control_sampler}, not with {sampler}.",
            "Leave the sampler out, or the controls.",
        )
