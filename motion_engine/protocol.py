# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of the local HTTP protocol, as pydantic models, and its OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from motion_engine.errors import EngineError

GENERATE_BODY_LIMIT = 1 << 20
"""Largest body of ``POST /v1/generate`` in bytes, where it brings no clip."""

CLIPS_BODY_LIMIT = 32 << 20
"""Largest body of a call that brings clips: to caption, to embed, and to generate variations of."""

MAX_SEED = 2**32 - 1

Number = Annotated[float, Field(allow_inf_nan=False)]


class Message(BaseModel):
    """Common ground: unknown fields are refused, NaN and infinity too."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, ser_json_inf_nan="null")


class ErrorDetail(Message):
    """What went wrong, in a form for programs (code) and for people (message, fix)."""

    code: str
    message: str
    fix: str


class ErrorReply(Message):
    """Body of every reply with a status of 400 or more."""

    error: ErrorDetail


Body = TypeVar("Body", bound=Message)


class ArrayValue(Message):
    """An array: base64 of little-endian values in C order; ``bool`` as bytes 0 and 1."""

    shape: list[int]
    dtype: Literal["float32", "bool"]
    data: str


# --- requests -------------------------------------------------------------------------------------------


class TimedPrompt(Message):
    """One part of a longer motion: a sentence and its seconds."""

    text: str
    duration: Number


class JointTarget(Message):
    """Where one joint has to be at some times; metres in the clip's frame, or in that of ``start``."""

    joint: int | str = Field(description="Index 0 to 21, or an SMPL joint name such as right_wrist.")
    times: list[Number] = Field(description="Seconds from the start of the clip.")
    positions: list[list[Number]] = Field(description="One [x, y, z] a time.")
    axes: str = Field("xyz", description="Coordinates that count; xz for a path on the ground.")


class PoseTarget(Message):
    """The whole body at one time: 22 joints, and their local quaternions (w, x, y, z) where they are known."""

    pose: list[list[Number]]
    time: Number
    rotations: list[list[Number]] | None = None


class ControlStart(Message):
    """Where the clip starts in the coordinates of its controls."""

    position: list[Number] = Field([0.0, 0.0], description="x and z of the ground under the pelvis.")
    yaw: Number = Field(0.0, description="Degrees from +Z towards +X.")


class PostProcessing(Message):
    """Clean-up after sampling; ``refine`` brings controlled joints exactly to their targets."""

    foot_lock: bool = True
    floor: bool = True
    refine: bool = True


class ClipBody(Message):
    """A clip on the 22 joints of SMPL, in any place, facing and proportions."""

    joints: ArrayValue = Field(description="(frames, 22, 3) metres, +Y up.")
    rotations: ArrayValue | None = Field(
        None, description="(frames, 22, 4) local quaternions (w, x, y, z), where the twist of bones is known."
    )
    fps: Number


class VariationBody(Message):
    """A motion to make similar ones of."""

    clip: ClipBody
    strength: Number = Field(0.4, description="0 gives the motion back, 1 leaves nothing of it.")
    prompt: str | None = Field(None, description="What the motion is; null lets the engine describe it.")


class GenerateBody(Message):
    """Body of ``POST /v1/generate``. ``null`` leaves a setting to the bundle."""

    prompt: str | None = None
    prompts: list[TimedPrompt] | None = Field(
        None, description="In place of prompt and duration: parts of one continuous motion."
    )
    duration: Number = Field(4.0, description="Seconds.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Clip i uses seed + i.")
    count: int = Field(1, description="How many clips.")
    sampler: str | None = Field(
        None, description="null takes the bundle's default, or another for controls, prompts and variation."
    )
    steps: int | None = None
    guidance: Number | None = None
    tries: int | None = Field(
        None,
        description="How often a clip may be drawn that does not do what its words measurably say; 1 is once.",
    )
    bundle: str | None = None
    controls: list[JointTarget | PoseTarget] | None = Field(
        None, description="Needs a bundle with the task control."
    )
    start: ControlStart | None = None
    variation: VariationBody | None = Field(
        None, description="In place of prompt and duration; needs a bundle with the task variation."
    )
    surprise: bool = Field(
        False,
        description="A motion with its sentence (provenance.prompt), in place of a prompt; needs the task joint.",
    )
    post: PostProcessing = PostProcessing()


class CaptionBody(Message):
    """Body of ``POST /v1/caption``."""

    clips: list[ClipBody] = Field(min_length=1)
    count: int = Field(1, description="Sentences of each clip, 1 to 5.")
    bundle: str | None = None


class EmbedBody(Message):
    """Body of ``POST /v1/embed``."""

    texts: list[str] = []
    clips: list[ClipBody] = []
    bundle: str | None = None


class AddBundleBody(Message):
    """Body of ``POST /v1/bundles``."""

    path: str = Field(description="Zip of a model, or folder of a bundle, on this machine.")


# --- replies --------------------------------------------------------------------------------------------


class BundleSummary(Message):
    """A model bundle that the engine can use."""

    name: str
    title: str
    licence: str
    commercial: bool = Field(description="Whether the licence lets clips made with it be sold.")
    own: bool = Field(description="Whether it was added by the user, and can be removed.")
    default: bool
    samplers: list[str]
    tasks: list[str]
    fps: Number
    max_duration: Number


