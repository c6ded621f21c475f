# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Keys: where they go and how many there are."""

from __future__ import annotations

import bpy

from .panels import MotionPanel


class MOTION_PROMPT_PT_keys(MotionPanel, bpy.types.Panel):
    bl_label = "Keys"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        writing = context.scene.motion_prompt.writing
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
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
