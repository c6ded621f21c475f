# SPDX-License-Identifier: GPL-3.0-or-later
"""Several timed prompts become one continuous motion.

Part after part: each is started from the last frames of the one before. Where the control network works with the
sampler, it gets them as poses for the first frames; whatever is left of the difference dies out after the seam
(`motion_engine.seam`). Feet are locked at the end, over all seams.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import redraw
from motion_engine.bundle import Bundle
from motion_engine.captioning.surprise import check_surprise
from motion_engine.cleanup import carry_by_feet, lock_feet
from motion_engine.control import Controls, PoseControl
from motion_engine.errors import EngineError
from motion_engine.filters import gaussian_filter
from motion_engine.motion import Motion
from motion_engine.quality import quality
from motion_engine.request import GenerateRequest, make_plan, sampler_for
from motion_engine.seam import heading, join
from motion_engine.variation import check_variation

if TYPE_CHECKING:
    from motion_engine.engine import Engine

MAX_SECONDS = 120.0
MAX_PARTS = 60
OVERLAP = 4
"""Frames of the part before that a part with control begins with; they are cut off again at the seam."""

SEED_STRIDE = 100_003
"""Part k of a clip with seed s has seed s + k * SEED_STRIDE: parts of clips with neighbouring seeds differ."""

EASE_SECONDS = 0.4
"""Reach to both sides of a seam of the filter that takes the edge off it."""

EASE_SIGMA = 1.5
"""Frames: width of that filter at the seam; a jump of the acceleration, seen at 20 frames a second, is a jerk."""

JERK_SECONDS = 0.2
"""Reach to both sides of a seam within which its jerk is measured."""


def read_timeline(text: str) -> tuple[tuple[str, float], ...]:
    """Sentences and their seconds from ``"a man walks: 3; he sits down: 2"`` or from a JSON file.

    The file holds a list of objects with ``text`` and ``duration``, or an object with that list as ``prompts``.

    Raises
    ------
    EngineError
        ``bad_timeline`` with a sentence on the first mistake.
    """
    if text.strip().lower().endswith(".json"):
        return _from_file(Path(text.strip()))
    parts = []
    for piece in text.split(";"):
        if not piece.strip():
            continue
        sentence, colon, seconds = piece.rpartition(":")
        try:
            parts.append((sentence.strip(), float(seconds.strip().removesuffix("s"))))
        except ValueError:
            colon = ""
        if not colon or not sentence.strip():
            raise _wrong(f"'{piece.strip()}' does not end with a colon and seconds.")
    return tuple(parts)


def _from_file(path: Path) -> tuple[tuple[str, float], ...]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(f"The timeline {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise _wrong(f"The timeline {path} is not JSON: {error}.") from error
    if isinstance(data, dict):
        data = data.get("prompts")
    if not isinstance(data, list):
        raise _wrong(f"The timeline {path} must hold a list of objects with 'text' and 'duration'.")
    parts = []
    for number, entry in enumerate(data, start=1):
        if not isinstance(entry, dict) or set(entry) != {"text", "duration"}:
            raise _wrong(f"Part {number} of {path} must hold 'text' and 'duration', and nothing else.")
        if not isinstance(entry["text"], str) or not isinstance(entry["duration"], int | float):
            raise _wrong(f"Part {number} of {path}: 'text' is a sentence, 'duration' a number of seconds.")
        parts.append((entry["text"], float(entry["duration"])))
    return tuple(parts)


def part_requests(bundle: Bundle, request: GenerateRequest) -> list[GenerateRequest]:
    """Requests of the parts of a timeline, for the first clip; each is checked against the bundle's limits.

    Raises
    ------
    EngineError
        If there is no part, there are too many or too long ones, or a part is wrong; the sentence says which.
    """
    parts = request.prompts or ()
    if not parts:
        raise _wrong("The timeline has no part.")
    total = sum(seconds for _, seconds in parts)
    if len(parts) > MAX_PARTS or not total <= MAX_SECONDS:
        raise _wrong(
            f"The timeline has {len(parts)} parts and {total:g} s; {MAX_PARTS} and {MAX_SECONDS:g} s are the most."
        )
    if request.controls is not None:
        raise EngineError(
            "not_supported",
            "Controls and several timed prompts cannot be combined.",
            "Leave out the controls, or send one prompt.",
        )
    found, sampler = [], sampler_for(bundle, request)
    for number, (text, seconds) in enumerate(parts):
        part = replace(
            request, prompt=text, duration=seconds, seed=request.seed + number * SEED_STRIDE, prompts=None,
            sampler=sampler, foot_lock=False,
            # the draw that does most of its words is seldom the one that goes on most calmly from the pose before
            tries=1 if request.tries is None and number > 0 else request.tries,
        )  # fmt: skip
        try:
            make_plan(bundle, part)
        except EngineError as error:
            raise EngineError(error.code, f"Part {number + 1}: {error.message}", error.fix) from error
        found.append(part)
    return found


def check_request(bundle: Bundle, request: GenerateRequest) -> None:
    """Check a request of any kind, as `motion_engine.request.make_plan` does for one clip."""
    if request.surprise:
        check_surprise(bundle, request)
    elif request.variation is not None:
        check_variation(bundle, request)
    elif request.prompts is None:
        make_plan(bundle, request)
    else:
        part_requests(bundle, request)


def generate_timeline(
    engine: Engine,
    request: GenerateRequest,
    on_progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> list[Motion]:
    """``request.count`` continuous motions over all parts; see `Engine.generate`."""
    parts = part_requests(engine.bundle, request)
    steps = [len(make_plan(engine.bundle, part).times) for part in parts]
    total, done = sum(steps) * request.count, 0
    motions = []
    for index in range(request.count):
        whole: Motion | None = None
        spans: list[dict[str, Any]] = []
        for part, count in zip(parts, steps, strict=True):
            asked = replace(part, count=1, seed=part.seed + index)

            def progress(step: int, steps: int, before: int = done) -> None:
                if on_progress:
                    on_progress(before + step, total)

            made, overlap = _part(engine, asked, whole, progress, is_cancelled)
            done += count
            start = whole.n_frames if whole is not None else 0
            whole = made if whole is None else join(whole, _without(made, overlap))
            spans.append(
                {
                    "prompt": part.prompt,
                    "start": start / whole.fps,
                    "end": whole.n_frames / whole.fps,
                    "seed": asked.seed,
                    # of this part alone, not of the whole
                    **{field: made.provenance[field] for field in redraw.FIELDS if field in made.provenance},
                }
            )
        assert whole is not None
        whole = ease(whole, [round(span["start"] * whole.fps) for span in spans[1:]])
        if request.foot_lock:
            whole = lock_feet(carry_by_feet(whole))
        of_parts = {field: value for field, value in whole.provenance.items() if field not in redraw.FIELDS}
        whole.provenance = (
            of_parts
            | _doubts(spans)
            | {
                "prompt": "; ".join(span["prompt"] for span in spans),
                "seed": request.seed + index,
                "duration": whole.duration,
                "foot_lock": request.foot_lock,
                "parts": spans,
                "quality": quality(whole),
            }
        )
        motions.append(whole)
    return motions


def _doubts(spans: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all parts together do not do, and whether one of them is far from its sentence."""
    unmet = [name for span in spans for name in span.get("unmet", ())]
    far = any(span.get("far") for span in spans)
    return ({"unmet": unmet} if unmet else {}) | ({"far": True} if far else {})


