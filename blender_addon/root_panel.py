# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Root and Loop of the Motion tab."""

from __future__ import annotations

import bpy

from .panels import SettingsPanel
from .properties import MotionPromptSettings


class MOTION_PROMPT_PT_root(SettingsPanel, bpy.types.Panel):
    bl_label = "Root and Loop"

    def draw_settings(self, layout: bpy.types.UILayout, settings: MotionPromptSettings) -> None:
        layout.prop(settings, "root")
        layout.prop(settings, "in_place")
        layout.prop(settings, "loop")
        if settings.loop:
            layout.prop(settings, "loop_seconds")


CLASSES = (MOTION_PROMPT_PT_root,)
