# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each Action lies in the space in which it can be compared with words; computed anew only when it changed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine.wire import decode_array

from .. import rig
from ..engine import events
from ..engine.worker import Job
from ..session import session
from .clip_run import ClipRun, Group
from .sources import ActionHandle, Source, of_actions

Array = NDArray[np.floating]

PROPERTY = "motion_prompt_index"
"""Custom property with model, digest of the keys and vector, so that a file need not be read again."""


@dataclass(frozen=True)
class Entry:
    """What is known of an Action whose keys have the digest ``digest``.

    Attributes
    ----------
    vector : (E,) of unit length, or None where it has none.
    problem : why it has none.
    """

    model: str
    digest: str
    vector: Array | None
    problem: str = ""


entries: dict[int, Entry] = {}
"""By the Action's ``session_uid``: also of Actions that cannot keep a property, or have lost it by an undo."""


def model_of(reply: dict[str, Any]) -> str:
    """Whose space the vectors of a reply to ``POST /v1/embed`` are in."""
    return f"{reply['bundle']}-{reply['bundle_sha256'][:12]}"


def kept(action: bpy.types.Action) -> Entry | None:
    """What an Action itself keeps; None where that is nothing, or nothing that can be read."""
    try:
        model, digest, data = str(action.get(PROPERTY, "")).rsplit(" ", 2)
        vector = np.frombuffer(base64.b64decode(data, validate=True), dtype="<f2").astype(np.float32)
    except ValueError:
        return None
    return Entry(model, digest, vector) if len(vector) and np.isfinite(vector).all() else None


def entry_of(action: bpy.types.Action, model: str) -> Entry | None:
    """What is known of an Action in the space of a model."""
    known = entries.get(action.session_uid)
    if known is not None and known.model == model:
        return known
    known = kept(action)
    return known if known is not None and known.model == model else None


class IndexRun(ClipRun):
    """Brings the index of all Actions up to date.

    Parameters
    ----------
    on_entry : called whenever something new is known.
    """

    def __init__(self, preferred: Sequence[rig.Handle], on_entry: Callable[[], None]) -> None:
        super().__init__(of_actions(bpy.data.actions), preferred)
        self._on_entry = on_entry
        self._model = ""
        # whose space it is must be known before anything is left out as known
        body = {"texts": [], "clips": [], "bundle": self._bundle}
        self._asked: Job | None = session.ensure_worker().embed(lambda: body)

    def step(self) -> bool:
        return super().step() if self._asked is None else not self.over

    def take(self, number: int, event: events.Event) -> bool:
        if self._asked is None or number != self._asked.number:
            return super().take(number, event)
        match event:
            case events.Answered(reply):
                self._asked, self._model = None, model_of(reply)
            case events.Failed(_, message, fix):
                self.stopped = f"{message} {fix}".strip()
                self._end(keep=True)
            case events.Stopped():
                self._end(keep=True)
        return True

    def wants(self, source: Source, digest: str) -> bool:
        action = source.action.find()
        entry = entry_of(action, self._model) if action is not None else None
        if action is None or entry is None or entry.digest != digest:
            return True
        entries[action.session_uid] = entry
        if entry.problem:
            self.problems[source] = entry.problem
        return False

    def _leave_out(self, text: str) -> None:
        source, digest = self.sources[self._at], self._scan.digest if self._scan is not None else ""
        super()._leave_out(text)
        entries[source.action.session_uid] = Entry(self._model, digest, None, self.problems[source])

    def submit(self, group: Group) -> Job:
        bundle = self._bundle

        def body() -> dict[str, Any] | None:
            clips = group.clips()
            return {"texts": [], "clips": clips, "bundle": bundle} if clips else None

        return session.ensure_worker().embed(body)

    def received(self, group: Group, event: events.Event) -> None:
        if not isinstance(event, events.Answered) or not group.sent:
            return
        vectors = decode_array(event.reply["clips"])
        failed = {int(problem["clip"]): problem for problem in event.reply["problems"]}
        model = model_of(event.reply)
        for at, read in enumerate(group.sent):
            if at in failed:
                text = f"'{read.source.title}': {failed[at]['message']} {failed[at]['fix']}".strip()
                self.problems[read.source] = text
                entries[read.source.action.session_uid] = Entry(model, read.digest, None, text)
            else:
                keep(read.source.action, Entry(model, read.digest, vectors[at]))
        self._on_entry()

    def finish(self, keep: bool) -> None:
        self._on_entry()


def keep(handle: ActionHandle, entry: Entry) -> None:
    """Remember where an Action lies, in the file too where it can be; that is no change that one would undo."""
    entries[handle.session_uid] = entry
    action = handle.find()
    if action is None or action.library is not None or entry.vector is None:
        return
    data = base64.b64encode(entry.vector.astype("<f2").tobytes()).decode("ascii")
    action[PROPERTY] = f"{entry.model} {entry.digest} {data}"
