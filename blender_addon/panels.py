# SPDX-License-Identifier: GPL-3.0-or-later
"""The Motion tab in the sidebar of the 3D viewport."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from . import models, rig, takes
from .preferences import preferences
from .properties import MotionPromptSettings
from .session import session
from .status import Status

POPOVER_WIDTH = 300
"""Pixels, before Blender's own scale."""

_ICONS = {"INFO": "INFO", "DONE": "CHECKMARK", "ERROR": "ERROR"}


class MotionPanel:
    """In the Motion tab of the sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Motion"


class SettingsPanel(MotionPanel):
    """A closed sub-panel of settings, names on the left as in Blender's own properties."""

    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.draw_settings(self.layout, context.scene.motion_prompt)

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        """Draw what the panel is about."""
        raise NotImplementedError


class MOTION_PROMPT_PT_main(MotionPanel, bpy.types.Panel):
    bl_label = "Motion Prompt"
    bl_idname = "MOTION_PROMPT_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        if session.worker is None and preferences().start_with_tab and not bpy.app.background:
            session.warm()
        settings = context.scene.motion_prompt
        layout = self.layout
        layout.prop(settings, "prompt", text="", placeholder="a person walks forward")
        column = layout.column(align=True)
        column.prop(settings, "duration")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("motion_prompt.randomize_seed", text="", icon="FILE_REFRESH")
        column.prop(settings, "count")
        _draw_buttons(layout)
        _draw_target(layout, context)
        models.draw_mark(layout, settings.bundle)
        _draw_status(layout, context, session.status)


def _draw_buttons(layout: bpy.types.UILayout) -> None:
    """Generate, or the bar in its place while something runs, and Cancel; nothing else moves."""
    task = session.task
    row = layout.row(align=True).split(factor=0.72, align=True)
    row.scale_y = 1.5
    if task is None:
        row.operator("motion_prompt.generate", icon="PLAY")
    else:
        text = session.activity
        if len(task.items) > 1:
            text = f"{task.at + 1} of {len(task.items)}: {text}"
        row.progress(factor=session.progress, type="BAR", text=text)
    cancel = row.row(align=True)
    cancel.enabled = task is not None
    cancel.operator("motion_prompt.cancel", icon="X")


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    target = rig.selected_armature(context)
    name = f"On {target.name}" if target is not None else "On a new character"
    layout.label(text=name, icon="ARMATURE_DATA" if target is not None else "ADD")
    if target is not None and rig.offers_ik(target):
        row = layout.row(align=True)
        row.label(text="Controls")
        row.prop(context.scene.motion_prompt, "controls", expand=True)


def draw_lines(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str, alert: bool = False
) -> None:
    """A text over as many lines as the sidebar's width asks for, all of them as far from the edge."""
    column = layout.column(align=True)
    column.alert = alert
    # a popover's region does not know its width yet while it is drawn
    in_sidebar = context.region is not None and context.region.type == "UI"
    width = context.region.width / context.preferences.system.ui_scale if in_sidebar else POPOVER_WIDTH
    for index, line in enumerate(textwrap.wrap(text, max(20, int((width - 60) / 6.4)))):
        column.label(text=line, icon=icon if index == 0 or icon == "NONE" else "BLANK1")


def _draw_status(layout: bpy.types.UILayout, context: bpy.types.Context, status: Status) -> None:
    if not status.text:
        return
    box = layout.box()
    draw_lines(box, context, status.text, _ICONS[status.kind], alert=status.kind == "ERROR")
    for fix in status.fixes:
        button: Any = box.operator(fix.operator, text=fix.label, icon=fix.icon)
        for name, value in fix.properties.items():
            setattr(button, name, value)


class MOTION_PROMPT_PT_takes(MotionPanel, bpy.types.Panel):
    bl_label = "Takes"
    bl_parent_id = "MOTION_PROMPT_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        target = rig.selected_armature(context)
        return target is not None and len(takes.takes_of(target)) > 0

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.template_list(
            "MOTION_PROMPT_UL_takes", "", bpy.data, "actions", context.scene.motion_prompt, "take", rows=3
        )
        self.layout.operator("motion_prompt.export", text="Export...", icon="EXPORT")


def redraw() -> None:
    """Show what has changed in the sidebar of every 3D viewport; the viewport itself need not be drawn again."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager is not None else ():
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


CLASSES = (MOTION_PROMPT_PT_main, MOTION_PROMPT_PT_takes)