def _part(
    engine: Engine,
    request: GenerateRequest,
    before: Motion | None,
    on_progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool] | None,
) -> tuple[Motion, int]:
    """One part, and how many frames at its beginning repeat the end of the part before."""
    bundle = engine.bundle
    overlap = 0
    if before is not None and request.sampler == bundle.control_sampler:
        frames = round(request.duration * bundle.fps)
        overlap = min(OVERLAP, before.n_frames, bundle.max_frames - frames)
        if overlap > 0:
            request = replace(
                request,
                duration=(frames + overlap) / bundle.fps,
                controls=Controls(poses=tuple(last_poses(before, overlap)), refine=False),
            )
    return engine.generate(request, on_progress, is_cancelled)[0], max(overlap, 0)


def last_poses(motion: Motion, count: int) -> list[PoseControl]:
    """The last ``count`` frames as poses from 0 s on, in the frame of a clip that starts with the first of them."""
    first = motion.n_frames - count
    turn = quat.about_axis(1, -heading(motion, first))
    origin = motion.root[first].astype(float) * np.array([1.0, 0.0, 1.0])
    joints = quat.rotate(turn, motion.joints[first:].astype(float) - origin)
    return [PoseControl(frame / motion.fps, joints[frame]) for frame in range(count)]


def ease(motion: Motion, seams: Sequence[int]) -> Motion:
    """The motion with a narrow filter over its seams (first frames of parts), full at the seam and gone 0.4 s away."""
    if not seams:
        return motion
    reach = EASE_SECONDS * motion.fps
    # a seam lies between two frames
    away = np.min([np.abs(np.arange(motion.n_frames) - seam + 0.5) for seam in seams], axis=0)
    weight = np.cos(np.minimum(away / reach, 1.0) * np.pi / 2) ** 2
    rotations, root = motion.rotations.astype(float), motion.root.astype(float)
    smooth = gaussian_filter(rotations.reshape(motion.n_frames, -1), EASE_SIGMA).reshape(rotations.shape)
    eased = quat.slerp(rotations, quat.normalize(smooth), weight[:, None])
    root = root + weight[:, None] * (gaussian_filter(root, EASE_SIGMA) - root)
    return Motion.from_rotations(eased, root, motion.fps, motion.provenance, motion.contacts)


def _without(motion: Motion, frames: int) -> Motion:
    """The motion without its first frames."""
    if frames == 0:
        return motion
    return Motion(
        motion.joints[frames:], motion.rotations[frames:], motion.root[frames:], motion.contacts[frames:],
        motion.fps, motion.provenance,
    )  # fmt: skip


def seam_jerk(motion: Motion, seams: Sequence[int] | None = None) -> float:
    """Mean jerk in m/s³ of all joints within 0.2 s of the seams; compare ``jerk`` of `motion_engine.quality`.

    Parameters
    ----------
    seams : first frame of each part but the first; those of the provenance when None.
    """
    if seams is None:
        seams = [round(span["start"] * motion.fps) for span in motion.provenance["parts"][1:]]
    jerk = np.linalg.norm(np.diff(motion.joints.astype(float), n=3, axis=0) * motion.fps**3, axis=-1)
    reach = round(JERK_SECONDS * motion.fps)
    near = [jerk[max(frame - reach - 2, 0) : frame + reach] for frame in seams]
    return float(np.concatenate(near).mean()) if near else 0.0


def _wrong(sentence: str) -> EngineError:
    return EngineError(
        "bad_timeline", sentence, 'Write for instance: "a person walks forward: 3; the person sits down: 2".'
    )
