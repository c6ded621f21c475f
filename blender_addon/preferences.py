# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, and where it may write."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

PACKAGE = __package__ or ""


class MotionPromptPreferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    start_with_tab: BoolProperty(
        name="Start the Engine with the Tab",
        description="Start the engine in the background as soon as the Motion tab is shown, so that the first "
        "prompt need not wait for it",
        default=True,
    )
    enter_generates: BoolProperty(
        name="Enter Generates",
        description="Confirming a changed prompt starts the generation at once",
        default=True,
    )
    engine_python: StringProperty(
        name="Engine Python",
        description="For developers: another Python, with the engine's requirements installed, that runs the "
        "engine. Leave it empty to use Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "enter_generates")
        layout.prop(self, "start_with_tab")
        layout.prop(self, "engine_python")


class _Defaults:
    start_with_tab = False
    enter_generates = True
    engine_python = ""


def preferences() -> MotionPromptPreferences | _Defaults:
    """The user's preferences, or the defaults where the package is used without being an enabled add-on."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None and addon.preferences is not None else _Defaults()


def log_path() -> Path:
    """File for the engine's messages, in the folder that Blender gives to extensions."""
    try:
        folder = Path(bpy.utils.extension_path_user(PACKAGE, path="logs", create=True))
    except ValueError:  # not installed as an extension
        folder = Path(tempfile.gettempdir()) / "motion_prompt"
    return folder / "engine.log"


CLASSES = (MotionPromptPreferences,)
