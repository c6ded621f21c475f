# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion Prompt: type a sentence, get keyframes on your own character.

The road of a prompt: `panels` -> `operators` -> `session` -> `engine.worker` == HTTP == the engine, and back:
`session` -> `apply` -> `rig` -> `retarget.solver` -> `keyframes`. That of a caption is in `captions`.
"""

from __future__ import annotations

import atexit

import bpy

from . import (
    advanced_panel,
    batch,
    batch_panel,
    export,
    handlers,
    model_operators,
    operators,
    panels,
    preferences,
    properties,
    rig_map_operators,
    rig_map_panel,
    rig_map_table,
    root_panel,
    takes,
    writing,
    writing_panel,
)
from .captions import action_list as caption_list
from .captions import again as caption_again
from .captions import operators as caption_operators
from .captions import panel as caption_panel
from .captions import properties as caption_properties
from .sampling import portions
from .session import remove_timer, session

_MODULES = (
    preferences, takes, writing, rig_map_table, caption_properties, caption_list, properties, operators,
    model_operators, rig_map_operators, batch, export, caption_operators, caption_again, panels, caption_panel,
    writing_panel, root_panel, rig_map_panel, batch_panel, advanced_panel,
)  # fmt: skip
_CLASSES = tuple(cls for module in _MODULES for cls in module.CLASSES)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    rig_map_table.register()
    handlers.register()
    export.register()
    portions.register()
    caption_properties.register()
    caption_operators.register()
    session.on_change[:] = [panels.redraw]
    # Blender disables its add-ons at the end; the bpy module leaves that to us, and crashes over what is left
    atexit.register(unregister)


def unregister() -> None:
    atexit.unregister(unregister)
    remove_timer()
    session.stop()
    session.on_change.clear()
    caption_operators.unregister()
    caption_properties.unregister()
    portions.unregister()
    export.unregister()
    handlers.unregister()
    rig_map_table.unregister()
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
