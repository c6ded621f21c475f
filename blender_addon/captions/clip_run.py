# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many animations a few milliseconds at a time and have the engine work on them in groups meanwhile."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy

from motion_engine.wire import encode_array

from .. import apply, rig
from ..engine import events
from ..engine.worker import Job
from ..sampling.portions import Portions, Readers
from ..session import session
from ..status import UserError
from .scan import Scan, thinned
from .sources import Source, armature_for

PORTION_SECONDS = 0.015
"""How long one portion takes; a control rig of hundreds of bones takes Blender longer for a single frame."""

GROUP_CLIPS = 8
GROUP_FRAMES = 12_000
"""Largest group that is sent: about 10 MB."""

_LOST = {"engine_died", "engine_start", "client", "bad_reply", "not_supported", "unknown_bundle", "no_bundle"}
"""Codes after which the engine has no answer to the other groups either."""


@dataclass
class Read:
    """A source that has been read.

    Attributes
    ----------
    digest : of its keys.
    """

    source: Source
    portions: Portions
    digest: str
    frames: int


@dataclass
class Group:
    """Clips on their way to the engine; ``sent`` are those that could be brought onto the engine's skeleton."""

    reads: list[Read]
    sent: list[Read] = field(default_factory=list)
    refused: list[tuple[Read, str]] = field(default_factory=list)

    def clips(self) -> list[dict[str, Any]]:
        """The clips as the protocol has them; called on the worker's thread."""
        self.sent, self.refused = [], []
        found = []
        for read in self.reads:
            try:
                found.append(encoded(read.portions))
                self.sent.append(read)
            except ValueError as error:
                self.refused.append((read, str(error)))
        return found


def encoded(portions: Portions) -> dict[str, Any]:
    """What has been read, as a clip of the protocol.

    Raises
    ------
    ValueError
        If the object is mirrored or has no size.
    """
    motion = portions.clip().motion
    return {
        "joints": encode_array(motion.joints),
        "rotations": encode_array(motion.rotations),
        "fps": float(motion.fps),
    }


