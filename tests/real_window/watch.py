# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the windowed Blender: writes four times a second what a test wants to know, and obeys nothing.

The state goes to the file named after ``--``: areas and regions in screen pixels (origin at the top left),
the sidebar's tab, the status of the add-on and, for each armature with an Action, what its keys do.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

import bpy

OUT = Path(sys.argv[sys.argv.index("--") + 1])
PELVIS = ("pelvis", "mixamorig:Hips", "Hips", "hips")


def areas() -> list[dict]:
    """Return the areas of the first window with their regions as [left, top, width, height]."""
    window = bpy.context.window_manager.windows[0]
    height = window.height
    found = []
    for area in window.screen.areas:
        regions = {}
        for region in area.regions:
            box = [region.x, height - region.y - region.height, region.width, region.height]
            regions[region.type] = {"box": box, "tab": getattr(region, "active_panel_category", "")}
        found.append({"type": area.type, "regions": regions})
    return found


def curves(action: bpy.types.Action) -> int:
    """Return the number of F-curves in all layers of `action`."""
    return sum(len(bag.fcurves) for la in action.layers for strip in la.strips for bag in strip.channelbags)


def armatures() -> list[dict]:
    """Return name, Action and the pelvis' path through the clip of every armature."""
    scene = bpy.context.scene
    found = []
    for thing in scene.objects:
        if thing.type != "ARMATURE":
            continue
        entry: dict = {"name": thing.name, "bones": len(thing.pose.bones), "action": None}
        action = thing.animation_data.action if thing.animation_data else None
        if action:
            first, last = (int(v) for v in action.frame_range)
            entry.update(action=action.name, curves=curves(action), first=first, last=last)
            entry["slot"] = bool(thing.animation_data.action_slot)
        found.append(entry)
    return found


def pelvis_path(thing: bpy.types.Object, first: int, last: int) -> list[list[float]]:
    """Return the pelvis' world position at five frames, as the dependency graph sees it."""
    scene = bpy.context.scene
    before = scene.frame_current
    bone = next(b for n in PELVIS if (b := thing.pose.bones.get(n)))
    path = []
    for step in range(5):
        scene.frame_set(first + round((last - first) * step / 4))
        seen = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
        path.append(list(seen.matrix_world @ seen.pose.bones[bone.name].head))
    scene.frame_set(before)
    return path


measured: dict[str, list[list[float]]] = {}  # Action -> path: measured once, as it moves the playhead


def tab() -> dict:
    """Return prompt and status line of the add-on, empty while it is not there."""
    settings = getattr(bpy.context.scene, "motion_prompt", None)
    module = next((m for n, m in sys.modules.items() if n.endswith(".motion_prompt.session")), None)
    if settings is None or module is None:
        return {}
    status = module.session.status
    busy = module.session.task is not None
    active = bpy.context.view_layer.objects.active
    table = getattr(active.data, "motion_prompt_map", None) if active and active.type == "ARMATURE" else None
    rows = {row.name: row.bone for row in table.rows} if table is not None else {}
    return {
        "prompt": settings.prompt,
        "kind": status.kind,
        "text": status.text,
        "busy": busy,
        "rig_map": rows,
    }


def library() -> dict:
    """Return sentences, takes and ranking of the file's Actions, and whether some are being read."""
    modules = {name.partition(".motion_prompt.")[2]: module for name, module in sys.modules.items()}
    session, find = modules.get("session"), modules.get("captions.find")
    if session is None or find is None:
        return {}
    actions, scores = bpy.data.actions, find.search.scores
    ranked = sorted(
        (action for action in actions if action.session_uid in scores), key=lambda a: -scores[a.session_uid]
    )
    return {
        "captions": {a.name: a["motion_prompt_caption"] for a in actions if "motion_prompt_caption" in a},
        "tags": {a.name: ", ".join(a.get("motion_prompt_tags", "").split("\n")) for a in actions},
        "running": len(session.session.runs),
        "ticked": sum(action.motion_prompt_use for action in actions),
        "find": find.search.text,
        "ranked": [action.name for action in ranked],
        "scenes": len(bpy.data.scenes),
        "frame": bpy.context.scene.frame_current,
    }


def state() -> dict:
    """Return everything."""
    scene = bpy.context.scene
    rigs = armatures()
    for rig in rigs:
        action = rig["action"]
        if action and action not in measured:
            measured[action] = pelvis_path(scene.objects[rig["name"]], rig["first"], rig["last"])
        rig["path"] = measured.get(action, [])
    return {
        "time": time.time(),
        "areas": areas(),
        "scale": bpy.context.preferences.system.ui_scale,
        "tab": tab(),
        "armatures": rigs,
        "library": library(),
        "actions": sorted(a.name for a in bpy.data.actions),
        "fps": scene.render.fps,
        "frame_range": [scene.frame_start, scene.frame_end],
        "online": bpy.app.online_access,
        "version": list(bpy.app.version),
    }


def tick() -> float:
    """Write the state under a temporary name, then rename."""
    try:
        content = state()
    except Exception:
        content = {"time": time.time(), "error": traceback.format_exc()}
    partial = OUT.with_suffix(".part")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(OUT)
    return 0.25


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
