# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests about clips: read from the protocol's bodies, computed on an engine, answered in its messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from motion_engine import protocol
from motion_engine.captioning.canonical import Clip
from motion_engine.captioning.joint_space import ClipProblem
from motion_engine.captioning.limits import check_count, check_text
from motion_engine.errors import EngineError
from motion_engine.wire import decode_array, encode_array

if TYPE_CHECKING:
    from motion_engine.captioning.captioner import Result
    from motion_engine.engine import Engine

Clips = tuple[Clip | ClipProblem, ...]

MAX_TEXTS = 1024


@dataclass(frozen=True)
class CaptionRequest:
    """Describe these clips, with ``count`` sentences each; of some it is known already why that cannot be."""

    clips: Clips
    count: int


@dataclass(frozen=True)
class EmbedRequest:
    """Bring these texts and clips to the joint space."""

    texts: tuple[str, ...]
    clips: Clips


def read_clip(body: protocol.ClipBody) -> Clip:
    """A clip of a body; EngineError ``bad_array``."""
    try:
        joints = decode_array(body.joints.model_dump())
        rotations = None if body.rotations is None else decode_array(body.rotations.model_dump())
    except ValueError as error:
        raise EngineError(
            "bad_array", f"The clip cannot be read: {error}", "Send arrays as docs/openapi.json says."
        ) from None
    return Clip(joints, body.fps, rotations)


def read_caption(body: protocol.CaptionBody) -> CaptionRequest:
    """The request of a body; EngineError ``bad_count``."""
    check_count(body.count)
    return CaptionRequest(_read_clips(body.clips), body.count)


def read_embed(body: protocol.EmbedBody) -> EmbedRequest:
    """The request of a body; EngineError ``empty_prompt``, ``long_prompt`` or ``bad_count``."""
    if len(body.texts) > MAX_TEXTS:
        raise EngineError("bad_count", f"There are {len(body.texts)} texts.", f"Send {MAX_TEXTS} at most.")
    texts = tuple(check_text(text, f"Text {number}") for number, text in enumerate(body.texts))
    return EmbedRequest(texts, _read_clips(body.clips))


def caption(
    engine: Engine,
    request: CaptionRequest,
    emit: Callable[[Result], None],
    on_progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Describe the clips of a request; ``emit`` is called with each result as soon as it is known."""
    places, clips, problems = _sorted_out(request.clips)
    for problem in problems:
        emit(problem)
    engine.caption(
        clips,
        request.count,
        on_result=lambda result: emit(replace(result, clip=places[result.clip])),
        on_progress=lambda done, _: on_progress(done + len(problems), len(request.clips)),
        is_cancelled=is_cancelled,
    )


def embed(engine: Engine, request: EmbedRequest, is_cancelled: Callable[[], bool]) -> protocol.EmbedReply:
    """The vectors of a request."""
    places, clips, problems = _sorted_out(request.clips)
    found = engine.embed(request.texts, clips, is_cancelled)
    rows = np.zeros((len(request.clips), found.texts.shape[1]), dtype=np.float32)
    rows[places] = found.clips
    problems = [*problems, *(replace(problem, clip=places[problem.clip]) for problem in found.problems)]
    return protocol.EmbedReply(
        texts=protocol.ArrayValue.model_validate(encode_array(found.texts)),
        clips=protocol.ArrayValue.model_validate(encode_array(rows)),
        bundle=engine.bundle.name,
        bundle_sha256=engine.bundle.sha256,
        problems=[
            protocol.ClipProblem(clip=p.clip, code=p.code, message=p.message, fix=p.fix)
            for p in sorted(problems, key=lambda problem: problem.clip)
        ],
    )


def event(job: str, result: Result) -> protocol.CaptionEvent | protocol.ClipErrorEvent:
    """A result as a line of the stream of a job."""
    if isinstance(result, ClipProblem):
        return protocol.ClipErrorEvent(
            job=job, clip=result.clip, code=result.code, message=result.message, fix=result.fix
        )
    return protocol.CaptionEvent(
        job=job,
        clip=result.clip,
        segment=result.segment,
        start=round(result.start, 3),
        end=round(result.end, 3),
        text=result.text,
        score=result.score,
        alternatives=[protocol.SentenceValue(text=s.text, score=s.score) for s in result.alternatives],
        tags=list(result.tags),
    )


def _read_clips(bodies: Sequence[protocol.ClipBody]) -> Clips:
    found: list[Clip | ClipProblem] = []
    for number, body in enumerate(bodies):
        try:
            found.append(read_clip(body))
        except EngineError as error:
            found.append(ClipProblem.of(number, error))
    return tuple(found)


def _sorted_out(given: Clips) -> tuple[list[int], list[Clip], list[ClipProblem]]:
    """Places in the request and clips of those that could be read, and the problems of the others."""
    places = [place for place, clip in enumerate(given) if isinstance(clip, Clip)]
    return (
        places,
        [clip for clip in given if isinstance(clip, Clip)],
        [clip for clip in given if isinstance(clip, ClipProblem)],
    )
