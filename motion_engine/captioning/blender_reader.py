# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading animation that only Blender understands: ``.fbx``, ``.glb`` and ``.bvh`` of any known rig.

One Blender process opens one file after another, recognises the rig and samples its Actions with the add-on's own
`blender_addon.sampling`. It writes the joints of each to a file and a line about it to its output.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion_engine.blender_process import VARIABLE, script_commands
from motion_engine.captioning.canonical import Clip
from motion_engine.errors import EngineError

SUFFIXES = (".fbx", ".glb", ".gltf", ".bvh")

FILE_SECONDS = 300.0
"""A file that takes longer is given up."""

_LINE = "MOTION-PROMPT "

# Run by Blender. Where a file says no frame rate, as .glb, 120 a second are read: all usual rates fit into it.
_SCRIPT = """
import json, os, sys
root, folder, files = json.loads(sys.argv[-1])
sys.path.insert(0, root)
import bpy, addon_utils
import numpy as np
from blender_addon.sampling.clip import Reader

LINE = "MOTION-PROMPT "

def say(**what):
    sys.stdout.write("\\n" + LINE + json.dumps(what) + "\\n")
    sys.stdout.flush()

def open_file(path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 120
    for module in ("io_scene_gltf2", "io_scene_fbx", "io_anim_bvh"):
        addon_utils.enable(module)
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=path)
    elif suffix == ".bvh":
        bpy.ops.import_anim.bvh(
            filepath=path, global_scale=0.01, axis_forward="-Z", axis_up="Y", update_scene_fps=True
        )
    else:
        bpy.ops.import_scene.gltf(filepath=path)

def clips_of(number):
    found, problem = [], "The file holds no skeleton."
    for armature in [item for item in bpy.context.scene.objects if item.type == "ARMATURE"]:
        problem = "Nothing in the file animates its skeleton."
        try:
            reader = Reader(armature)
        except Exception as error:
            problem = str(error)
            continue
        for action in bpy.data.actions:
            try:
                clip = reader.read(action)
            except Exception as error:
                if "has no keys" not in str(error):
                    problem = str(error)
                continue
            path = os.path.join(folder, f"{number}-{len(found)}.npz")
            np.savez(
                path, joints=clip.motion.joints, rotations=clip.motion.rotations, fps=np.array(clip.motion.fps)
            )
            found.append([path, action.name])
    return found, problem

say(ready=True)
for number, path in files:
    try:
        open_file(path)
        found, problem = clips_of(number)
        say(file=number, clips=found, problem=None if found else problem)
    except Exception as error:
        say(file=number, clips=[], problem=(str(error).strip().splitlines() or [type(error).__name__])[-1])
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True)
class ReadFile:
    """What a file holds: its clips by the names of their Actions, or the problem with it."""

    path: Path
    clips: list[tuple[str, Clip]]
    problem: EngineError | None


def require() -> None:
    """Refuse when nothing here can read such files.

    Raises
    ------
    EngineError
        ``no_blender`` or ``no_addon``.
    """
    if not script_commands(""):
        raise EngineError(
            "no_blender",
            "Such a file is read by Blender, and none was found here.",
            f"Install Blender (blender.org), or the package bpy into this Python, or name a Blender in {VARIABLE}.",
        )
    if not (_root() / "blender_addon" / "sampling").is_dir():
        raise EngineError(
            "no_addon",
            "Such a file is read by Blender with the add-on's code, which is not installed beside the engine.",
            "Run this in a checkout of Motion Prompt, or save the animation as .bvh or .npz with SMPL joints.",
        )


def read(paths: Sequence[Path]) -> Iterator[ReadFile]:
    """Each file, as soon as Blender has read it; EngineError as for `require`, or ``blender_failed``."""
    require()
    left = list(enumerate(paths))
    with tempfile.TemporaryDirectory(prefix="motion-prompt-") as name:
        folder = Path(name)
        script = folder / "read.py"
        script.write_text(_SCRIPT, encoding="utf-8")
        commands = script_commands(script)
        while left:
            ready, words = False, "it said nothing"
            for message in _run(commands[0], folder, left):
                if "words" in message:
                    words = str(message["words"])
                    continue
                ready = True
                if "file" in message:
                    number, path = left.pop(0)
                    assert number == message["file"]
                    yield _read(path, message)
            if not ready:
                commands.pop(0)
                if not commands:
                    raise EngineError(
                        "blender_failed",
                        f"Blender did not start to read the files: {words}",
                        f"Name another Blender in {VARIABLE}.",
                    )
            elif left:
                # the process ended over the first file that is left
                _, path = left.pop(0)
                problem = EngineError(
                    "blender_failed",
                    f"Blender ended while it read {path.name}.",
                    "Open it in Blender to see why.",
                )
                yield ReadFile(path, [], problem)


def _run(command: list[str], folder: Path, files: Sequence[tuple[int, Path]]) -> Iterator[dict[str, object]]:
    """What one Blender process says of the files; in the end, its last words."""
    task = json.dumps([str(_root()), str(folder), [[number, str(path.resolve())] for number, path in files]])
    try:
        process = subprocess.Popen(
            [*command, "--", task], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        yield {"words": str(error)}
        return
    assert process.stdout is not None
    alarm = threading.Timer(FILE_SECONDS, process.kill)
    alarm.start()
    words = ""
    try:
        for line in process.stdout:
            if not line.startswith(_LINE):
                words = line.strip() or words
                continue
            alarm.cancel()
            yield json.loads(line.removeprefix(_LINE))
            alarm = threading.Timer(FILE_SECONDS, process.kill)
            alarm.start()
        if words:
            yield {"words": words}
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def _read(path: Path, message: dict[str, object]) -> ReadFile:
    if message["problem"] is not None:
        problem = EngineError(
            "bad_file", f"{path.name}: {message['problem']}", "Open it in Blender to see why."
        )
        return ReadFile(path, [], problem)
    clips = []
    found = message["clips"]
    assert isinstance(found, list)
    for file, action in found:
        with np.load(file, allow_pickle=False) as data:
            clips.append((str(action), Clip(data["joints"], float(data["fps"]), data["rotations"])))
        Path(file).unlink()
    return ReadFile(path, clips, None)


def _root() -> Path:
    return Path(__file__).resolve().parents[2]
