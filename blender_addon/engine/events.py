# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker's thread tells the window's about a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motion_engine.motion import Motion


@dataclass(frozen=True)
class Starting:
    """The engine is being started; ``reason`` says why when that is worth saying."""

    reason: str = ""


@dataclass(frozen=True)
class Ready:
    """The engine has loaded its model, or failed to; ``health`` is its own report."""

    health: dict[str, Any]


@dataclass(frozen=True)
class Queued:
    """The job waits behind ``position`` others."""

    position: int


@dataclass(frozen=True)
class Progress:
    """``fraction`` of the job is done."""

    fraction: float


@dataclass(frozen=True)
class Arrived:
    """Motion ``index`` of ``count``."""

    index: int
    count: int
    motion: Motion


@dataclass(frozen=True)
class Captioned:
    """Sentences for seconds ``start`` to ``end`` of a clip.

    Attributes
    ----------
    segment : part of the clip, counted from 0; -1 for all of a clip that has several.
    sentences : with their scores, the best one first.
    """

    clip: int
    segment: int
    start: float
    end: float
    sentences: tuple[tuple[str, float], ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class ClipFailed:
    """A clip that has no sentence; the others go on."""

    clip: int
    message: str


@dataclass(frozen=True)
class Finished:
    """All has arrived."""

    elapsed_ms: float


@dataclass(frozen=True)
class Failed:
    """The job is over without what was asked for."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True)
class Stopped:
    """The job was cancelled."""


@dataclass(frozen=True)
class Answered:
    """The call was answered."""

    reply: dict[str, Any]


Event = (
    Starting
    | Ready
    | Queued
    | Progress
    | Arrived
    | Captioned
    | ClipFailed
    | Finished
    | Failed
    | Stopped
    | Answered
)


def captioned(event: dict[str, Any]) -> Captioned:
    """An event of the protocol, its sentences each once."""
    found = {str(event["text"]): float(event["score"])}
    for other in event["alternatives"]:
        found.setdefault(str(other["text"]), float(other["score"]))
    return Captioned(
        int(event["clip"]), int(event["segment"]), float(event["start"]), float(event["end"]),
        tuple(found.items()), tuple(str(tag) for tag in event["tags"]),
    )  # fmt: skip
