# SPDX-License-Identifier: GPL-3.0-or-later
"""Render docs/pictures/rigs.jpg, the same prompts on eight rigs: ``python docs/take_rig_pictures.py``.

Needs a Python with bpy and Pillow (`.venv-bpy50`); takes a minute or two. The rigs are those of the tests
(`tests/blender_addon/rig_styles.py`); each wears the mannequin, fitted to its rest pose and weighted to its bones.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "blender_addon")]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402
from rig_bodies import CHILD, GIANT  # noqa: E402
from rig_dress import dress  # noqa: E402
from rig_measure import Figure, put  # noqa: E402
from rig_styles import STYLES, tables  # noqa: E402
from rig_variations import AS_IT_COMES, build, rigify_human  # noqa: E402

from demo import stage  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.engine import Engine, GenerateRequest  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

J = skeleton.JOINT
OUT = HERE / "pictures" / "rigs.jpg"
PROMPTS = ("a person walks forward", "someone waves with the right hand")
WIDTH, LABELS, TITLE = 1800, 50, 34  # pixels
TURN, GAP = 0.62, 0.3
"""Radians by which each figure is turned to the side, metres between two."""


@dataclass(frozen=True)
class Sitter:
    """A rig for the picture: two lines of label, colour of the shell, what makes it."""

    name: str
    detail: str
    colour: tuple[float, float, float]
    make: Callable[[], Figure]


def family(table: str, shape: object = AS_IT_COMES.shape) -> Callable[[], Figure]:
    """Maker of a family's rig as it comes, on a body of the given proportions."""
    style = next(style for style in STYLES if style.table == table)
    return lambda: build(style, tables()[table], replace(AS_IT_COMES, shape=shape))


SITTERS = (
    Sitter("Rigify", "generated, 706 bones", (0.60, 0.57, 0.52), rigify_human),
    Sitter("Mixamo", "T-pose, centimetres", (0.25, 0.40, 0.58), family("mixamo")),
    Sitter("Unreal (UE5)", "A-pose, X along the bone", (0.62, 0.34, 0.18), family("ue5")),
    Sitter("VRM (VRoid)", "T-pose", (0.52, 0.27, 0.45), family("vroid")),
    Sitter("Daz Genesis 8", "bend and twist bones", (0.27, 0.48, 0.25), family("daz_g8")),
    Sitter("MakeHuman", "five spine bones", (0.60, 0.46, 0.14), family("mpfb_default")),
    Sitter("Child, 0.9 m", "Character Creator", (0.16, 0.48, 0.50), family("cc", CHILD)),
    Sitter("Giant, 2.4 m", "3ds Max Biped", (0.50, 0.20, 0.18), family("biped", GIANT)),
)  # fmt: skip


