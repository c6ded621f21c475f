# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a sentence for each of some animations, and write all of them into the file in one undo step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import apply, rig
from ..engine import events
from ..engine.worker import Job
from ..session import session
from ..status import Status, UserError
from . import describe
from .clip_run import ClipRun, Group, Read
from .describe import Caption, Part
from .sources import Source

TITLE = "Motion Prompt: Caption"


@dataclass
class _Answer:
    """What the engine says about one clip."""

    whole: events.Captioned | None = None
    parts: list[events.Captioned] = field(default_factory=list)

    def caption(self) -> Caption | None:
        """The sentences of the clip, None where there are none."""
        best = self.whole or (self.parts[0] if self.parts else None)
        if best is None or not best.sentences:
            return None
        parts = [Part(part.start, part.end, part.sentences[0][0]) for part in self.parts if part.sentences]
        tags = dict.fromkeys(tag for event in [best, *self.parts] for tag in event.tags)
        sentences = [text for text, _ in best.sentences]
        return Caption(sentences[0], sentences[1:], list(tags), sorted(parts, key=lambda part: part.start))


class CaptionRun(ClipRun):
    """Captions for the sources.

    Parameters
    ----------
    options : what is written besides the sentence; None writes nothing.
    count : how many sentences to choose from.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        preferred: Sequence[rig.Handle],
        options: describe.Options | None,
        count: int,
    ) -> None:
        super().__init__(sources, preferred)
        self.found: list[tuple[Source, Caption]] = []
        self._options, self._count = options, count
        self._answers: dict[int, _Answer] = {}

    def wants(self, source: Source, digest: str) -> bool:
        """All but what no caption could be written into.

        Raises
        ------
        UserError
            If the Action belongs to another file.
        """
        action = source.action.find()
        if action is not None and action.library is not None and self._options is not None:
            raise UserError(
                f"'{action.name}' is linked from another file, so no caption can be kept in it. Make it local "
                "(Object > Relations > Make Local), then try again."
            )
        return True

    def submit(self, group: Group) -> Job:
        count, bundle = self._count, self._bundle
        self._answers = {}

        def body() -> dict[str, Any] | None:
            clips = group.clips()
            return {"clips": clips, "count": count, "bundle": bundle} if clips else None

        return session.ensure_worker().caption(body)

    def received(self, group: Group, event: events.Event) -> None:
        match event:
            case events.Captioned(clip, segment):
                answer = self._answers.setdefault(clip, _Answer())
                if segment < 0:
                    answer.whole = event
                else:
                    answer.parts.append(event)
            case events.ClipFailed(clip, message):
                self.problem(group.sent[clip].source, message)
            case events.Finished():
                for clip, read in enumerate(group.sent):
                    self._settle(clip, read)

    def _settle(self, clip: int, read: Read) -> None:
        answer = self._answers.get(clip)
        caption = answer.caption() if answer is not None else None
        if caption is not None:
            self.found.append((read.source, caption))
        elif read.source not in self.problems:
            self.problem(read.source, "The model found no sentence for it.")

    def finish(self, keep: bool) -> None:
        if not keep or self._options is None:
            return
        written = [source for source, caption in self.found if self._write(source, caption, self._options)]
        describe.forget_strips([action for source in written if (action := source.action.find()) is not None])
        describe.problems.clear()
        for source, text in self.problems.items():
            describe.problems.setdefault(source.action.name, text)
        if written:
            apply.push_undo(TITLE)
        session.set_status(self._closing_line(len(written)))

    def _write(self, source: Source, caption: Caption, options: describe.Options) -> bool:
        """One caption into the file; a source that is gone or cannot be written becomes a problem."""
        try:
            describe.write(source, caption, options)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            self.problem(source, f"Its caption could not be written: {error}")
            return False
        return True

    def _closing_line(self, written: int) -> Status:
        count = len(self.sources)
        if written == count == 1:
            return Status("DONE", f"'{self.found[0][1].text}'")
        kind = "strips" if all(source.strip for source in self.sources) else "actions"
        parts = [f"{written} of {count} {kind} captioned."]
        if self.stopped == "Cancelled." and not written:
            return Status("INFO", "Cancelled. Nothing was changed.")
        if self.stopped:
            parts.insert(0, self.stopped)
        if self.problems:
            first = next(iter(self.problems.values()))
            more = f" ({len(self.problems) - 1} more under Library.)" if len(self.problems) > 1 else ""
            parts.append(f"{first}{more}")
        is_error = bool(self.problems) or self.stopped not in {"", "Cancelled."}
        return Status("ERROR" if is_error else "DONE", " ".join(parts))
