# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Rig Map of the Motion tab: which bone is which joint, to be corrected."""

from __future__ import annotations

import bpy

from . import rig, rig_map_table
from .panels import MotionPanel, draw_lines

_TRUNK = {
    "head": "Head",
    "neck": "Neck",
    "spine3": "Chest",
    "spine2": "Spine 2",
    "spine1": "Spine 1",
    "pelvis": "Hips",
}
_SIDE = {
    "collar": "Collar", "shoulder": "Shoulder", "elbow": "Elbow", "wrist": "Wrist", "hip": "Hip", "knee": "Knee",
    "ankle": "Ankle", "foot": "Toes",
}  # fmt: skip
_GROUPS = (
    ("Trunk", _TRUNK),
    ("Left", {f"left_{part}": label for part, label in _SIDE.items()}),
    ("Right", {f"right_{part}": label for part, label in _SIDE.items()}),
)
"""The rows in the order of a body from above, with what an animator calls the joints."""


class MOTION_PROMPT_PT_rig_map(MotionPanel, bpy.types.Panel):
    bl_label = "Rig Map"
    bl_idname = "MOTION_PROMPT_PT_rig_map"
    bl_parent_id = "MOTION_PROMPT_PT_main"
    bl_options = {"DEFAULT_CLOSED"}
    bl_ui_units_x = 14  # where a button opens it as a popover

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return rig.selected_armature(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        target = rig.selected_armature(context)
        armature = target.data
        table = armature.motion_prompt_map
        _draw_state(layout, context, target)
        if len(table.rows):
            row = layout.row(align=True)
            row.operator("motion_prompt.map_detect")
            row.operator("motion_prompt.map_mirror", text="Mirror")
            row.operator("motion_prompt.map_clear")
            _draw_rows(layout, armature, posing=context.mode == "POSE")
            layout.row().prop(table, "kind", expand=True)
        else:
            layout.operator("motion_prompt.map_show")
        row = layout.row(align=True)
        row.operator("motion_prompt.map_load", icon="IMPORT")
        row.operator("motion_prompt.map_save", icon="EXPORT")
        if len(table.rows) or rig_map_table.is_remembered(armature):
            layout.operator("motion_prompt.map_forget", icon="TRASH")


def _draw_state(layout: bpy.types.UILayout, context: bpy.types.Context, target: bpy.types.Object) -> None:
    """One sentence on what the map is and whether it can be used."""
    table = target.data.motion_prompt_map
    problem = rig_map_table.problem(target.data)
    if len(table.rows) and rig_map_table.is_empty(target.data):
        draw_lines(layout, context, "No bones yet. Choose one in each red row, or press Detect.", "INFO")
    elif problem:
        draw_lines(layout, context, problem, "ERROR", alert=True)
    elif len(table.rows):
        words = rig_map_table.in_words(table.family)
        draw_lines(layout, context, f"{words[0].upper()}{words[1:]}, by this table.", "CHECKMARK")
    elif rig_map_table.is_remembered(target.data):
        draw_lines(layout, context, "The map that you made for such a rig is used.", "CHECKMARK")
    else:
        _draw_recognition(layout, context, target)


def _draw_recognition(
    layout: bpy.types.UILayout, context: bpy.types.Context, target: bpy.types.Object
) -> None:
    found = rig.recognition(target)
    if not found.sure:
        draw_lines(layout, context, found.sentence, "ERROR", alert=True)
        return
    count = len(found.mapping.bones)
    joints = "all 22 joints" if count == 22 else f"{count} of 22 joints"
    words = rig_map_table.in_words(found.mapping.family)
    draw_lines(layout, context, f"{words[0].upper()}{words[1:]}, {joints} found.", "CHECKMARK")


def _draw_rows(layout: bpy.types.UILayout, armature: bpy.types.Armature, posing: bool) -> None:
    """The table; while bones can be selected, each row has a button that takes the active one."""
    rows = armature.motion_prompt_map.rows
    wrong = rig_map_table.wrong_rows(armature)
    for title, labels in _GROUPS:
        column = layout.column(align=True)
        column.label(text=title)
        for joint, label in labels.items():
            if joint not in rows:
                continue
            split = column.split(factor=0.28, align=True)
            split.alert = joint in wrong
            split.label(text=label)
            line = split.row(align=True)
            line.prop_search(rows[joint], "bone", armature, "bones", text="")
            if posing:
                line.operator("motion_prompt.map_pick", text="", icon="RESTRICT_SELECT_OFF").joint = joint


CLASSES = (MOTION_PROMPT_PT_rig_map,)