def clip(prompt: str) -> tuple[Motion, int]:
    """The engine's clip and the frame where ankles are furthest apart, or a hand is highest."""
    request = GenerateRequest(prompt=prompt, duration=4.0, seed=0)
    motion = Engine.load().generate(request)[0].resample(24.0)
    feet = motion.joints[:, [J["left_ankle"], J["right_ankle"]]]
    measure = np.linalg.norm(feet[:, 0] - feet[:, 1], axis=-1)
    if "walk" not in prompt:
        measure = motion.joints[:, J["right_wrist"], 1]
    middle = slice(len(measure) // 4, 3 * len(measure) // 4)
    return motion, middle.start + int(measure[middle].argmax())


def sit(sitter: Sitter, motion: Motion, frame: int) -> tuple[bpy.types.Object, np.ndarray]:
    """The frozen body of one rig at the frame, over the origin, and its box (2, 3)."""
    figure = sitter.make()
    body = dress(figure, sitter.name, sitter.colour)
    put(figure.target, motion)
    bpy.context.scene.frame_set(1 + frame)
    frozen, box = stage.freeze_pose([body], sitter.name, TURN)
    bpy.data.objects.remove(body)
    bpy.data.objects.remove(figure.target)
    return frozen, box


def row(prompt: str, spacing: list[float] | None) -> tuple[list[bpy.types.Object], list[float], float, float]:
    """Every rig with the prompt's motion, in a row along X; where they stand, the row's width, its height."""
    motion, frame = clip(prompt)
    figures = [sit(sitter, motion, frame) for sitter in SITTERS]
    if spacing is None:
        spacing, edge = [], 0.0
        for _, box in figures:
            spacing.append(edge - float(box[0, 0]))
            edge += float(box[1, 0] - box[0, 0]) + GAP
        spacing = [at - (edge - GAP) / 2 for at in spacing]
    for (figure, _), at in zip(figures, spacing, strict=True):
        figure.location.x = at
    wide = 2 * max(
        abs(at + float(edge)) for (_, box), at in zip(figures, spacing, strict=True) for edge in box[:, 0]
    )
    return [figure for figure, _ in figures], spacing, wide, max(float(box[1, 2]) for _, box in figures)


def aim_camera(wide: float, tall: float) -> bpy.types.Object:
    """A long lens before the row."""
    data = bpy.data.cameras.new("Row")
    data.lens, data.sensor_width = 120, 36
    camera = bpy.data.objects.new("Row", data)
    bpy.context.scene.collection.objects.link(camera)
    target = Vector((0, 0, tall * 0.48))
    camera.location = target + Vector((0, -1.0, 0.1)).normalized() * wide / (36 / 120)
    camera.rotation_euler = (target - camera.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.camera = camera
    fade = next(n for n in bpy.data.materials["Studio floor"].node_tree.nodes if n.type == "MAP_RANGE")
    depth = float(camera.location.length)
    fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = depth + 0.8, depth + 7.0
    return camera


def render(path: Path, height: int, samples: int) -> Image.Image:
    """What the camera sees, `WIDTH` pixels wide."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = (
        WIDTH,
        height,
        100,
    )
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return Image.open(path).convert("RGB")


def lettered(pictures: list[Image.Image], places: list[float]) -> Image.Image:
    """The pictures, one below the other, each under its prompt; the rigs' names at the bottom."""
    sheet = Image.new("RGB", (WIDTH, sum(one.height + TITLE for one in pictures) + LABELS), (38, 41, 46))
    draw = ImageDraw.Draw(sheet)

    def text(words: str, size: int, middle: float, y: int, colour: tuple[int, int, int]) -> None:
        font = ImageFont.load_default(size)
        draw.text((middle - draw.textlength(words, font=font) / 2, y), words, colour, font=font)

    top = 0
    for prompt, picture in zip(PROMPTS, pictures, strict=True):
        text(f"“{prompt}”", 20, WIDTH / 2, top + 5, (240, 240, 238))
        sheet.paste(picture, (0, top + TITLE))
        top += TITLE + picture.height
    for sitter, at in zip(SITTERS, places, strict=True):
        text(sitter.name, 20, at * WIDTH, sheet.height - LABELS + 4, (240, 240, 238))
        text(sitter.detail, 14, at * WIDTH, sheet.height - LABELS + 28, (170, 174, 180))
    return sheet


def main() -> None:
    """Make the rigs, put the motions on them, render."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 24
    first, spacing, wide, tall = row(PROMPTS[0], None)
    second, _, wide_too, tall_too = row(PROMPTS[1], spacing)
    wide = max(wide, wide_too) + 0.5
    stage.build_studio()
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for shown, height in ((first, tall), (second, tall_too)):
            camera = aim_camera(wide, height)
            bpy.context.view_layer.update()
            places = [world_to_camera_view(bpy.context.scene, camera, Vector((at, 0, 0))).x for at in spacing]
            for figure in (*first, *second):
                for part in figure.children:
                    part.hide_render = figure not in shown
            pixels = round((height + 0.4) / wide * WIDTH / 2) * 2
            pictures.append(render(Path(folder) / "row.png", pixels, 24).copy())
    picture = lettered(pictures, places)
    picture.save(OUT, quality=84, optimize=True)
    print(f"{OUT} {picture.size} {OUT.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender's destructors may wait for ever once a library was loaded, as Rigify does
