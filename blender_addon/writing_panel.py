# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Keys: where they go and how many there are."""

from __future__ import annotations

import bpy

from .panels import SettingsPanel
from .properties import MotionPromptSettings


class MOTION_PROMPT_PT_keys(SettingsPanel, bpy.types.Panel):
    bl_label = "Keys"

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        writing = settings.writing
        layout.prop(writing, "destination")
        if writing.destination == "CURRENT":
            layout.prop(writing, "start_at")
            column = layout.column(align=True)
            column.prop(writing, "blend_in")
            column.prop(writing, "blend_out")
        layout.prop(writing, "reduce")
        if writing.reduce:
            column = layout.column(align=True)
            column.prop(writing, "rotation_error")
            column.prop(writing, "location_error")


CLASSES = (MOTION_PROMPT_PT_keys,)
