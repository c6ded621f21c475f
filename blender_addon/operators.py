# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of the Motion tab."""

from __future__ import annotations

import random

import bpy
from bpy.props import BoolProperty, StringProperty

from . import apply, rig, unfit
from .character.build import add_character
from .preferences import log_path
from .properties import MAX_SEED, request_body, retarget_options
from .session import session
from .status import Status, UserError
from .tasks import Item, Task
from .writing import Writing


def place_for(context: bpy.types.Context, new_character: bool) -> apply.Place:
    """Where the next motion goes: the selected armature, checked, or a new character; from the current frame.

    Raises
    ------
    UserError
        If the selected armature cannot take it.
    """
    target = None if new_character else rig.selected_armature(context)
    options = retarget_options(context.scene.motion_prompt)
    if target is not None:
        unfit.refuse_unseen(target, context)
        rig.check_keys(target, rig.check(target), options)
    handle = rig.Handle.of(target) if target is not None else None
    writing = Writing.of(context.scene.motion_prompt.writing)
    return apply.Place(handle, context.scene.name, context.scene.frame_current, options, writing)


def refuse(operator: bpy.types.Operator, problem: Status) -> set[str]:
    """Show a problem in the tab and in Blender's own report, and end the operator."""
    session.set_status(problem)
    operator.report({"WARNING"}, problem.text)
    return {"CANCELLED"}


class MOTION_PROMPT_OT_generate(bpy.types.Operator):
    """Make keyframes from the prompt, on the selected armature or on a new character"""

    bl_idname = "motion_prompt.generate"
    bl_label = "Generate"

    new_character: BoolProperty(
        name="New Character", description="Add the default character instead of using the selection",
        options={"SKIP_SAVE"},
    )  # fmt: skip

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion_prompt
        prompt = " ".join(settings.prompt.split())
        if not prompt:
            problem = Status("ERROR", "The prompt is empty. Type what the character should do.")
            return refuse(self, problem)
        try:
            place = place_for(context, self.new_character)
        except UserError as error:
            return refuse(self, error.status())
        item = Item(request_body(settings, prompt), prompt)
        session.start(Task([item], place, "Motion Prompt: Generate"))
        return {"FINISHED"}


class MOTION_PROMPT_OT_cancel(bpy.types.Operator):
    """Stop the generation that runs"""

    bl_idname = "motion_prompt.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set("Nothing is being generated")
        return session.task is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.cancel()
        return {"FINISHED"}


class MOTION_PROMPT_OT_randomize_seed(bpy.types.Operator):
    """Take a random seed, for another version of the motion"""

    bl_idname = "motion_prompt.randomize_seed"
    bl_label = "Random Seed"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.motion_prompt.seed = random.randint(0, min(MAX_SEED, 999_999))
        return {"FINISHED"}


class MOTION_PROMPT_OT_restart_engine(bpy.types.Operator):
    """End the engine process and start a new one"""

    bl_idname = "motion_prompt.restart_engine"
    bl_label = "Restart Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.restart_engine()
        return {"FINISHED"}


class MOTION_PROMPT_OT_add_character(bpy.types.Operator):
    """Add the default character at the 3D cursor"""

    bl_idname = "motion_prompt.add_character"
    bl_label = "Add Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        add_character(context)
        return {"FINISHED"}


class MOTION_PROMPT_OT_place_again(bpy.types.Operator):
    """Put the finished motion on the selected armature or on a new character"""

    bl_idname = "motion_prompt.place_again"
    bl_label = "Place Motion"
    bl_options = {"INTERNAL"}

    new_character: BoolProperty(options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set("There is no motion that waits for a place; generate one")
        return session.unplaced is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            place = place_for(context, self.new_character)
        except UserError as error:
            return refuse(self, error.status())
        if place.target is None and not self.new_character:
            problem = Status("ERROR", "Select an armature first.", session.status.fixes)
            return refuse(self, problem)
        session.place_again(place)
        return {"FINISHED"}


class MOTION_PROMPT_OT_key_fk(bpy.types.Operator):
    """Choose the FK controls and put the motion on them"""

    bl_idname = "motion_prompt.key_fk"
    bl_label = "Key FK Controls"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.motion_prompt.controls = "FK"
        return go_on()


def go_on() -> set[str]:
    """Put a finished motion that found no place where it can go now, else generate again."""
    if session.unplaced is not None:
        return bpy.ops.motion_prompt.place_again()
    return bpy.ops.motion_prompt.generate()


class MOTION_PROMPT_OT_open_log(bpy.types.Operator):
    """Open the engine's messages in a text editor"""

    bl_idname = "motion_prompt.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = log_path()
        if not path.is_file():
            self.report({"INFO"}, "The engine has not written anything yet.")
            return {"CANCELLED"}
        text = bpy.data.texts.get("Motion Prompt Engine Log") or bpy.data.texts.new(
            "Motion Prompt Engine Log"
        )
        text.from_string(path.read_text(encoding="utf-8", errors="replace"))
        show_text(context, text)
        return {"FINISHED"}


class MOTION_PROMPT_OT_open_text(bpy.types.Operator):
    """Open this text in a text editor"""

    bl_idname = "motion_prompt.open_text"
    bl_label = "Open Text"
    bl_options = {"INTERNAL"}

    name: StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        text = bpy.data.texts.get(self.name)
        if text is None:
            self.report({"WARNING"}, f"There is no text '{self.name}' in this file any more.")
            return {"CANCELLED"}
        show_text(context, text)
        return {"FINISHED"}


def show_text(context: bpy.types.Context, text: bpy.types.Text) -> None:
    """Show a Text in a text editor: one that is open, else one in a new window."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "TEXT_EDITOR":
                area.spaces.active.text = text
                return
    if bpy.app.background:
        return
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.type = "TEXT_EDITOR"
    area.spaces.active.text = text


CLASSES = (
    MOTION_PROMPT_OT_generate,
    MOTION_PROMPT_OT_cancel,
    MOTION_PROMPT_OT_randomize_seed,
    MOTION_PROMPT_OT_restart_engine,
    MOTION_PROMPT_OT_add_character,
    MOTION_PROMPT_OT_place_again,
    MOTION_PROMPT_OT_key_fk,
    MOTION_PROMPT_OT_open_log,
    MOTION_PROMPT_OT_open_text,
)
