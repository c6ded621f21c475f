# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Rig Map of the Motion tab: which bone is which joint, to be corrected."""

from __future__ import annotations

import bpy

from . import rig, rig_map_table
from .panels import MotionPanel, draw_lines


class MOTION_PROMPT_PT_rig_map(MotionPanel, bpy.types.Panel):
    bl_label = "Rig Map"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return rig.selected_armature(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        target = rig.selected_armature(context)
        armature = target.data
        table = armature.motion_prompt_map
        problem = rig_map_table.problem(armature)
        if problem:
            draw_lines(layout, context, problem, "ERROR", alert=True)
        elif len(table.rows):
            layout.label(text=f"{table.family}, by this table", icon="CHECKMARK")
        else:
            _draw_recognition(layout, context, target)
        row = layout.row(align=True)
        row.operator("motion_prompt.map_detect", text="Detect" if len(table.rows) else "Show and Correct")
        if len(table.rows):
            row.operator("motion_prompt.map_mirror", text="Mirror")
            row.operator("motion_prompt.map_clear")
            _draw_rows(layout, armature)
            layout.prop(table, "kind", expand=True)
        row = layout.row(align=True)
        row.operator("motion_prompt.map_load", icon="IMPORT")
        row.operator("motion_prompt.map_save", icon="EXPORT")
        row.operator("motion_prompt.map_forget", text="", icon="X")


def _draw_recognition(
    layout: bpy.types.UILayout, context: bpy.types.Context, target: bpy.types.Object
) -> None:
    found = rig.recognition(target)
    if found.sure:
        text = f"{found.mapping.family}: {len(found.mapping.bones)} of 22 joints, {100 * found.score:.0f} % sure."
        draw_lines(layout, context, text, "CHECKMARK")
    else:
        draw_lines(layout, context, found.sentence, "ERROR", alert=True)


def _draw_rows(layout: bpy.types.UILayout, armature: bpy.types.Armature) -> None:
    wrong = rig_map_table.wrong_rows(armature)
    column = layout.column(align=True)
    for item in armature.motion_prompt_map.rows:
        split = column.split(factor=0.4, align=True)
        split.alert = item.name in wrong
        split.label(text=item.name.replace("_", " ").capitalize())
        line = split.row(align=True)
        line.prop_search(item, "bone", armature, "bones", text="")
        line.operator("motion_prompt.map_pick", text="", icon="EYEDROPPER").joint = item.name


CLASSES = (MOTION_PROMPT_PT_rig_map,)
