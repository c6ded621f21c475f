# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and caption from a script, without the interface: waits until the keys or the captions are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import bpy

from . import apply, rig, unfit
from .captions import sources
from .captions.caption_run import CaptionRun
from .captions.describe import Options, Part
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
    tries: int | None = None,
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
    duration, seed, count, sampler, steps, guidance, tries : as in the Motion tab; other settings come from the scene.
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
        guidance=guidance, tries=tries,
    )  # fmt: skip
    task = Task([Item(body, name or prompt)], place, "Motion Prompt: Generate")
    session.start(task)
    if not _waited(lambda: session.task is task, lambda: session.progress, timeout, on_progress):
        session.cancel()
        raise TimeoutError(f"'{prompt}' was not done after {timeout:g} seconds.")
    if session.status.kind == "ERROR" or not task.made:
        raise UserError(session.status.text, list(session.status.fixes))
    return [bpy.data.actions[made] for made in task.made]


@dataclass(frozen=True)
class Captioned:
    """What was found for one animation.

    Attributes
    ----------
    name : of the Action or NLA strip, before it was renamed.
    action : the Action, also of a strip.
    text : the sentence; empty where there is none.
    others : further sentences, the best first.
    tags : words for the asset browser.
    parts : what happens when in a long clip, in seconds.
    problem : why there is no sentence; empty where there is one.
    """

    name: str
    action: bpy.types.Action | None
    text: str = ""
    others: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    problem: str = ""


def caption(
    animations: Iterable[bpy.types.Action | bpy.types.NlaStrip | bpy.types.Object] | None = None,
    *,
    count: int = 3,
    write: bool = True,
    rename: bool = False,
    asset: bool = False,
    markers: str = "POSE",
    armature: bpy.types.Object | None = None,
    timeout: float = 3600.0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Captioned]:
    """Find sentences for animations; the add-on must be registered.

    Parameters
    ----------
    animations : Actions, NLA strips, or armatures, which stand for what they play; None for all Actions of the file.
    count : how many sentences to choose from, 1 to 5.
    write : whether the file keeps them; without, nothing in it changes.
    rename, asset, markers : as in the panel's Caption Options; ``markers`` is "POSE", "TIMELINE" or "NONE".
    armature : read Actions on this armature where its bones fit; by default on the one that they fit best.
    timeout : seconds to wait for; what is done by then is kept.
    on_progress : called with the fraction that is done.

    Returns
    -------
    One entry an animation, in their order. One that cannot be described has a ``problem``, the others go on.

    Raises
    ------
    UserError
        If there is nothing to caption, or no engine or model that can.
    TimeoutError
        If it takes longer than ``timeout``.
    """
    if markers not in {"POSE", "TIMELINE", "NONE"}:
        raise UserError(f"markers='{markers}' is unknown. Use 'POSE', 'TIMELINE' or 'NONE'.")
    wanted = _sources(bpy.data.actions if animations is None else animations)
    if not wanted:
        raise UserError("There is no action to caption.")
    preferred = [rig.Handle.of(armature)] if armature is not None else []
    run = CaptionRun(wanted, preferred, Options(rename, asset, markers) if write else None, count)
    session.begin(run)
    if not _waited(lambda: not run.over, lambda: run.fraction, timeout, on_progress):
        run.cancel()
        session.runs.remove(run)
        raise TimeoutError(f"{len(run.found)} of {len(wanted)} captions were found in {timeout:g} seconds.")
    if run.stopped:
        raise UserError(session.status.text if run.stopped == "Cancelled." else run.stopped)
    found = dict(run.found)
    results = []
    for source in wanted:
        result = Captioned(source.title, source.action.find(), problem=run.problems.get(source, ""))
        if source in found and not result.problem:
            best = found[source]
            result = replace(result, text=best.text, others=best.others, tags=best.tags, parts=best.parts)
        results.append(result)
    return results


def _sources(
    animations: Iterable[bpy.types.Action | bpy.types.NlaStrip | bpy.types.Object],
) -> list[sources.Source]:
    found: list[sources.Source] = []
    for item in animations:
        if isinstance(item, bpy.types.Action):
            found += sources.of_actions([item])
        elif isinstance(item, bpy.types.NlaStrip):
            found.append(sources.of_strip(item))
        elif item.type == "ARMATURE":
            found += sources.of_armatures([item])
        else:
            raise UserError(f"'{item.name}' is no armature, so it plays nothing that can be captioned.")
    return list(dict.fromkeys(found))


def _waited(
    going: Callable[[], bool],
    fraction: Callable[[], float],
    timeout: float,
    on_progress: Callable[[float], None] | None,
) -> bool:
    """Move the session forward while something goes on; False when that takes longer than ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while going():
        pump()
        if on_progress is not None:
            on_progress(fraction())
        if time.monotonic() > deadline:
            return not going()
        time.sleep(0.005)
    return True
