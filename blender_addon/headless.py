# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate from a script, without the interface: waits until the keys are written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import bpy

from . import apply, rig, unfit
from .properties import request_body, retarget_options
from .retarget.options import Controls
from .session import pump, session
from .status import UserError
from .tasks import Item, Task
from .writing import Writing


def generate(
    prompt: str,
    *,
    duration: float = 4.0,
    seed: int = 0,
    count: int = 1,
    sampler: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    armature: bpy.types.Object | None = None,
    start: int | None = None,
    name: str | None = None,
    controls: Controls | None = None,
    timeout: float = 300.0,
    on_progress: Callable[[float], None] | None = None,
) -> list[bpy.types.Action]:
    """Make Actions from a prompt; the add-on must be registered.

    Parameters
    ----------
    prompt : what the character does.
    duration, seed, count, sampler, steps, guidance : as in the Motion tab; other settings come from the scene.
    armature : the armature to animate; None adds the default character.
    start : first frame; None for the current one.
    name : name of the Action; None for the prompt.
    controls : "FK" or "IK" for a control rig; None for what the scene's tab says.
    timeout : seconds to wait for.
    on_progress : called with the fraction that is done.

    Returns
    -------
    The Actions, the first one assigned to the armature.

    Raises
    ------
    UserError
        With the sentence that the tab would show.
    TimeoutError
        If it takes longer than ``timeout``.
    """
    scene = bpy.context.scene
    if not prompt.strip():
        raise UserError("The prompt is empty. Type what the character should do.")
    options = retarget_options(scene.motion_prompt)
    if controls is not None:
        options = replace(options, controls=controls)
    if armature is not None:
        unfit.refuse_unseen(armature, bpy.context)
        rig.check_keys(armature, rig.check(armature), options)
    handle = rig.Handle.of(armature) if armature is not None else None
    first = scene.frame_current if start is None else start
    place = apply.Place(handle, scene.name, first, options, Writing.of(scene.motion_prompt.writing))
    body = request_body(
        scene.motion_prompt, prompt, duration=duration, seed=seed, count=count, sampler=sampler, steps=steps,
        guidance=guidance,
    )  # fmt: skip
    task = Task([Item(body, name or prompt)], place, "Motion Prompt: Generate")
    session.start(task)
    deadline = time.monotonic() + timeout
    while pump():
        if on_progress is not None:
            on_progress(session.progress)
        if time.monotonic() > deadline:
            session.cancel()
            raise TimeoutError(f"'{prompt}' was not done after {timeout:g} seconds.")
        time.sleep(0.005)
    if session.status.kind == "ERROR" or not task.made:
        raise UserError(session.status.text, list(session.status.fixes))
    return [bpy.data.actions[made] for made in task.made]
