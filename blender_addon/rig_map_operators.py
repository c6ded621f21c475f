# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of the rig map's table."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from motion_engine import skeleton

from . import rig, rig_map_table
from .operators import refuse
from .rig_maps import document, names
from .session import session
from .status import Status


def _armature(context: bpy.types.Context) -> bpy.types.Object | None:
    target = rig.selected_armature(context)
    return target if target is not None and target.library is None else None


class _OnArmature:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _armature(context) is not None


class MOTION_PROMPT_OT_map_detect(_OnArmature, bpy.types.Operator):
    """Fill the table with what the add-on thinks each bone is"""

    bl_idname = "motion_prompt.map_detect"
    bl_label = "Detect"

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        found = rig.recognition(target)
        rig_map_table.fill(target.data, found.mapping)
        problem = rig_map_table.problem(target.data)
        if problem:
            return refuse(
                self, Status("ERROR", f"'{target.name}': {problem} Correct the table under Rig Map.")
            )
        doubt = "" if found.sure else " It was not sure: look at the table under Rig Map, then generate."
        session.set_status(Status("DONE", f"'{target.name}' is used as a {found.mapping.family} rig.{doubt}"))
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_mirror(_OnArmature, bpy.types.Operator):
    """Fill the right side of the table from the left one, by the names of the bones"""

    bl_idname = "motion_prompt.map_mirror"
    bl_label = "Mirror Left to Right"

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = _armature(context).data
        rows = armature.motion_prompt_map.rows
        keys = {names.parse(bone.name).key: bone.name for bone in armature.bones}
        missed = []
        for joint in skeleton.JOINT_NAMES:
            if not joint.startswith("left_") or joint not in rows or not rows[joint].bone:
                continue
            other = _other_side(rows[joint].bone, armature, keys)
            if other is None:
                missed.append(rows[joint].bone)
            else:
                rows["right_" + joint.removeprefix("left_")].bone = other
        if missed:
            text = f"These bones have no counterpart by name: {', '.join(missed[:4])}. Choose those by hand."
            return refuse(self, Status("ERROR", text))
        return {"FINISHED"}


def _other_side(bone: str, armature: bpy.types.Armature, keys: dict[tuple[str, str], str]) -> str | None:
    flipped = bpy.utils.flip_name(bone)
    if flipped != bone and flipped in armature.bones:
        return flipped
    stem, side = names.parse(bone).key
    return keys.get((stem, {"L": "R", "R": "L"}.get(side, "")))


class MOTION_PROMPT_OT_map_pick(_OnArmature, bpy.types.Operator):
    """Take the active bone for this joint"""

    bl_idname = "motion_prompt.map_pick"
    bl_label = "Take the Active Bone"

    joint: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        target = _armature(context)
        return target is not None and target.data.bones.active is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = _armature(context).data
        armature.motion_prompt_map.rows[self.joint].bone = armature.bones.active.name
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_clear(_OnArmature, bpy.types.Operator):
    """Empty the table, to fill it by hand"""

    bl_idname = "motion_prompt.map_clear"
    bl_label = "Clear"

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig_map_table.fill(_armature(context).data, None)
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_forget(_OnArmature, bpy.types.Operator):
    """Drop the table, also what was remembered for such rigs; the add-on recognises the rig itself again"""

    bl_idname = "motion_prompt.map_forget"
    bl_label = "Forget"

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig_map_table.forget(_armature(context).data)
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_save(bpy.types.Operator):
    """Save the table as a JSON file, to share it"""

    bl_idname = "motion_prompt.map_save"
    bl_label = "Save..."

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _armature(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{bpy.path.clean_name(_armature(context).name)}.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = _armature(context).data
        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), ".json"))
        part = path.with_suffix(".part")
        try:
            mapping = rig_map_table.corrected(armature)
            if mapping is None:
                mapping = rig.bone_map(_armature(context))
            part.write_text(document.dumps(mapping, rig_map_table.parents_of(armature)), encoding="utf-8")
            part.replace(path)
        except ValueError as error:
            return refuse(self, Status("ERROR", f"{error} Nothing was saved."))
        except OSError as error:
            part.unlink(missing_ok=True)
            text = f"{path} cannot be written ({error.strerror}). Choose another folder."
            return refuse(self, Status("ERROR", text))
        session.set_status(Status("DONE", f"The rig map is in {path}."))
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_load(_OnArmature, bpy.types.Operator):
    """Load a table from a JSON file that was saved here"""

    bl_idname = "motion_prompt.map_load"
    bl_label = "Load..."

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        path = Path(bpy.path.abspath(self.filepath))
        try:
            mapping = document.loads(path.read_text(encoding="utf-8"), rig_map_table.parents_of(target.data))
        except (OSError, UnicodeDecodeError) as error:
            return refuse(self, Status("ERROR", f"{path} cannot be read: {error}"))
        except document.MapError as error:
            return refuse(self, Status("ERROR", f"{error} The table was left as it is."))
        rig_map_table.fill(target.data, mapping)
        return {"FINISHED"}


CLASSES = (
    MOTION_PROMPT_OT_map_detect,
    MOTION_PROMPT_OT_map_mirror,
    MOTION_PROMPT_OT_map_pick,
    MOTION_PROMPT_OT_map_clear,
    MOTION_PROMPT_OT_map_forget,
    MOTION_PROMPT_OT_map_save,
    MOTION_PROMPT_OT_map_load,
)
