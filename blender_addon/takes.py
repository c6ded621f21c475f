# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: the Actions that were made for an armature. The file's Actions are the list, nothing is kept twice."""

from __future__ import annotations

from typing import Any

import bpy

from . import keyframes, rig, roots


def is_take(action: bpy.types.Action, target: bpy.types.Object) -> bool:
    """Whether the Action was generated for this armature (or one that it was copied from), or is its own."""
    if target.animation_data is not None and target.animation_data.action == action:
        return True
    return action.get("motion_prompt") in {target.name, target.data.name}


def takes_of(target: bpy.types.Object) -> list[bpy.types.Action]:
    """The takes of an armature, in the order of the file."""
    return [action for action in bpy.data.actions if is_take(action, target)]


def get_active(settings: Any) -> int:
    """Index in ``bpy.data.actions`` of the selected armature's Action, -1 for none."""
    target = rig.selected_armature(bpy.context)
    if target is None or target.animation_data is None or target.animation_data.action is None:
        return -1
    return bpy.data.actions.find(target.animation_data.action.name)


def set_active(settings: Any, index: int) -> None:
    """Give the selected armature the Action of that index."""
    target = rig.selected_armature(bpy.context)
    if target is not None and 0 <= index < len(bpy.data.actions) and target.library is None:
        try:
            roots.put_back(target, bpy.context.scene)
            keyframes.assign(target, bpy.data.actions[index])
        except RuntimeError as error:
            print(f"Motion Prompt: {error}")


class MOTION_PROMPT_UL_takes(bpy.types.UIList):
    """The Actions that were generated for the selected armature."""

    def draw_item(
        self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: bpy.types.Action,
        icon: int, active_data: Any, active_property: str, index: int = 0, flt_flag: int = 0,
    ) -> None:  # fmt: skip
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon="ACTION")
        seed = item.get("seed")
        if seed is not None:
            label = row.row()
            label.alignment = "RIGHT"
            is_doubtful = item.get("unmet") or item.get("far")
            label.label(text=f"seed {seed}", icon="QUESTION" if is_doubtful else "NONE")

    def filter_items(
        self, context: bpy.types.Context, data: Any, property: str
    ) -> tuple[list[int], list[int]]:
        target = rig.selected_armature(context)
        wanted = self.filter_name.lower()
        flags = [
            self.bitflag_filter_item
            if target is not None and is_take(action, target) and wanted in action.name.lower()
            else 0
            for action in getattr(data, property)
        ]
        return flags, []


CLASSES = (MOTION_PROMPT_UL_takes,)
