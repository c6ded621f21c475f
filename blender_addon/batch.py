# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch: one Action a line of a text, in the format of ``motion-prompt batch``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import StringProperty

from motion_engine.batch import BatchError, BatchItem, decode_batch, parse_batch

from .operators import place_for, refuse
from .properties import MotionPromptSettings, request_body
from .session import session
from .status import Fix, Status, UserError
from .tasks import Item, Task


def items_of(settings: MotionPromptSettings, lines: list[BatchItem]) -> list[Item]:
    """Requests for the lines; what a line leaves open comes from the settings of the tab."""
    return [
        Item(
            request_body(
                settings, line.prompt, duration=line.duration, seed=line.seed, count=line.count,
                sampler=line.sampler, steps=line.steps, guidance=line.guidance, tries=line.tries,
            ),
            line.name or line.prompt,
        )
        for line in lines
    ]  # fmt: skip


def read_source(text: str, filepath: str) -> tuple[str, str]:
    """Content and name of the source: the named Text of the file, else the file on disk.

    Raises
    ------
    UserError
        If it is not there or not text.
    """
    if text:
        block = bpy.data.texts.get(text)
        if block is None:
            raise UserError(f"There is no text '{text}' in this file.")
        return block.as_string(), block.name
    path = Path(bpy.path.abspath(filepath))
    try:
        return decode_batch(path.read_bytes()), path.name
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise UserError(f"'{path.name}': {error}.") from None


def bad_lines(errors: list[BatchError], text: str, filepath: str) -> Status:
    """The sentence about lines that cannot be used, with a button that opens them."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    open_it = Fix("Open Text", "motion_prompt.open_text", {"name": text}, "TEXT")
    if not text:
        open_it = Fix("Open File", "motion_prompt.open_batch_file", {"filepath": filepath}, "TEXT")
    return Status("ERROR", f"Line {first.line} was left out: {first.message}{more}.", (open_it,))


class MOTION_PROMPT_OT_batch(bpy.types.Operator):
    """Make one action for each line of a text: a prompt, then fields such as | duration=3 | seed=5 | name=sit"""

    bl_idname = "motion_prompt.batch"
    bl_label = "Run Batch"

    text: StringProperty(name="Text", description="Name of a Text of this file", options={"SKIP_SAVE"})
    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.txt;*.csv", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        settings = context.scene.motion_prompt
        if not self.text and not self.filepath:
            if settings.batch_text is not None:
                self.text = settings.batch_text.name
            else:
                self.filepath = settings.batch_file
        if self.text or self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion_prompt
        try:
            if not self.text and not self.filepath:
                raise UserError("Choose a text or a file with one prompt a line first.")
            content, name = read_source(self.text, self.filepath)
            lines, errors = parse_batch(content)
            notes = [bad_lines(errors, self.text, self.filepath)] if errors else []
            if not lines:
                text = notes[0].text if notes else "It needs one prompt a line."
                raise UserError(f"'{name}' has no prompt that can be used. {text}",
                                list(notes[0].fixes) if notes else [])  # fmt: skip
            place = place_for(context, new_character=False)
            place = replace(place, writing=place.writing.for_batch())
        except UserError as error:
            return refuse(self, error.status())
        session.start(Task(items_of(settings, lines), place, "Motion Prompt: Batch", notes))
        return {"FINISHED"}


class MOTION_PROMPT_OT_open_batch_file(bpy.types.Operator):
    """Open the file as a Text of this .blend"""

    bl_idname = "motion_prompt.open_batch_file"
    bl_label = "Open File"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        from .operators import show_text

        try:
            text = bpy.data.texts.load(bpy.path.abspath(self.filepath))
        except RuntimeError as error:
            return refuse(self, Status("ERROR", f"The file cannot be opened: {error}"))
        show_text(context, text)
        return {"FINISHED"}


CLASSES = (MOTION_PROMPT_OT_batch, MOTION_PROMPT_OT_open_batch_file)
