# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons that add a model from a zip, choose it, and remove it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import bpy
from bpy.props import StringProperty

from .models import NOT_FOR_SALE, known, title
from .operators import refuse
from .session import session
from .status import Fix, Status
from .tasks import Errand

_ANOTHER_FILE = Fix("Choose a File", "motion_prompt.add_model", {}, "FILEBROWSER")


def _choose(name: str, instead_of: str) -> None:
    """Let the scenes that use one model use another."""
    for scene in bpy.data.scenes:
        if scene.motion_prompt.bundle == instead_of:
            scene.motion_prompt.bundle = name


def _added(reply: dict[str, Any]) -> Status:
    bundle = reply["added"]
    text = f"The model '{bundle['title']}' was added. Licence: {bundle['licence']}."
    if not bundle["commercial"]:
        text += f" It is non-commercial: {NOT_FOR_SALE[0].lower()}{NOT_FOR_SALE[1:]}."
    use = Fix("Use This Model", "motion_prompt.use_model", {"name": bundle["name"]}, "CHECKMARK")
    return Status("DONE", text, (use,))


def _removed(reply: dict[str, Any]) -> Status:
    return Status("DONE", f"The model '{reply['removed']}' was removed.")


class MOTION_PROMPT_OT_add_model(bpy.types.Operator):
    """Add a model from its zip. It is checked first, and kept with your user data for every file"""

    bl_idname = "motion_prompt.add_model"
    bl_label = "Add Model..."

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.zip", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.errand is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            text = f"There is no file '{self.filepath}'. Choose the zip of a model."
            return refuse(self, Status("ERROR", text, (_ANOTHER_FILE,)))
        body = {"path": str(path.resolve())}
        session.send(
            Errand("POST", "/v1/bundles", body, f"Adding {path.name}", _added, fixes=(_ANOTHER_FILE,))
        )
        return {"FINISHED"}


class MOTION_PROMPT_OT_remove_model(bpy.types.Operator):
    """Delete this model from your user data. Clips that were made with it stay as they are"""

    bl_idname = "motion_prompt.remove_model"
    bl_label = "Remove Model"

    name: StringProperty(name="Model", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.errand is None and session.task is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self, event, title="Remove Model", confirm_text="Remove",
            message=f"Delete the model '{self.name}' from your user data?",
        )  # fmt: skip

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.name:
            return refuse(self, Status("ERROR", "No model was named. Nothing was removed."))
        _choose("AUTO", instead_of=self.name)
        address = f"/v1/bundles/{quote(self.name, safe='')}"
        session.send(Errand("DELETE", address, None, f"Removing {self.name}", _removed))
        return {"FINISHED"}


class MOTION_PROMPT_OT_use_model(bpy.types.Operator):
    """Choose this model for the prompts of this scene"""

    bl_idname = "motion_prompt.use_model"
    bl_label = "Use This Model"
    bl_options = {"INTERNAL"}

    name: StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        bundle = known(self.name)
        if bundle is None:
            return refuse(self, Status("ERROR", f"There is no model '{self.name}' any more."))
        context.scene.motion_prompt.bundle = self.name
        session.set_status(Status("INFO", f"{title(bundle)} is used from now on."))
        return {"FINISHED"}


CLASSES = (MOTION_PROMPT_OT_add_model, MOTION_PROMPT_OT_remove_model, MOTION_PROMPT_OT_use_model)
