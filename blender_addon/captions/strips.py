# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences of NLA strips, which can hold none themselves: their Actions keep them, by what the strip shows of them.

Strips that show the same of an Action share a sentence; all others have their own, and none changes that of the Action.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import bpy

STRIPS = "motion_prompt_strips"
"""Custom property of an Action: a JSON list, an entry for each `StripCaption`."""


@dataclass(frozen=True)
class Shown:
    """What a strip shows of its Action.

    Attributes
    ----------
    first, last : frames of the Action.
    scale : how many times slower it plays.
    rounds : how often.
    backwards : whether from the end.
    """

    first: float
    last: float
    scale: float = 1.0
    rounds: float = 1.0
    backwards: bool = False

    @classmethod
    def of(cls, strip: bpy.types.NlaStrip) -> Shown:
        return cls(
            round(strip.action_frame_start, 2),
            round(strip.action_frame_end, 2),
            round(strip.scale, 4),
            round(strip.repeat, 4),
            bool(strip.use_reverse),
        )

    def is_part(self, action: bpy.types.Action) -> bool:
        """Whether something of the Action is missing."""
        first, last = action.frame_range
        return self.first > first + 0.5 or self.last < last - 0.5 or self.rounds < 1

    def is_action(self, action: bpy.types.Action) -> bool:
        """Whether it is all of the Action, as the Action itself plays it."""
        return not self.is_part(action) and (self.scale, self.rounds, self.backwards) == (1.0, 1.0, False)

    @property
    def frames(self) -> float:
        """How long it is, in frames of the scene."""
        return (self.last - self.first) * self.scale * self.rounds

    def words(self) -> str:
        """It in a few words."""
        parts = [f"Frames {self.first:g} to {self.last:g}"]
        if self.backwards:
            parts.append("backwards")
        if self.rounds != 1.0:
            parts.append(f"{self.rounds:g} times")
        if self.scale != 1.0:
            parts.append(f"at {1 / self.scale:.0%} speed")
        return ", ".join(parts)


@dataclass(frozen=True)
class StripCaption:
    """The sentence of the strips that show the same.

    Attributes
    ----------
    tags : what the sentence and the movement say.
    markers : frame and name of each marker that was made for it.
    """

    shown: Shown
    text: str
    tags: list[str] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)


def strip_captions(action: bpy.types.Action) -> list[StripCaption]:
    """The sentences of an Action's strips, in the order of its frames; none where they cannot be read."""
    if STRIPS not in action:
        return []
    try:
        entries = json.loads(str(action[STRIPS]))
        found = [StripCaption(**{**entry, "shown": Shown(**entry["shown"])}) for entry in entries]
    except (ValueError, TypeError, KeyError):
        return []
    return sorted(found, key=lambda one: (one.shown.first, one.shown.last))


def caption_at(action: bpy.types.Action, shown: Shown) -> StripCaption | None:
    """The sentence of the strips that show this."""
    return next((one for one in strip_captions(action) if one.shown == shown), None)


def caption_of_strip(strip: bpy.types.NlaStrip) -> str:
    """The sentence of a strip itself; empty where it has none, or shows all of an Action as it is."""
    found = caption_at(strip.action, Shown.of(strip)) if strip.action is not None else None
    return found.text if found is not None else ""


def keep(action: bpy.types.Action, caption: StripCaption) -> None:
    """Have an Action keep a sentence, in place of an earlier one of the same strips."""
    others = [one for one in strip_captions(action) if one.shown != caption.shown]
    _store(action, [*others, caption])


def take_unused(actions: Iterable[bpy.types.Action]) -> dict[bpy.types.Action, list[StripCaption]]:
    """Take the sentences away that no strip of the file shows any more; returns them."""
    keeping = {action for action in actions if STRIPS in action}
    shown: dict[bpy.types.Action, set[Shown]] = {action: set() for action in keeping}
    for data in [item.animation_data for item in bpy.data.objects] if keeping else ():
        for strip in (
            [strip for track in data.nla_tracks for strip in track.strips] if data is not None else ()
        ):
            if strip.action in keeping:
                shown[strip.action].add(Shown.of(strip))
    taken = {}
    for action in keeping:
        every = strip_captions(action)
        unused = [one for one in every if one.shown not in shown[action]]
        if unused:
            _store(action, [one for one in every if one.shown in shown[action]])
            taken[action] = unused
    return taken


def _store(action: bpy.types.Action, captions: list[StripCaption]) -> None:
    if captions:
        action[STRIPS] = json.dumps([asdict(one) for one in captions], ensure_ascii=False)
    elif STRIPS in action:
        del action[STRIPS]
