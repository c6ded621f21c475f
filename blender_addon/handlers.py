# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when another file is opened."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from .captions import describe, find
from .session import session
from .status import Status


@persistent
def before_load(*_: Any) -> None:
    """A motion for an armature of the old file has no place in the new one."""
    running = session.task is not None
    session.cancel()
    session.end_runs(keep=False)
    session.unplaced = None
    describe.problems.clear()
    find.forget()
    text = "The generation was cancelled, because another file was opened." if running else ""
    session.status = Status("INFO", text)


def register() -> None:
    bpy.app.handlers.load_pre.append(before_load)


def unregister() -> None:
    if before_load in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(before_load)
