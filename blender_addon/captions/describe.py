# SPDX-License-Identifier: GPL-3.0-or-later
"""A caption as an Action keeps it: custom properties, its name, the description and tags of its asset, markers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from .. import apply, keyframes
from ..sampling.clip import strip_frames
from . import strips
from .sources import Source

CAPTION = "motion_prompt_caption"
"""Custom property with the sentence."""
OTHERS = "motion_prompt_alternatives"
"""Custom property with the other sentences, one a line."""
TAGS = "motion_prompt_tags"
"""Custom property with the tags, one a line."""
MARKERS = "motion_prompt_markers"
"""Custom property with the markers that a caption has made: frame and name, one a line."""

problems: dict[str, str] = {}
"""Name of an Action -> why the last run has found no caption for it."""


@dataclass(frozen=True)
class Part:
    """What happens in a part of a long clip, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Caption:
    """What was found for one animation."""

    text: str
    others: list[str]
    tags: list[str]
    parts: list[Part]


@dataclass(frozen=True)
class Options:
    """What is written besides the sentence.

    Attributes
    ----------
    rename : the sentence becomes the name.
    asset : the Action is marked as an asset.
    markers : where the parts of long clips are marked: POSE, TIMELINE or NONE.
    """

    rename: bool = False
    asset: bool = False
    markers: str = "POSE"


def caption_of(action: bpy.types.Action) -> str:
    """The sentence of an Action; empty where it has none."""
    return str(action.get(CAPTION, ""))


def said_of(action: bpy.types.Action) -> str:
    """The sentence of an Action, else those of its strips."""
    own = caption_of(action)
    return own or "; ".join(dict.fromkeys(one.text for one in strips.strip_captions(action)))


def lines_of(action: bpy.types.Action, name: str) -> list[str]:
    """A custom property that holds one entry a line."""
    return [line for line in str(action.get(name, "")).split("\n") if line]


def tags_of(action: bpy.types.Action) -> list[str]:
    """The tags of an Action and of its strips."""
    of_strips = (tag for one in strips.strip_captions(action) for tag in one.tags)
    return list(dict.fromkeys([*lines_of(action, TAGS), *of_strips]))


def write(source: Source, caption: Caption, options: Options) -> None:
    """Write a caption into the file: that of a strip beside the Action's own, unless it shows all of the Action.

    Raises
    ------
    RuntimeError
        If the Action is gone or belongs to another file.
    """
    found, action = source.find(), source.action.find()
    if found is None or action is None:
        raise RuntimeError("it was deleted meanwhile.")
    if action.library is not None:
        raise RuntimeError("it is linked from another file. Make it local first.")
    if options.rename and isinstance(found, bpy.types.NlaStrip):
        found.name = keyframes.action_name(caption.text)
    tags_before = tags_of(action)
    shown = strips.Shown.of(found) if isinstance(found, bpy.types.NlaStrip) else None
    parts = caption.parts if len(caption.parts) > 1 else []
    if shown is None or shown.is_action(action):
        set_caption(action, caption.text, caption.others)
        action[TAGS] = "\n".join(caption.tags)
        made = _mark(found, action, parts, options.markers, lines_of(action, MARKERS))
        if made:
            action[MARKERS] = "\n".join(made)
        elif MARKERS in action:
            del action[MARKERS]
    else:
        known = strips.caption_at(action, shown)
        if not parts and shown.is_part(action):  # where it begins in the Action is worth a marker
            parts = [Part(0.0, 0.0, caption.text)]
        made = _mark(found, action, parts, options.markers, known.markers if known is not None else [])
        strips.keep(action, strips.StripCaption(shown, caption.text, caption.tags, made))
    if options.asset and action.asset_data is None:
        action.asset_mark()
    _describe_asset(action, tags_before)
    if options.rename and shown is None:
        rename(action, caption.text)


def forget_strips(actions: Iterable[bpy.types.Action]) -> None:
    """Let go of the sentences of strips that were deleted or show something else now."""
    for action, captions in strips.take_unused(actions).items():
        gone = [tag for caption in captions for tag in caption.tags]
        for caption in captions:
            _unmark(action, caption.markers)
        _describe_asset(action, gone)


def set_caption(action: bpy.types.Action, text: str, others: list[str]) -> None:
    """Keep a sentence, and those that were not chosen."""
    action[CAPTION] = text
    action[OTHERS] = "\n".join(" ".join(other.split()) for other in others)


def choose(action: bpy.types.Action, index: int) -> None:
    """Take another of an Action's sentences; its name follows where it was the sentence."""
    before, others = caption_of(action), lines_of(action, OTHERS)
    text = others[index]
    others[index] = before
    named = _is_named(action.name, before)
    set_caption(action, text, others)
    _describe_asset(action, ())
    if named:
        rename(action, text)


def rename(action: bpy.types.Action, text: str) -> None:
    """Name an Action by a sentence: at most 63 bytes, and no name that another one has."""
    if _is_named(action.name, text):
        return
    name, number = keyframes.action_name(text), 1
    while name in bpy.data.actions:
        number += 1
        name = apply.numbered(text, number)
    action.name = name


def _is_named(name: str, text: str) -> bool:
    base = keyframes.action_name(text)
    stem, _, number = name.rpartition(" ")
    return name == base or (number.isdigit() and bool(stem) and name == apply.numbered(text, int(number)))


def _describe_asset(action: bpy.types.Action, tags_before: Iterable[str]) -> None:
    """Description and tags where the Action is an asset; tags of an earlier caption go, the user's own stay."""
    asset = action.asset_data
    if asset is None:
        return
    asset.description = said_of(action)
    old, new = set(tags_before), tags_of(action)
    for tag in [tag for tag in asset.tags if tag.name in old and tag.name not in new]:
        asset.tags.remove(tag)
    for name in new:
        asset.tags.new(name, skip_if_exists=True)


def _mark(
    found: bpy.types.Action | bpy.types.NlaStrip,
    action: bpy.types.Action,
    parts: list[Part],
    where: str,
    earlier: list[str],
) -> list[str]:
    """Mark where the parts of a clip begin, in place of the markers of an earlier caption; returns what was made."""
    _unmark(action, earlier)
    is_strip = isinstance(found, bpy.types.NlaStrip)
    if where == "NONE":
        return []
    scene = bpy.context.scene
    start = found.frame_start if is_strip else found.frame_range[0]
    made = []
    for part in parts:
        frame = start + part.start * scene.render.fps / scene.render.fps_base
        name = keyframes.action_name(part.text)
        if where == "TIMELINE":
            marker = scene.timeline_markers.new(name, frame=round(frame))
        else:
            marker = action.pose_markers.new(name)
            marker.frame = round(float(strip_frames(found, frame)) if is_strip else frame)
        made.append(_line(marker))
    return made


def _unmark(action: bpy.types.Action, lines: list[str]) -> None:
    for markers in (action.pose_markers, bpy.context.scene.timeline_markers):
        left = list(lines)
        for marker in list(markers):
            if (line := _line(marker)) in left:
                left.remove(line)
                markers.remove(marker)


def _line(marker: bpy.types.TimelineMarker) -> str:
    return f"{marker.frame} {marker.name}"
