# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of the rig map's table."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import StringProperty

from motion_engine import skeleton

from . import rig, rig_map_table
from .operators import go_on, refuse
from .rig_maps import document, names
from .session import session
from .status import Fix, Status

MIRRORED = 0.02
"""Share of the rig's size by which a bone may miss the mirror image of its counterpart."""

OPEN_MAP = Fix("Open Rig Map", "motion_prompt.open_rig_map", {}, "PRESET")


def _armature(context: bpy.types.Context) -> bpy.types.Object | None:
    target = rig.selected_armature(context)
    return target if target is not None and target.data.library is None else None


class _OnArmature:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set(
            "Select an armature of this file; the bones of a linked one are mapped where it is from"
        )
        return _armature(context) is not None


class MOTION_PROMPT_OT_map_show(_OnArmature, bpy.types.Operator):
    """Show which bone is taken for which joint, to correct it"""

    bl_idname = "motion_prompt.map_show"
    bl_label = "Show and Correct"

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        try:
            mapping = rig.bone_map(target)
        except ValueError:
            mapping = rig.recognition(target).mapping
        rig_map_table.fill(target.data, mapping)
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_detect(_OnArmature, bpy.types.Operator):
    """Fill the table anew with what the add-on thinks each bone is"""

    bl_idname = "motion_prompt.map_detect"
    bl_label = "Detect"

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        rig_map_table.fill(target.data, rig.recognition(target).mapping)
        return {"FINISHED"}


class MOTION_PROMPT_OT_map_use(_OnArmature, bpy.types.Operator):
    """Take the best guess for this rig, and make the motion with it"""

    bl_idname = "motion_prompt.map_use"
    bl_label = "Use This Guess"

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        guess = rig.recognition(target).mapping
        if not rig_map_table.is_usable(target.data, guess):
            text = f"'{target.name}' is too strange for a guess. Choose its bones in the rig map."
            return refuse(self, Status("ERROR", text, (OPEN_MAP,)))
        rig_map_table.fill(target.data, guess)
        if session.unplaced is not None or context.scene.motion_prompt.prompt.strip():
            return go_on()
        session.set_status(Status("DONE", f"'{target.name}': {rig_map_table.in_words(guess.family)}."))
        return {"FINISHED"}


class MOTION_PROMPT_OT_open_rig_map(bpy.types.Operator):
    """Show the table of joints and bones"""

    bl_idname = "motion_prompt.open_rig_map"
    bl_label = "Open Rig Map"
    bl_options = {"UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = _armature(context)
        if target is None:
            return refuse(self, Status("ERROR", "Select the armature first."))
        if not len(target.data.motion_prompt_map.rows):
            bpy.ops.motion_prompt.map_show()
        if bpy.app.background:
            return {"FINISHED"}
        return bpy.ops.wm.call_panel(name="MOTION_PROMPT_PT_rig_map", keep_open=True)


class MOTION_PROMPT_OT_map_mirror(_OnArmature, bpy.types.Operator):
    """Fill the right side of the table from the left one, by the names of the bones or else by their places"""

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
            row = rows["right_" + joint.removeprefix("left_")]
            other = _other_side(rows[joint].bone, armature, keys)
            if other is None:
                other = _mirror_image(rows[joint].bone, armature)
                # a place alone is no reason to take the bone of another joint
                other = None if any(one.bone == other and one != row for one in rows) else other
            if other is None:
                missed.append(rows[joint].bone)
            else:
                row.bone = other
        if missed:
            text = f"These bones have no counterpart on the right: {', '.join(missed[:4])}. Choose those by hand."
            return refuse(self, Status("ERROR", text))
        return {"FINISHED"}


def _other_side(bone: str, armature: bpy.types.Armature, keys: dict[tuple[str, str], str]) -> str | None:
    flipped = bpy.utils.flip_name(bone)
    if flipped != bone and flipped in armature.bones:
        return flipped
    side, stem = names.parse(bone).key
    return keys.get(("right" if side == "left" else "left", stem)) if side else None


def _mirror_image(bone: str, armature: bpy.types.Armature) -> str | None:
    """The bone that starts where the mirror image of ``bone`` would, across the plane X = 0."""
    heads = np.array([other.head_local for other in armature.bones])
    at = heads[armature.bones.find(bone)]
    away = np.linalg.norm(heads - at * (-1.0, 1.0, 1.0), axis=-1)
    nearest = int(away.argmin())
    found = armature.bones[nearest].name
    near = away[nearest] < MIRRORED * np.linalg.norm(np.ptp(heads, axis=0))
    return found if near and found != bone else None


class MOTION_PROMPT_OT_map_pick(_OnArmature, bpy.types.Operator):
    """Take the active bone for this joint"""

    bl_idname = "motion_prompt.map_pick"
    bl_label = "Take the Active Bone"

    joint: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        target = _armature(context)
        cls.poll_message_set(
            "Click a bone in the viewport in Pose Mode first, then press this beside its joint"
        )
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
    bl_label = "Forget This Map"

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
        session.set_status(Status("DONE", f"'{target.name}' uses the rig map of {path.name}."))
        return {"FINISHED"}


CLASSES = (
    MOTION_PROMPT_OT_map_show,
    MOTION_PROMPT_OT_map_use,
    MOTION_PROMPT_OT_open_rig_map,
    MOTION_PROMPT_OT_map_detect,
    MOTION_PROMPT_OT_map_mirror,
    MOTION_PROMPT_OT_map_pick,
    MOTION_PROMPT_OT_map_clear,
    MOTION_PROMPT_OT_map_forget,
    MOTION_PROMPT_OT_map_save,
    MOTION_PROMPT_OT_map_load,
)
