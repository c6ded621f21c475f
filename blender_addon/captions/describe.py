# SPDX-License-Identifier: GPL-3.0-or-later
"""A caption as an Action keeps it: custom properties, its name, the description and tags of its asset, markers."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .. import apply, keyframes
from ..sampling.clip import strip_frames
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


def lines_of(action: bpy.types.Action, name: str) -> list[str]:
    """A custom property that holds one entry a line."""
    return [line for line in str(action.get(name, "")).split("\n") if line]


def write(source: Source, caption: Caption, options: Options) -> None:
    """Write a caption into the file.

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
    if isinstance(found, bpy.types.NlaStrip) and options.rename:
        found.name = keyframes.action_name(caption.text)
    set_caption(action, caption.text, caption.others)
    _set_tags(action, caption.tags)
    if options.asset and action.asset_data is None:
        action.asset_mark()
    _describe_asset(action)
    if options.rename and not source.strip:
        rename(action, caption.text)
    _mark(found, action, caption.parts, options.markers)


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
    _describe_asset(action)
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


def _set_tags(action: bpy.types.Action, tags: list[str]) -> None:
    """Keep the tags, on its asset too; those of an earlier caption go, the user's own stay."""
    if action.asset_data is not None:
        old = set(lines_of(action, TAGS))
        for tag in [tag for tag in action.asset_data.tags if tag.name in old]:
            action.asset_data.tags.remove(tag)
    action[TAGS] = "\n".join(tags)


def _describe_asset(action: bpy.types.Action) -> None:
    """Description and tags for the asset browser, where the Action is an asset."""
    asset = action.asset_data
    if asset is None:
        return
    asset.description = caption_of(action)
    for tag in lines_of(action, TAGS):
        asset.tags.new(tag, skip_if_exists=True)


def _mark(
    found: bpy.types.Action | bpy.types.NlaStrip, action: bpy.types.Action, parts: list[Part], where: str
) -> None:
    """Mark where the parts of a clip begin; markers of an earlier caption go."""
    scene = bpy.context.scene
    old = set(lines_of(action, MARKERS))
    for markers in (action.pose_markers, scene.timeline_markers):
        for marker in [marker for marker in markers if _line(marker) in old]:
            markers.remove(marker)
    if MARKERS in action:
        del action[MARKERS]
    if len(parts) < 2 or where == "NONE":
        return
    is_strip = isinstance(found, bpy.types.NlaStrip)
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
    action[MARKERS] = "\n".join(made)


def _line(marker: bpy.types.TimelineMarker) -> str:
    return f"{marker.frame} {marker.name}"