class Health(Message):
    """Body of ``GET /v1/health``."""

    status: Literal["loading", "ready", "error"]
    version: str
    pid: int
    device: str | None = Field(description="Where the networks run; null until a model is loaded.")
    bundles: list[BundleSummary]
    queue: int = Field(description="Jobs that run or wait.")
    error: ErrorDetail | None


class Cancellation(Message):
    """Body of the reply to ``DELETE /v1/jobs/{id}``: false when no such job runs or waits."""

    cancelled: bool


class BundleAdded(Message):
    """Body of the reply to ``POST /v1/bundles``."""

    added: BundleSummary


class BundleRemoved(Message):
    """Body of the reply to ``DELETE /v1/bundles/{name}``."""

    removed: str


class ClipProblem(ErrorDetail):
    """Why nothing could be made of clip number ``clip`` of a request."""

    clip: int


class EmbedReply(Message):
    """Body of the reply to ``POST /v1/embed``: unit vectors, whose dot product says how well two fit."""

    texts: ArrayValue = Field(description="(texts, E)")
    clips: ArrayValue = Field(description="(clips, E); a row of zeros where there is a problem.")
    bundle: str = Field(description="Whose space it is; vectors of different bundles cannot be compared.")
    bundle_sha256: str
    problems: list[ClipProblem]


class Farewell(Message):
    """Body of the reply to ``POST /v1/shutdown``."""

    stopping: bool


# --- events of the stream -------------------------------------------------------------------------------


class MotionValue(Message):
    """A clip on the SMPL-22 skeleton; metres, +Y up, +Z front, quaternions (w, x, y, z)."""

    fps: Number
    n_frames: int
    joints: ArrayValue
    rotations: ArrayValue
    root: ArrayValue
    contacts: ArrayValue
    provenance: dict[str, Any]


class QueuedEvent(Message):
    """The job waits behind ``position`` others. Sent first, and again when the position changes."""

    event: Literal["queued"] = "queued"
    job: str
    position: int


class ProgressEvent(Message):
    """``step`` of ``steps`` is done."""

    event: Literal["progress"] = "progress"
    job: str
    step: int
    steps: int
    fraction: Number


class MotionEvent(Message):
    """Clip ``index`` of ``count``."""

    event: Literal["motion"] = "motion"
    job: str
    index: int
    count: int
    motion: MotionValue


class SentenceValue(Message):
    """A sentence; the larger its score, the better it fits."""

    text: str
    score: Number


class CaptionEvent(SentenceValue):
    """What is said of a clip, or of part ``segment`` of a long one; its summary comes last, with segment -1."""

    event: Literal["caption"] = "caption"
    job: str
    clip: int
    segment: int
    start: Number = Field(description="Seconds of the clip.")
    end: Number
    alternatives: list[SentenceValue]
    tags: list[str]


class ClipErrorEvent(ClipProblem):
    """Nothing could be made of one clip; the others go on."""

    event: Literal["clip_error"] = "clip_error"
    job: str


class DoneEvent(Message):
    """The job is complete; last line of its stream."""

    event: Literal["done"] = "done"
    job: str
    elapsed_ms: Number


class ErrorEvent(ErrorDetail):
    """The job failed; last line of its stream."""

    event: Literal["error"] = "error"
    job: str


class CancelledEvent(Message):
    """The job was cancelled; last line of its stream."""

    event: Literal["cancelled"] = "cancelled"
    job: str


Event = (
    QueuedEvent | ProgressEvent | MotionEvent | CaptionEvent | ClipErrorEvent
    | DoneEvent | ErrorEvent | CancelledEvent
)  # fmt: skip
LAST_EVENTS = (DoneEvent, ErrorEvent, CancelledEvent)

_EVENT = TypeAdapter[Event](Annotated[Event, Field(discriminator="event")])


def parse_event(line: str | bytes) -> Event:
    """One line of a stream as its model; pydantic.ValidationError when it is none."""
    return _EVENT.validate_json(line)


def event_line(event: Event) -> bytes:
    """An event as one line of newline-delimited JSON."""
    return event.model_dump_json().encode("utf-8") + b"\n"


def parse_generate(body: bytes) -> GenerateBody:
    """Read the body of ``POST /v1/generate``.

    Raises
    ------
    EngineError
        ``malformed_json``, or ``bad_request`` naming the first wrong field.
    """
    return _parse(GenerateBody, body, "POST /v1/generate")


def parse_caption(body: bytes) -> CaptionBody:
    """Read the body of ``POST /v1/caption``; EngineError as for `parse_generate`."""
    return _parse(CaptionBody, body, "POST /v1/caption")


def parse_embed(body: bytes) -> EmbedBody:
    """Read the body of ``POST /v1/embed``; EngineError as for `parse_generate`."""
    return _parse(EmbedBody, body, "POST /v1/embed")


def parse_add_bundle(body: bytes) -> AddBundleBody:
    """Read the body of ``POST /v1/bundles``; EngineError as for `parse_generate`."""
    return _parse(AddBundleBody, body, "POST /v1/bundles")


def _parse(model: type[Body], body: bytes, call: str) -> Body:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise EngineError(
                "malformed_json", "The request is not valid JSON.", f"Send one JSON object ({first['msg']})."
            ) from None
        where = ".".join(str(part) for part in first["loc"]) or "The request"
        raise EngineError(
            "bad_request",
            f"{where}: {first['msg']}.",
            f"Send the fields of {call} as docs/openapi.json lists them.",
        ) from None
