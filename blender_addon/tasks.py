# SPDX-License-Identifier: GPL-3.0-or-later
"""What the session can be asked to do: make keys, call the engine, move a run forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from motion_engine.motion import Motion

from . import apply
from .engine import worker as engine
from .status import Fix, Status


@dataclass(frozen=True)
class Item:
    """One request of a task and the name of what it makes."""

    body: dict[str, Any]
    name: str


@dataclass
class Task:
    """One click of the user: a prompt with its variations, or a batch.

    Attributes
    ----------
    items : what to make, in order.
    place : where the keys go.
    title : name of the undo step.
    notes : sentences to add to the closing line, with their buttons.
    """

    items: list[Item]
    place: apply.Place
    title: str
    notes: list[Status] = field(default_factory=list)
    at: int = 0
    job: engine.Job | None = None
    motions: list[Motion] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    report: str = ""


@dataclass
class Errand:
    """A call to the engine that makes no keys.

    Attributes
    ----------
    method, path, body : the call.
    activity : what the status line says meanwhile.
    closing : makes the closing line of the engine's reply.
    fixes : buttons under a refusal.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    activity: str
    closing: Callable[[dict[str, Any]], Status]
    fixes: tuple[Fix, ...] = ()
    job: engine.Job | None = None


class Run(Protocol):
    """Work beside the task that moves forward in portions: captions, the index of the library."""

    def step(self) -> bool:
        """Do a portion of some milliseconds; False when there is nothing more to come."""

    def take(self, number: int, event: engine.Event) -> bool:
        """Take in what the engine says about a job; False when it is not a job of this run."""

    def cancel(self, keep: bool = True) -> None:
        """End at once; what is done is kept unless the file itself goes."""
