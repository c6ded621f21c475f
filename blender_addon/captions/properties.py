# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the Library panel, kept in the scene as ``scene.motion_prompt.captions``."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import action_list, find
from .describe import Options

_MARKERS = (
    ("POSE", "On the Action", "Pose markers of the action say what happens from where on in a long clip"),
    ("TIMELINE", "On the Timeline", "Markers of the scene say what happens from where on in a long clip"),
    ("NONE", "None", "Long clips get their summary only"),
)


class MotionPromptCaptions(bpy.types.PropertyGroup):
    find: StringProperty(
        name="Find", description="Rank the file's actions by words: 'someone sits down'", update=find.changed,
        options={"TEXTEDIT_UPDATE", "SKIP_SAVE"},
    )  # fmt: skip
    picked: IntProperty(
        name="Action", description="The action that is shown; a click gives it to the armature that it fits",
        get=action_list.get_picked, set=action_list.set_picked, options={"SKIP_SAVE"},
    )  # fmt: skip
    count: IntProperty(
        name="Sentences", description="How many sentences to choose from for each action", default=3, min=1, max=5,
        options=set(),
    )  # fmt: skip
    rename: BoolProperty(
        name="Name from Caption", description="Name the action (or the NLA strip) by its sentence", default=False,
        options=set(),
    )  # fmt: skip
    asset: BoolProperty(
        name="Mark as Asset", description="Make the action an asset, with the sentence as description, and tags",
        default=False, options=set(),
    )  # fmt: skip
    markers: EnumProperty(name="Markers", items=_MARKERS, default="POSE", options=set())
    strength: FloatProperty(
        name="Strength", description="How far a variation goes from the action: 0 gives it back, 1 keeps nothing of it",
        default=0.4, min=0.0, max=1.0, subtype="FACTOR", options=set(),
    )  # fmt: skip

    def written(self) -> Options:
        """What is written besides the sentence."""
        return Options(self.rename, self.asset, self.markers)


CLASSES = (MotionPromptCaptions,)


def register() -> None:
    bpy.types.Action.motion_prompt_use = BoolProperty(
        name="Caption", description="Caption this action with the others that are ticked", default=True
    )


def unregister() -> None:
    del bpy.types.Action.motion_prompt_use
