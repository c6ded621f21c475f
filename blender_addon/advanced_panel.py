# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Advanced of the Motion tab: the model, how it samples, what is cleaned up."""

from __future__ import annotations

import bpy

from . import models
from .panels import SettingsPanel
from .properties import MotionPromptSettings
from .session import session


class MOTION_PROMPT_PT_advanced(SettingsPanel, bpy.types.Panel):
    bl_label = "Advanced"

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        layout.prop(settings, "bundle")
        models.draw(layout, settings.bundle)
        column = layout.column(align=True)
        column.prop(settings, "sampler")
        column.prop(settings, "steps")
        column.prop(settings, "guidance")
        column.prop(settings, "tries")
        column = layout.column(heading="Clean Up")
        column.prop(settings, "foot_lock")
        column.prop(settings, "floor")
        column.prop(settings, "reach_hands")
        layout.separator()
        layout.operator("motion_prompt.add_character", icon="OUTLINER_OB_ARMATURE")
        layout.operator("motion_prompt.restart_engine", icon="FILE_REFRESH")
        if session.health.get("device"):
            layout.label(text=f"Engine {session.health['version']} on {session.health['device']}")


CLASSES = (MOTION_PROMPT_PT_advanced,)
