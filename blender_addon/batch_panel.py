# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Batch of the Motion tab: one action a line of a text."""

from __future__ import annotations

import bpy

from .panels import SettingsPanel
from .properties import MotionPromptSettings
from .session import session


class MOTION_PROMPT_PT_batch(SettingsPanel, bpy.types.Panel):
    bl_label = "Batch"

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        layout.prop(settings, "batch_text")
        row = layout.row()
        row.enabled = settings.batch_text is None
        row.prop(settings, "batch_file")
        row = layout.row()
        row.enabled = session.task is None
        row.operator("motion_prompt.batch", icon="PRESET")


CLASSES = (MOTION_PROMPT_PT_batch,)
