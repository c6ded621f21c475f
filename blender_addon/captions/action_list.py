# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the file's Actions: ticks, sentences, scores; a click gives an Action to the armature it fits."""

from __future__ import annotations

from typing import Any

import bpy

from .. import keyframes, rig, roots
from ..session import session
from ..status import Status, UserError
from .describe import problems, said_of
from .find import search
from .sources import ActionHandle, armature_for, bones_of, fits, selected_armatures

_picked: list[ActionHandle] = []


def picked() -> bpy.types.Action | None:
    """The Action that was clicked last, else that of the selected armature."""
    found = _picked[0].find() if _picked else None
    if found is not None:
        return found
    target = rig.selected_armature(bpy.context)
    return target.animation_data.action if target is not None and target.animation_data is not None else None


def pick(action: bpy.types.Action | None) -> None:
    """Show an Action; None for that of the selected armature."""
    _picked[:] = [] if action is None else [ActionHandle.of(action)]


def get_picked(settings: Any) -> int:
    """Index in ``bpy.data.actions`` of the Action that is shown, -1 for none."""
    action = picked()
    return -1 if action is None else bpy.data.actions.find(action.name)


def set_picked(settings: Any, index: int) -> None:
    """Show the Action of that index, and have the armature play it."""
    if not 0 <= index < len(bpy.data.actions):
        return
    action = bpy.data.actions[index]
    pick(action)
    try:
        play(bpy.context, action)
    except UserError as error:
        session.set_status(error.status())


def play(context: bpy.types.Context, action: bpy.types.Action) -> bpy.types.Object | None:
    """Give an Action to the selected armature, or with none selected to the one that it fits best.

    Raises
    ------
    UserError
        If it is for other bones, or Blender refuses.
    """
    if not bones_of(action):
        return None  # there is nothing to play it on: it is only shown
    target = rig.selected_armature(context)
    if target is None:
        target = armature_for(action, selected_armatures(context))
    if not fits(action, target):
        raise UserError(
            f"'{action.name}' is for other bones than those of '{target.name}', so it was not put on it."
        )
    if target.library is not None:
        raise UserError(f"'{target.name}' is linked from another file. Make a library override of it first.")
    if target.animation_data is not None and target.animation_data.action == action:
        return target
    try:
        roots.put_back(target, context.scene)
        keyframes.assign(target, action)
    except RuntimeError as error:
        raise UserError(f"'{action.name}' cannot be put on '{target.name}': {error}") from None
    if session.status.kind == "ERROR":
        session.set_status(Status("INFO", ""))
    return target


def ticked() -> list[bpy.types.Action]:
    """The Actions with a tick, in the order of the file."""
    return [action for action in bpy.data.actions if action.motion_prompt_use]


class MOTION_PROMPT_UL_library(bpy.types.UIList):
    """All Actions of the file, the best matches of a search first."""

    def draw_item(
        self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: bpy.types.Action,
        icon: int, active_data: Any, active_property: str, index: int = 0, flt_flag: int = 0,
    ) -> None:  # fmt: skip
        row = layout.row(align=True)
        row.prop(item, "motion_prompt_use", text="")
        score = search.scores.get(item.session_uid) if search.text else None
        if score is not None:
            row = row.split(factor=0.7, align=True)
        caption = said_of(item)
        mark = (
            "ERROR" if item.name in problems else "ASSET_MANAGER" if item.asset_data is not None else "ACTION"
        )
        name = row.row(align=True)
        name.active = bool(caption) or bool(search.text)
        name.label(
            text=f"{item.name}: {caption}" if caption and caption != item.name else item.name, icon=mark
        )
        if score is not None:
            row.progress(factor=score, type="BAR", text=f"{score:.0%}")

    def filter_items(
        self, context: bpy.types.Context, data: Any, property: str
    ) -> tuple[list[int], list[int]]:
        actions = list(getattr(data, property))
        wanted = self.filter_name.lower()
        flags = [
            self.bitflag_filter_item if wanted in f"{action.name} {said_of(action)}".lower() else 0
            for action in actions
        ]
        return flags, places(actions) if search.text else []


def places(actions: list[bpy.types.Action]) -> list[int]:
    """Where each Action stands in the list: by score, without one at the end."""
    order = sorted(range(len(actions)), key=lambda at: -search.scores.get(actions[at].session_uid, -1.0))
    found = [0] * len(actions)
    for place, at in enumerate(order):
        found[at] = place
    return found


CLASSES = (MOTION_PROMPT_UL_library,)