class ClipRun(ABC):
    """What captions and the index have in common; each says what it asks for and what it does with the answer.

    Parameters
    ----------
    sources : what to read, in order.
    preferred : armatures that an Action is read on rather than on others.

    Attributes
    ----------
    problems : a source -> why it could not be read.
    busy : whether there was anything to read yet.
    """

    def __init__(self, sources: Sequence[Source], preferred: Sequence[rig.Handle] = ()) -> None:
        self.sources = list(sources)
        self.problems: dict[Source, str] = {}
        self.over = self.busy = False
        self.stopped = ""
        self.answered = 0
        self._preferred = list(preferred)
        self._readers = Readers()
        self._at = 0
        self._target: rig.Handle | None = None
        self._scan: Scan | None = None
        self._reading: Portions | None = None
        self._ready: list[Read] = []
        self._group: Group | None = None
        self._job: Job | None = None
        self._bundle = bundle_name()

    # --- what the kinds of runs say ------------------------------------------------------------------

    def wants(self, source: Source, digest: str) -> bool:
        """Whether a source with such keys has to be read."""
        return True

    @abstractmethod
    def submit(self, group: Group) -> Job:
        """Send a group."""

    @abstractmethod
    def received(self, group: Group, event: events.Event) -> None:
        """Take in what the engine says about a group."""

    @abstractmethod
    def finish(self, keep: bool) -> None:
        """Close the run; what is done is written where ``keep`` says so."""

    # --- what the panel shows ------------------------------------------------------------------------

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1; reading is one half, the engine the other."""
        reading = self._reading.fraction if self._reading is not None else 0.0
        return (self._at + reading + self.answered) / max(2 * len(self.sources), 1)

    @property
    def activity(self) -> str:
        """What it does right now."""
        if session.worker is not None and not session.health and self._at >= len(self.sources):
            return "Starting the engine"
        return f"{min(self.answered + 1, len(self.sources))} of {len(self.sources)}"

    # --- forward -------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Read a portion, and send what is ready."""
        if self.over:
            return False
        until = time.perf_counter() + PORTION_SECONDS
        while self._at < len(self.sources) and len(self._ready) < 2 * GROUP_CLIPS:
            try:
                self._read(until - time.perf_counter())
            except UserError as error:
                self._leave_out(error.text)
            except Exception as error:
                traceback.print_exc()  # the others go on, and the user must see it
                self._leave_out(f"It could not be read: {error}.")
            if time.perf_counter() > until:
                break
        everything = self._at == len(self.sources)
        if self._job is None and (len(self._ready) >= GROUP_CLIPS or (self._ready and everything)):
            self._send()
        if everything and self._job is None and not self._ready:
            self._end(keep=True)
        return not self.over

    def take(self, number: int, event: events.Event) -> bool:
        """Take in what the engine says about this run's group."""
        if self._job is None or number != self._job.number:
            return False
        group = self._group
        assert group is not None
        match event:
            case events.Finished() | events.Answered():
                for read, text in group.refused:
                    self.problem(read.source, f"'{read.source.title}' cannot be read: {text}")
                self.received(group, event)
                self._close_group()
            case events.Failed(code, message, fix):
                if code in _LOST:
                    self.stopped = f"{message} {fix}".strip()
                    self._end(keep=True)
                    return True
                for read in group.reads:
                    self.problem(read.source, f"'{read.source.title}': {message} {fix}".strip())
                self._close_group()
            case events.Stopped():
                self._end(keep=True)
            case _:
                self.received(group, event)
        return True

    def cancel(self, keep: bool = True) -> None:
        """End at once; what is done is kept unless the file itself goes."""
        if self.over:
            return
        if self._job is not None and session.worker is not None:
            session.worker.cancel(self._job)
        self.stopped = "Cancelled."
        self._end(keep)

    def problem(self, source: Source, text: str) -> None:
        """Note that a source has come to nothing."""
        self.problems[source] = text if source.title in text else f"'{source.title}': {text}"

    def _read(self, seconds: float) -> None:
        source = self.sources[self._at]
        if self._reading is None:
            if self._scan is None:
                self._target = source.target or self._armature(source)
                self._scan = Scan(source)
            if not self._scan.step(seconds):
                return
            if not self.wants(source, self._scan.digest):
                self.answered += 1
                self._next()
                return
            assert self._target is not None
            self.busy = True
            self._reading = Portions(self._readers, self._target, source.find, source.title, thinned)
        elif self._reading.step(seconds):
            assert self._scan is not None
            self._ready.append(Read(source, self._reading, self._scan.digest, self._reading.frames))
            self._next()

    def _armature(self, source: Source) -> rig.Handle:
        action = source.action.find()
        if action is None:
            raise UserError(f"'{source.title}' was deleted while it was read.")
        preferred = [target for target in (handle.find() for handle in self._preferred) if target is not None]
        return rig.Handle.of(armature_for(action, preferred))

    def _leave_out(self, text: str) -> None:
        self.problem(self.sources[self._at], text)
        self.answered += 1
        self._next()

    def _next(self) -> None:
        self._target = self._scan = self._reading = None
        self._at += 1

    def _send(self) -> None:
        reads: list[Read] = []
        while self._ready and len(reads) < GROUP_CLIPS:
            if reads and sum(read.frames for read in reads) + self._ready[0].frames > GROUP_FRAMES:
                break
            reads.append(self._ready.pop(0))
        self._group = Group(reads)
        self._job = self.submit(self._group)

    def _close_group(self) -> None:
        assert self._group is not None
        self.answered += len(self._group.reads)
        self._group = self._job = None

    def _end(self, keep: bool) -> None:
        if self.over:
            return
        self.over = True
        self._readers.close()
        self._job = self._group = self._reading = None
        with apply.window_context():
            self.finish(keep)


def bundle_name() -> str | None:
    """The model that the tab has chosen, as the engine wants it."""
    chosen = bpy.context.scene.motion_prompt.bundle
    return None if chosen in {"AUTO", ""} else str(chosen)
