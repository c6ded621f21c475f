# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Batch of the Motion tab: one action a line of a text."""

from __future__ import annotations

import bpy

from .panels import MotionPanel
from .session import session


class MOTION_PROMPT_PT_batch(MotionPanel, bpy.types.Panel):
    bl_label = "Batch"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.motion_prompt
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "batch_text")
        row = layout.row()
        row.enabled = settings.batch_text is None
        row.prop(settings, "batch_file")
        row = layout.row()
        row.enabled = session.task is None
        row.operator("motion_prompt.batch", icon="PRESET")


CLASSES = (MOTION_PROMPT_PT_batch,)
