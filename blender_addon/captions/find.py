# SPDX-License-Identifier: GPL-3.0-or-later
"""The search field: rank the file's Actions by words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from motion_engine.wire import decode_array

from .. import rig
from ..engine import events
from ..engine.worker import Job
from ..session import session
from .clip_run import bundle_name
from .describe import said_of, tags_of
from .index_run import IndexRun, entry_of, model_of
from .sources import selected_armatures


@dataclass
class Search:
    """What is searched for, and what was found.

    Attributes
    ----------
    text : the words in the field.
    vector : (E,) the words in the joint space; None while the engine works, or where its model has no such space.
    model : whose space that is.
    scores : ``session_uid`` of an Action -> 0 to 1; the others have not been read.
    note : what the list does not say by itself.
    """

    text: str = ""
    vector: NDArray[np.floating] | None = None
    model: str = ""
    scores: dict[int, float] = field(default_factory=dict)
    note: str = ""

    def rank(self) -> None:
        """Score all Actions by the words: by their motion where the model can, else by name, caption and tags."""
        if self.vector is None:
            words = self.text.lower().split()
            self.scores = (
                {action.session_uid: _words_in(action, words) for action in bpy.data.actions} if words else {}
            )
            return
        self.scores = {}
        for action in bpy.data.actions:
            entry = entry_of(action, self.model)
            if entry is not None and entry.vector is not None:
                self.scores[action.session_uid] = max(0.0, float(entry.vector @ self.vector))


search = Search()


def forget() -> None:
    """Look for nothing any more."""
    search.text, search.vector, search.scores, search.note = "", None, {}, ""


def changed(settings: Any, context: bpy.types.Context) -> None:
    """The field has other words now, letter by letter."""
    text = " ".join(settings.find.split())
    if not text:
        forget()
        return
    search.text, search.note = text, ""
    search.rank()
    if not any(isinstance(run, QueryRun) for run in session.runs):
        session.begin(QueryRun())
    if not any(isinstance(run, IndexRun) for run in session.runs):
        preferred = [rig.Handle.of(target) for target in selected_armatures(context)]
        session.begin(IndexRun(preferred, search.rank))


class QueryRun:
    """Has the words of the field placed in the joint space, until they are those that were asked for last."""

    def __init__(self) -> None:
        self._asked = ""
        self._job: Job | None = None

    def step(self) -> bool:
        """Ask for what is in the field now, once the last answer has come."""
        if self._job is None and search.text and search.text != self._asked:
            self._asked = search.text
            body = {"texts": [self._asked], "clips": [], "bundle": bundle_name()}
            self._job = session.ensure_worker().embed(lambda: body)
        return self._job is not None

    def take(self, number: int, event: events.Event) -> bool:
        """Take in the answer."""
        if self._job is None or number != self._job.number:
            return False
        match event:
            case events.Answered(reply):
                self._job = None
                if search.text:
                    search.vector, search.model = decode_array(reply["texts"])[0], model_of(reply)
                search.rank()
            case events.Failed(_, message, fix):
                self._job, self._asked = None, search.text
                search.vector = None
                search.note = f"{message} {fix} Names, captions and tags are searched instead.".replace(
                    "  ", " "
                )
                search.rank()
            case events.Stopped():
                self._job, self._asked = None, search.text
        return True

    def cancel(self, keep: bool = True) -> None:
        """Ask no more."""
        if self._job is not None and session.worker is not None:
            session.worker.cancel(self._job)
        self._job, self._asked = None, search.text


def _words_in(action: bpy.types.Action, words: list[str]) -> float:
    """Share of words that an Action's name, caption or tags have."""
    text = " ".join([action.name, said_of(action), *tags_of(action)]).lower()
    return sum(word in text for word in words) / len(words)
