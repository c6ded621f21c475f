# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender: put a clip on the mannequin, save the .blend, render the previews.

python demo/animate.py -- clip.npz folder [--clip]            with the bpy package
blender -b --python demo/animate.py -- clip.npz folder        with an installed Blender
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from blender_addon import keyframes, rig  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from demo import stage  # noqa: E402
from motion_engine.formats import npz  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

FPS = 24


def animated_character(motion: Motion) -> tuple[bpy.types.Object, int, int]:
    """Start an empty scene with the mannequin playing `motion`; return its armature and the frame range."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = FPS
    resampled = motion.resample(float(FPS))
    armature = add_character(bpy.context)
    rest = rig.read_rest(armature, rig.check(armature))
    channels = solver.solve(rest, resampled)
    prompt = str(motion.provenance.get("prompt", "Motion"))
    action = keyframes.write_action(armature, channels, prompt, 1, motion.provenance, rest.switches)
    keyframes.assign(armature, action)
    scene.frame_start, scene.frame_end = 1, resampled.n_frames
    return armature, 1, resampled.n_frames


def prepare_windows() -> None:
    """Let every 3D viewport of the saved file look through the camera, without the armature drawn over."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                area.spaces[0].region_3d.view_perspective = "CAMERA"
                area.spaces[0].overlay.show_bones = False


def save(path: Path) -> None:
    """Write the .blend under a temporary name, then move it to `path`."""
    partial = path.with_name(path.stem + ".part.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(partial), compress=True, copy=True)
    partial.replace(path)


def say(text: str) -> None:
    """Print a line the way the demo's caller picks it out of Blender's own output."""
    print(f"demo: {text}", flush=True)


def main() -> None:
    """Read the arguments after ``--`` and make the files."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(prog="animate")
    parser.add_argument("motion", type=Path, help="clip as .npz")
    parser.add_argument("folder", type=Path, help="where the .blend and the previews go")
    parser.add_argument("--clip", action="store_true", help="render the moving preview too")
    options = parser.parse_args(words)
    name = options.motion.stem

    armature, first, last = animated_character(npz.load(options.motion))
    meshes = stage.character_meshes(armature)
    stage.build_studio()
    bpy.context.scene.frame_set(first)
    stage.add_camera(stage.travel(meshes, first, last), first, FPS)
    prepare_windows()
    save(options.folder / f"{name}.blend")
    say(f"saved {name}.blend, {last} frames at {FPS} a second")

    started = time.monotonic()
    stage.render_sheet(options.folder / f"{name}.png", meshes, first, last)
    say(f"rendered {name}.png in {time.monotonic() - started:.0f} s")
    if options.clip:
        started = time.monotonic()
        say("rendering the moving preview, about half a second a frame ...")
        stage.render_clip(options.folder / f"{name}.mp4", every=2)
        say(f"rendered {name}.mp4 in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
