# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX, written by Blender in a process of its own: our ``.glb`` is opened there and exported.

So the file holds what the ``.glb`` holds: the armature of the 22 named joints in T-pose, the skinned figure and one
animation, in metres (FBX counts in centimetres, and says so). The prompt, the bundle and its licence are properties of
the armature.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from motion_engine.blender_process import VARIABLE, script_commands
from motion_engine.errors import EngineError
from motion_engine.formats import glb
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

TIMEOUT_SECONDS = 300.0

# Run by Blender. The scene's rate is the clip's, so that each frame of the clip is one key.
_SCRIPT = """
import json, sys
import bpy, addon_utils

source, target, fps, frames, provenance = json.loads(sys.argv[-1])
bpy.ops.wm.read_factory_settings(use_empty=True)
for module in ("io_scene_gltf2", "io_scene_fbx"):
    addon_utils.enable(module)
scene = bpy.context.scene
scene.render.fps = max(1, round(fps))
scene.render.fps_base = scene.render.fps / fps
bpy.ops.import_scene.gltf(filepath=source)
armature = next(item for item in scene.objects if item.type == "ARMATURE")
worn = [item for item in scene.objects if item.find_armature() == armature]
for item in scene.objects:
    item.select_set(item == armature or item in worn)
for key, value in provenance.items():
    armature[key] = value
first = armature.animation_data.action.frame_range[0]
scene.frame_start, scene.frame_end = round(first), round(first) + frames - 1
bpy.ops.export_scene.fbx(
    filepath=target, use_selection=True, object_types={"ARMATURE", "MESH"}, apply_scale_options="FBX_SCALE_ALL",
    add_leaf_bones=False, bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False,
    bake_anim_simplify_factor=0.0, use_custom_props=True,
)
"""

_KEPT = ("prompt", "bundle", "licence")
"""What of the provenance becomes properties of the armature."""


def require_blender() -> None:
    """Refuse when there is no Blender to write the file; EngineError ``no_blender``."""
    if not script_commands(""):
        raise EngineError(
            "no_blender",
            "An .fbx file is written by Blender, and none was found here.",
            f"Install Blender (blender.org), or the package bpy into this Python, or name a Blender in {VARIABLE}; "
            "or write .glb, which needs neither.",
        )


def save(motion: Motion, path: str | Path) -> None:
    """Write a skinned figure and its animation, one key a frame.

    Raises
    ------
    EngineError
        ``no_blender`` if there is none, ``blender_failed`` with its last words if it does not manage.
    """
    require_blender()
    with tempfile.TemporaryDirectory(prefix="motion-prompt-") as folder:
        script, source, made = (Path(folder) / name for name in ("write.py", "clip.glb", "clip.fbx"))
        script.write_text(_SCRIPT, encoding="utf-8")
        glb.save(motion, source)
        provenance = {key: str(motion.provenance[key]) for key in _KEPT if key in motion.provenance}
        task = json.dumps([str(source), str(made), motion.fps, motion.n_frames, provenance])
        words = ""
        for command in script_commands(script):
            try:
                done = subprocess.run(
                    [*command, "--", task], capture_output=True, text=True, errors="replace",
                    timeout=TIMEOUT_SECONDS, check=False, stdin=subprocess.DEVNULL,
                )  # fmt: skip
                words = done.stdout + done.stderr
            except (OSError, subprocess.TimeoutExpired) as error:
                words = str(error)
            # bpy may crash at its end over a file that is whole
            if made.is_file() and made.stat().st_size > 0:
                with replacing(path) as file:
                    file.write(made.read_bytes())
                return
    lines = [line for line in words.splitlines() if line.strip()]
    raise EngineError(
        "blender_failed",
        f"Blender could not write {Path(path).name}: {lines[-1] if lines else 'it said nothing'}",
        f"Name another Blender in {VARIABLE}, or write .glb.",
    )
