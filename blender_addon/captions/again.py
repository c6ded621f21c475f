# SPDX-License-Identifier: GPL-3.0-or-later
"""From an Action to new ones: its sentence edited, a variation of it, or a surprise."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import IntProperty

from .. import apply, rig
from ..operators import place_for, refuse
from ..properties import request_body
from ..sampling.portions import Portions, Readers
from ..session import session
from ..status import Status, UserError
from ..tasks import Item, Task
from . import action_list
from .clip_run import PORTION_SECONDS, encoded
from .describe import caption_of, said_of
from .operators import cannot
from .scan import Scan, thinned
from .sources import ActionHandle, Source
from .strips import strip_captions


def _sentence(action: bpy.types.Action, strip: int) -> tuple[str, float]:
    """The sentence of an Action and its frames, or those of one of its strips; an empty one where it has none."""
    if strip < 0:
        first, last = action.frame_range
        return caption_of(action), float(last - first)
    found = strip_captions(action)[strip : strip + 1]
    return (found[0].text, found[0].shown.frames) if found else ("", 0.0)


class MOTION_PROMPT_OT_edit_caption(bpy.types.Operator):
    """Put the sentence into the prompt: change its words, then Generate makes a new take as long as the action"""

    bl_idname = "motion_prompt.edit_caption"
    bl_label = "Edit and Regenerate"
    bl_options = {"REGISTER", "UNDO"}

    strip: IntProperty(
        name="Strip", description="Which of the sentences of the action's strips; -1 for the action's own",
        default=-1, min=-1, options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        action = action_list.picked()
        cls.poll_message_set("Caption the action first: its sentence is what you edit.")
        return action is not None and bool(said_of(action))

    def execute(self, context: bpy.types.Context) -> set[str]:
        action = action_list.picked()
        settings, render = context.scene.motion_prompt, context.scene.render
        # with none of its own, the sentence of its first strip is the one to edit
        at = 0 if self.strip < 0 and not caption_of(action) else self.strip
        sentence, frames = _sentence(action, at)
        if not sentence:
            return refuse(self, Status("ERROR", f"'{action.name}' has no such sentence any more."))
        try:
            target = action_list.play(context, action)
        except UserError as error:
            return refuse(self, error.status())
        none_selected = rig.selected_armature(context) is None and context.mode == "OBJECT"
        if target is not None and none_selected and context.view_layer.objects.get(target.name) == target:
            target.select_set(True)
            context.view_layer.objects.active = target
        seconds = frames * render.fps_base / render.fps
        longest = settings.bl_rna.properties["duration"]
        settings.prompt = sentence
        settings.duration = min(max(seconds, longest.hard_min), longest.hard_max)
        text = "Change the words in the prompt, then press Generate."
        if seconds > longest.hard_max:
            what = f"'{action.name}'" if at < 0 else "The strip"
            text += f" {what} is {seconds:.1f} s long; the new take gets {longest.hard_max:.1f} s."
        session.set_status(Status("INFO", text))
        return {"FINISHED"}


class VariationRun:
    """Reads one Action in portions, then has the engine make similar motions."""

    def __init__(self, source: Source, place: apply.Place, body: dict[str, Any], strength: float) -> None:
        assert source.target is not None
        self._source, self._place, self._body, self._strength = source, place, body, strength
        self._scan = Scan(source)
        self._scanned = False
        self._readers = Readers()
        self._portions = Portions(self._readers, source.target, source.find, source.title, thinned)

    def step(self) -> bool:
        """Read a portion."""
        try:
            if not self._scanned:
                self._scanned = self._scan.step(PORTION_SECONDS)
                return True
            if not self._portions.step(PORTION_SECONDS):
                return True
            self._readers.close()
            clip = encoded(self._portions)
        except (UserError, ValueError) as error:
            self._readers.close()
            text = getattr(error, "text", f"'{self._source.title}' cannot be read: {error}")
            session.set_status(Status("ERROR", text))
            return False
        self._body["variation"] = {"clip": clip, "strength": self._strength}
        item = Item(self._body, f"{self._source.title} variation")
        session.start(Task([item], self._place, "Motion Prompt: Variation"))
        return False

    def take(self, number: int, event: object) -> bool:
        """It asks the engine for nothing itself."""
        return False

    def cancel(self, keep: bool = True) -> None:
        """Read no more."""
        self._readers.close()


class MOTION_PROMPT_OT_variation(bpy.types.Operator):
    """Make takes that are like the action of the selected armature, as far from it as the strength says"""

    bl_idname = "motion_prompt.variation"
    bl_label = "Variation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        text = cannot("variation", "make variations")
        if not text and action_list.picked() is None:
            text = "Click an action in the list, or select an armature that plays one."
        if not text and (
            session.task is not None or any(isinstance(run, VariationRun) for run in session.runs)
        ):
            text = "Something is being generated already."
        cls.poll_message_set(text or "There is nothing to vary.")
        return not text

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion_prompt
        action = action_list.picked()
        try:
            target = action_list.play(context, action)
            if target is None:
                raise UserError(f"'{action.name}' moves no bones, so there is no motion to vary.")
            if rig.selected_armature(context) != target:
                raise UserError(
                    f"Select '{target.name}' first: the variations are put on the selected armature."
                )
            place = place_for(context, new_character=False)
        except UserError as error:
            return refuse(self, error.status())
        body = request_body(settings, caption_of(action))
        source = Source(ActionHandle.of(action), rig.Handle.of(target))
        session.set_status(Status("INFO", ""))
        session.begin(VariationRun(source, place, body, settings.captions.strength))
        return {"FINISHED"}


class MOTION_PROMPT_OT_surprise(bpy.types.Operator):
    """Have the model think of a motion and its sentence, on the selected armature or on a new character"""

    bl_idname = "motion_prompt.surprise"
    bl_label = "Surprise Me"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        text = cannot("joint", "think of motions by itself")
        if not text and session.task is not None:
            text = "Something is being generated already."
        cls.poll_message_set(text or "There is nothing to make.")
        return not text

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion_prompt
        try:
            place = place_for(context, new_character=False)
        except UserError as error:
            return refuse(self, error.status())
        # the sampler and its settings are those of the joint model
        body = request_body(settings, "") | {
            "surprise": True,
            "sampler": None,
            "steps": None,
            "guidance": None,
        }
        bpy.ops.motion_prompt.randomize_seed()
        body["seed"] = settings.seed
        session.start(Task([Item(body, "")], place, "Motion Prompt: Surprise Me"))
        return {"FINISHED"}


CLASSES = (
    MOTION_PROMPT_OT_edit_caption,
    MOTION_PROMPT_OT_variation,
    MOTION_PROMPT_OT_surprise,
)
