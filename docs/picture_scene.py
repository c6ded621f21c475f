# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the Blender that `take_pictures.py` opens: empty scene, tidy viewport, orders from a file."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
from mathutils import Euler

ORDER = Path(sys.argv[sys.argv.index("--") + 1]).with_name("order.py")


def view_3d() -> tuple[bpy.types.Window, bpy.types.Area]:
    """Return the first window and its 3D viewport."""
    window = bpy.context.window_manager.windows[0]
    return window, next(a for a in window.screen.areas if a.type == "VIEW_3D")


def look_at(
    place: tuple[float, float, float], distance: float, turn: float = 0.6, tilt: float = 1.33
) -> None:
    """Turn the viewport to `place` from `distance` metres; angles in radians."""
    space = view_3d()[1].spaces[0]
    space.region_3d.view_perspective = "PERSP"
    space.region_3d.view_location = place
    space.region_3d.view_distance = distance
    space.region_3d.view_rotation = Euler((tilt, 0.0, turn)).to_quaternion()


def tidy() -> None:
    """Empty the scene and quieten the viewport."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    space = view_3d()[1].spaces[0]
    space.lens = 50
    space.shading.light = "STUDIO"
    space.shading.color_type = "MATERIAL"
    space.shading.show_cavity = True
    space.shading.cavity_type = "BOTH"
    space.overlay.show_cursor = False
    space.overlay.show_object_origins = False
    space.overlay.show_bones = False
    space.overlay.show_outline_selected = False
    look_at((0.0, -0.4, 0.85), 4.6)


def obey() -> float:
    """Run the order that lies in the file, if one does."""
    if ORDER.exists():
        text = ORDER.read_text(encoding="utf-8")
        window, area = view_3d()
        region = next(r for r in area.regions if r.type == "WINDOW")
        with bpy.context.temp_override(window=window, area=area, region=region):
            exec(text, globals())
        ORDER.unlink()
    return 0.2


bpy.app.timers.register(tidy, first_interval=0.5)
bpy.app.timers.register(obey, first_interval=1.0, persistent=True)
