# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the README's pictures in the window of a real Blender: ``python docs/take_pictures.py DIST.zip``.

Needs the command ``real-blender`` (see `tests/real_window/blender_window.py`), root and Pillow.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "real_window"))

from blender_window import SHARE, BlenderWindow, find_real_blender  # noqa: E402

PROMPTS = """# one prompt a line; fields after a bar are optional
a person walks forward
a tired man walks slowly | duration=5
someone waves with the right hand | seed=3
a person sits down | duration=3 | name=sit
"""
LONGEST_STRIDE = """
scene, rig = bpy.context.scene, bpy.context.object
scene.frame_end = 96

def stride(frame):
    scene.frame_set(frame)
    left, right = (rig.pose.bones[name].head for name in ("left_ankle", "right_ankle"))
    return (left - right).length

scene.frame_set(max(range(30, 80), key=stride))
hips = rig.matrix_world @ rig.pose.bones["pelvis"].head
look_at((hips.x + 0.25, hips.y, 0.87), 3.3)
"""
WIDTH = 1200  # pixels, at most
TAKES_HEADER, BATCH_HEADER = 266, 521
"""Pixels from the top of the sidebar to the headers of two panels after one prompt."""

RIG_MAP_HEADER, RIG_MAP_LEFT = 370, 440
"""The same for "Rig Map" with "Takes" folded, and from there to the end of the left side's bones."""

PREFERENCES_ARROW = (959, 81)
"""Where the menu with "Install from Disk" opens, once the preferences are shown on the virtual screen."""


class Photographer:
    """A Blender window that takes orders, and what to do with its pictures."""

    def __init__(self, blender: BlenderWindow) -> None:
        self.blender = blender

    def order(self, code: str) -> None:
        """Let Blender run a line of Python and wait until it has."""
        path = self.blender.home / "order.py"
        partial = path.with_suffix(".part")
        partial.write_text(code, encoding="utf-8")
        partial.replace(path)
        while path.exists():
            self.blender.settle()
        self.blender.settle()

    def park_mouse(self) -> None:
        """Put the mouse where it shows no tooltip."""
        left, top, _, height = self.blender.region("WINDOW")["box"]
        self.blender.xdo("mousemove", left + 150, top + height - 60)
        self.blender.settle()

    def take(self, name: str, box: tuple[int, int, int, int] | None = None, park: bool = True) -> None:
        """Save the screen, or the part in `box` (left, top, right, bottom), as docs/pictures/`name`."""
        if park:
            self.park_mouse()
        shot = self.blender.shot(self.blender.home / "shot.png")
        picture = Image.open(shot).convert("RGB")
        if box:
            picture = picture.crop(box)
        if picture.width > WIDTH:
            height = round(picture.height * WIDTH / picture.width)
            picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
        out = HERE / "pictures" / name
        picture.save(out, quality=86)
        print(f"{out} {picture.size} {out.stat().st_size // 1000} kB")


def finished(state: dict) -> bool:
    """Say whether the add-on has come to an end with what it did."""
    return not state["tab"]["busy"] and state["tab"]["kind"] in ("DONE", "ERROR")


def main() -> None:
    """Install, generate, take the pictures."""
    tool = find_real_blender()
    if tool is None or len(sys.argv) != 2:
        raise SystemExit(__doc__)
    blender = BlenderWindow(tool, SHARE / "pictures")
    shutil.rmtree(blender.home / "user", ignore_errors=True)
    zip_path = Path(sys.argv[1])
    shutil.copy(zip_path, blender.home / zip_path.name)
    blender.command("--command", "extension", "install-file", "-r", "user_default", "-e", zip_path.name)
    blender.open(HERE / "picture_scene.py")
    try:
        photographer = Photographer(blender)
        blender.type_prompt("a person walks forward")
        blender.wait(finished, 300, "the walk")
        photographer.order(LONGEST_STRIDE)
        photographer.take("window.jpg")
        left, top, width, _ = blender.region("UI")["box"]
        photographer.take("sidebar.png", (left - 12, top - 6, left + width + 2, top + 540))

        blender.click(left + 60, top + TAKES_HEADER)
        blender.settle()
        blender.click(left + 60, top + RIG_MAP_HEADER)
        photographer.order(
            "bpy.ops.motion_prompt.map_show()\nfor part in view_3d()[1].regions:\n    part.tag_redraw()"
        )
        table = top + RIG_MAP_HEADER - 14
        photographer.take("rig_map.png", (left - 12, table, left + width - 26, table + RIG_MAP_LEFT))
        photographer.order("bpy.ops.motion_prompt.map_forget()")
        blender.click(left + 60, top + RIG_MAP_HEADER)
        blender.settle()
        blender.click(left + 60, top + TAKES_HEADER)
        blender.settle()

        blender.click(left + 60, top + BATCH_HEADER)
        photographer.order(
            f"t = bpy.data.texts.new('prompts.txt')\nt.write({PROMPTS!r})\n"
            "bpy.context.scene.motion_prompt.batch_text = t\nbpy.context.scene.frame_set(1)\n"
            "bpy.ops.motion_prompt.batch(text=t.name)"
        )
        blender.wait(finished, 300, "the batch")
        photographer.order(LONGEST_STRIDE)
        photographer.take("batch.jpg", (left - 620, top - 6, left + width + 2, top + 720))

        photographer.order(
            "bpy.context.preferences.active_section = 'EXTENSIONS'\n"
            "bpy.context.window_manager.extension_search = 'motion'\n"
            "bpy.ops.screen.userpref_show('INVOKE_DEFAULT')"
        )
        photographer.park_mouse()
        blender.click(*PREFERENCES_ARROW)
        blender.settle()
        photographer.take("preferences.jpg", (100, 60, 984, 420), park=False)
    finally:
        blender.close()


if __name__ == "__main__":
    main()
