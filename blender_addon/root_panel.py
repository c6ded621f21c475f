# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Root and Loop of the Motion tab."""

from __future__ import annotations

import bpy

from .panels import MotionPanel


class MOTION_PROMPT_PT_root(MotionPanel, bpy.types.Panel):
    bl_label = "Root and Loop"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.motion_prompt
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "root")
        layout.prop(settings, "in_place")
        layout.prop(settings, "loop")
        if settings.loop:
            layout.prop(settings, "loop_seconds")


CLASSES = (MOTION_PROMPT_PT_root,)
