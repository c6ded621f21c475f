# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Library of the Motion tab: find Actions by words, caption them, make more of them."""

from __future__ import annotations

import bpy

from ..panels import MotionPanel, SettingsPanel, draw_lines
from ..properties import MotionPromptSettings
from ..session import session
from . import action_list, describe
from .clip_run import ClipRun
from .find import search
from .index_run import IndexRun, entries
from .operators import cannot
from .strips import StripCaption, strip_captions


class MOTION_PROMPT_PT_library(MotionPanel, bpy.types.Panel):
    bl_label = "Library"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.motion_prompt.captions
        layout = self.layout
        if not len(bpy.data.actions):
            draw_lines(layout, context, "This file has no actions yet. Generate, key or append some.", "INFO")
            _draw_surprise(layout, context)
            return
        layout.prop(settings, "find", text="", icon="VIEWZOOM", placeholder="find a motion by words")
        column = layout.column(align=True)
        column.template_list("MOTION_PROMPT_UL_library", "", bpy.data, "actions", settings, "picked", rows=5)
        row = column.row(align=True)
        for which, label in (("ALL", "All"), ("NONE", "None"), ("NEW", "No Caption")):
            row.operator("motion_prompt.tick", text=label).which = which
        if search.note:
            draw_lines(layout, context, search.note, "INFO")
        _draw_buttons(layout, context)
        action = action_list.picked()
        if action is not None:
            _draw_action(layout, context, action)
        _draw_surprise(layout, context)


def _draw_buttons(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Caption, or the bar in its place while Actions are read; a search that finds all of them known shows none."""
    runs = [
        run
        for run in session.runs
        if isinstance(run, ClipRun) and (run.busy or not isinstance(run, IndexRun))
    ]
    if runs:
        row = layout.row(align=True).split(factor=0.72, align=True)
        doing = "Reading" if isinstance(runs[0], IndexRun) else "Caption"
        row.progress(factor=runs[0].fraction, type="BAR", text=f"{doing} {runs[0].activity}")
        row.operator("motion_prompt.caption_cancel", icon="X")
        return
    column = layout.column(align=True)
    column.operator(
        "motion_prompt.caption", text=f"Caption {len(action_list.ticked())} Ticked", icon="TEXT"
    ).what = "TICKED"
    column.operator("motion_prompt.caption", text="Caption Selected Armatures").what = "SELECTED"
    _explain(layout, context, cannot("motion_to_text", "describe motions"))


def _draw_action(layout: bpy.types.UILayout, context: bpy.types.Context, action: bpy.types.Action) -> None:
    """The Action that is shown: its sentence, the others, what went wrong, and what can be made of it."""
    box = layout.box()
    box.label(text=action.name, icon="ACTION")
    caption = describe.caption_of(action)
    if caption:
        draw_lines(box, context, caption, "CHECKMARK")
        tags = describe.tags_of(action)
        if tags:
            draw_lines(box, context, ", ".join(tags), "BOOKMARKS")
        others = describe.lines_of(action, describe.OTHERS)
        if others:
            column = box.column(align=True)
            column.label(text="Or:")
            for index, other in enumerate(others):
                row = column.row(align=True)
                row.operator("motion_prompt.choose_caption", text="", icon="RADIOBUT_OFF").index = index
                draw_lines(row.column(align=True), context, other, "NONE")
    of_strips = strip_captions(action)
    _draw_strips(box, context, of_strips)
    entry = entries.get(action.session_uid)
    problem = describe.problems.get(action.name) or (
        entry.problem if entry is not None and search.text else ""
    )
    if problem:
        draw_lines(box, context, problem, "ERROR", alert=True)
    if not caption and not problem and not of_strips:
        draw_lines(box, context, "It has no caption yet.", "INFO")
    box.operator("motion_prompt.edit_caption", icon="GREASEPENCIL")
    row = box.row(align=True)
    row.operator("motion_prompt.variation", icon="DUPLICATE")
    row.prop(context.scene.motion_prompt.captions, "strength", text="")


def _draw_strips(
    layout: bpy.types.UILayout, context: bpy.types.Context, captions: list[StripCaption]
) -> None:
    """The sentences of NLA strips that show a part of the Action, or show it otherwise."""
    for index, one in enumerate(captions):
        row = layout.row(align=True)
        row.operator("motion_prompt.edit_caption", text="", icon="GREASEPENCIL").strip = index
        column = row.column(align=True)
        draw_lines(column, context, f"{one.shown.words()}:", "NLA")
        draw_lines(column, context, one.text, "NONE")


def _draw_surprise(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    layout.operator("motion_prompt.surprise", icon="SHADERFX")
    if not cannot("motion_to_text", "describe motions"):  # one such sentence is enough
        _explain(layout, context, cannot("joint", "think of motions by itself"))


def _explain(layout: bpy.types.UILayout, context: bpy.types.Context, text: str) -> None:
    if text:
        draw_lines(layout, context, text, "INFO")


class MOTION_PROMPT_PT_caption_options(SettingsPanel, bpy.types.Panel):
    bl_label = "Caption Options"
    bl_parent_id = "MOTION_PROMPT_PT_library"

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        for name in ("count", "rename", "asset", "markers"):
            layout.prop(settings.captions, name)


CLASSES = (MOTION_PROMPT_PT_library, MOTION_PROMPT_PT_caption_options)
