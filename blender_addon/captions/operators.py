# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons that find sentences for Actions and choose among them."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from .. import models, rig
from ..operators import refuse
from ..session import session
from ..status import Status, UserError
from . import action_list, describe, sources
from .caption_run import CaptionRun
from .clip_run import ClipRun
from .sources import Source

_WHAT = (
    ("TICKED", "Ticked Actions", "The actions with a tick in the list"),
    (
        "SELECTED",
        "Selection",
        "What is selected: actions in the Outliner, strips in the NLA Editor, else armatures",
    ),
    ("PICKED", "This Action", "The action that is shown"),
)


def running() -> CaptionRun | None:
    """The captions that are being found now."""
    return next((run for run in session.runs if isinstance(run, CaptionRun)), None)


def cannot(task: str, what: str) -> str:
    """Why the chosen model cannot do a task; empty where it can, or where that is not known yet.

    Where no model is chosen the engine takes one that can.
    """
    name = bpy.context.scene.motion_prompt.bundle
    bundle, every = models.known(name), session.health.get("bundles", ())
    able = [models.title(other) for other in every if task in other["tasks"]]
    if bundle is None or task in bundle["tasks"] or (able and name in {"AUTO", ""}):
        return ""
    choose = (
        f"Choose '{able[0]}' under Advanced > Model." if able else "Add a model that can, under Advanced."
    )
    return f"The model '{bundle['title']}' cannot {what}. {choose}"


def chosen(context: bpy.types.Context, what: str) -> list[Source]:
    """The animations that the user means.

    Raises
    ------
    UserError
        If there are none; the sentence says how to choose some.
    """
    if what == "PICKED":
        action = action_list.picked()
        if action is None:
            raise UserError("No action is shown. Click one in the list first.")
        return sources.of_actions([action])
    if what == "TICKED":
        found = sources.of_actions(action_list.ticked())
        if not found:
            text = "tick some in the list" if len(bpy.data.actions) else "generate, key or append one"
            raise UserError(f"No action is ticked. First {text}.")
        return found
    actions = [item for item in getattr(context, "selected_ids", ()) if isinstance(item, bpy.types.Action)]
    if actions:
        return sources.of_actions(actions)
    armatures = sources.selected_armatures(context)
    if context.area is not None and context.area.type == "NLA_EDITOR":
        strips = sources.of_strips(
            (item for item in bpy.data.objects if item.type == "ARMATURE"), selected_only=True
        )
        if strips:
            return strips
    return sources.of_armatures(armatures)


class MOTION_PROMPT_OT_caption(bpy.types.Operator):
    """Find a sentence for animations, and keep it in the actions; Esc cancels and changes nothing"""

    bl_idname = "motion_prompt.caption"
    bl_label = "Caption"

    what: EnumProperty(name="What", items=_WHAT, default="TICKED", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        text = (
            "Captions are being found already." if running() else cannot("motion_to_text", "describe motions")
        )
        cls.poll_message_set(text or "There is nothing to caption.")
        return not text

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion_prompt.captions
        try:
            found = chosen(context, self.what)
        except UserError as error:
            return refuse(self, error.status())
        preferred = [rig.Handle.of(target) for target in sources.selected_armatures(context)]
        self._run = CaptionRun(found, preferred, settings.written(), settings.count)
        session.set_status(Status("INFO", ""))
        session.begin(self._run)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        ended = self.execute(context)
        if ended != {"FINISHED"} or context.window is None:
            return ended
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for Esc; everything else goes on as ever."""
        if self._run.over:
            return {"FINISHED", "PASS_THROUGH"}
        if event.type == "ESC" and event.value == "PRESS":
            stop(self._run, keep=False)
            session.set_status(Status("INFO", "Cancelled. Nothing was changed."))
            return {"CANCELLED"}
        return {"PASS_THROUGH"}


def stop(run: ClipRun, keep: bool = True) -> None:
    """End a run; what is done is kept unless ``keep`` says otherwise."""
    run.cancel(keep)
    if run in session.runs:
        session.runs.remove(run)
    session.show()


class MOTION_PROMPT_OT_caption_cancel(bpy.types.Operator):
    """Stop looking through the actions; what is done is kept"""

    bl_idname = "motion_prompt.caption_cancel"
    bl_label = "Stop"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return any(isinstance(run, ClipRun) for run in session.runs)

    def execute(self, context: bpy.types.Context) -> set[str]:
        for run in [run for run in session.runs if isinstance(run, ClipRun)]:
            stop(run)
        return {"FINISHED"}


class MOTION_PROMPT_OT_choose_caption(bpy.types.Operator):
    """Take this sentence for the action; its name follows where it was the sentence"""

    bl_idname = "motion_prompt.choose_caption"
    bl_label = "Take This Sentence"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    index: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        action = action_list.picked()
        return action is not None and action.library is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        action = action_list.picked()
        if not 0 <= self.index < len(describe.lines_of(action, describe.OTHERS)):
            return refuse(self, Status("ERROR", f"'{action.name}' has no such sentence any more."))
        action_list.pick(action)
        describe.choose(action, self.index)
        return {"FINISHED"}


class MOTION_PROMPT_OT_tick(bpy.types.Operator):
    """Set the ticks of the list"""

    bl_idname = "motion_prompt.tick"
    bl_label = "Tick"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    which: EnumProperty(
        items=(
            ("ALL", "All", "Tick all actions"),
            ("NONE", "None", "Tick no action"),
            ("NEW", "Without Caption", "Tick the actions that have no caption yet"),
        ),
        options={"SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set("This file has no actions.")
        return len(bpy.data.actions) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        for action in bpy.data.actions:
            if action.library is None:
                action.motion_prompt_use = {
                    "ALL": True, "NONE": False, "NEW": not describe.caption_of(action),
                }[self.which]  # fmt: skip
        return {"FINISHED"}


def _draw_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator("motion_prompt.caption", text="Caption Motion", icon="TEXT").what = "SELECTED"


_MENUS = ("NLA_MT_context_menu", "OUTLINER_MT_context_menu", "OUTLINER_MT_object")

CLASSES = (
    MOTION_PROMPT_OT_caption,
    MOTION_PROMPT_OT_caption_cancel,
    MOTION_PROMPT_OT_choose_caption,
    MOTION_PROMPT_OT_tick,
)


def register() -> None:
    for name in _MENUS:
        if hasattr(bpy.types, name):
            getattr(bpy.types, name).append(_draw_menu)


def unregister() -> None:
    for name in _MENUS:
        if hasattr(bpy.types, name):
            getattr(bpy.types, name).remove(_draw_menu)
