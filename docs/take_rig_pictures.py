#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One prompt on eight rigs, side by side: ``python docs/take_rig_pictures.py`` in a Python that has bpy.

Writes docs/pictures/rigs.jpg. The bodies are drawn around the bones as Blender evaluates them: a capsule a bone, a
ball a joint. The rigs are those of ``tests/blender_addon/rig_matrix.py``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "blender_addon")]

import bmesh  # noqa: E402
import bpy  # noqa: E402
import numpy as np  # noqa: E402
from mathutils import Matrix, Vector  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402
from rig_matrix import FPS, new_file  # noqa: E402
from rig_measure import Figure, put  # noqa: E402
from rig_styles import STYLES, tables  # noqa: E402
from rig_variations import AS_IT_COMES, VARIATIONS, build, rigify_human  # noqa: E402

from demo.stage import build_studio  # noqa: E402
from motion_engine import skeleton  # noqa: E402
from motion_engine.engine import Engine, GenerateRequest  # noqa: E402

PROMPT, SEED, SECONDS, AT = "a person kicks with the right leg", 1, 3.0, 0.5
GAP = 1.15  # metres from one character to the next
SIZE = (1600, 520)
OUT = HERE / "pictures" / "rigs.jpg"
RADII = {
    "hip": 0.075, "knee": 0.055, "ankle": 0.042, "foot": 0.03, "collar": 0.05, "shoulder": 0.046, "elbow": 0.038,
    "wrist": 0.032, "pelvis": 0.1, "spine1": 0.105, "spine2": 0.11, "spine3": 0.115, "neck": 0.05, "head": 0.1,
}  # fmt: skip
"""Metres around a joint of a body of 1.7 m."""

SHOWN = (
    ("rigify", "", "Rigify"),
    ("mixamo", "", "Mixamo"),
    ("ue5", "", "Unreal 5"),
    ("vroid", "", "VRoid"),
    ("daz_g8", "", "Daz Genesis 8"),
    ("mpfb_default", "", "MakeHuman"),
    ("mixamo", "child, 0.9 m", "Child, 0.9 m"),
    ("cc", "giant, 2.4 m", "Giant, 2.4 m"),
)
"""Table of the rig, title of the variation, label."""


def figure_for(name: str, variation: str) -> Figure:
    """The rig in the scene."""
    if name == "rigify":
        return rigify_human()
    style = next(one for one in STYLES if one.table == name)
    chosen = next((one for one in VARIATIONS if one.title == variation), AS_IT_COMES)
    return build(style, tables()[name], chosen)


def posed(figure: Figure, frame: int) -> dict[str, np.ndarray]:
    """Joint -> place (3,) in the body's frame, with the tips of the toes and the crown."""
    bpy.context.scene.frame_set(frame)
    target = figure.target.evaluated_get(bpy.context.evaluated_depsgraph_get())
    to = figure.frame.inverted() @ target.matrix_world
    into = figure.target.matrix_world.inverted() @ figure.frame
    places = {joint: np.array(to @ target.pose.bones[bone].head) for joint, bone in figure.bones.items()}

    def carried(bone: str, point: np.ndarray) -> np.ndarray:
        own = figure.target.data.bones[bone].matrix_local.inverted() @ into @ Vector(point)
        return np.array(to @ (target.pose.bones[bone].matrix @ own))

    for side, sole in zip(("left", "right"), figure.soles, strict=True):
        ankle = figure.bones[f"{side}_ankle"]
        toe = figure.bones.get(f"{side}_foot", ankle)
        up = np.array([0.0, 0.0, RADII["foot"]])
        places[f"{side}_heel"], places[f"{side}_ball"] = (carried(ankle, p + up) for p in sole[:2])
        places[f"{side}_tip"] = carried(toe, sole[2] + up)
        elbow, wrist = places[f"{side}_elbow"], places[f"{side}_wrist"]
        places[f"{side}_hand"] = wrist + 0.55 * (wrist - elbow) / np.linalg.norm(wrist - elbow) * 0.3
    head = figure.heads[skeleton.JOINT["head"]]
    size = figure.heads[skeleton.JOINT["neck"], 2] / 1.4
    places["crown"] = carried(figure.bones["head"], head + np.array([0.0, -0.02, 0.16]) * size)
    places["nose"] = carried(figure.bones["head"], head + np.array([0.0, -0.11, 0.07]) * size)
    return places


def capsule(mesh: bmesh.types.BMesh, start: np.ndarray, end: np.ndarray, first: float, last: float) -> None:
    """A tapered cylinder with round ends."""
    way = Vector(end - start)
    if way.length > 1e-6:
        turn = way.to_track_quat("Z", "Y").to_matrix().to_4x4()
        middle = Matrix.Translation(Vector(start + end) / 2) @ turn
        bmesh.ops.create_cone(
            mesh, cap_ends=False, segments=24, radius1=first, radius2=last, depth=way.length, matrix=middle
        )
    for place, radius in ((start, first), (end, last)):
        bmesh.ops.create_uvsphere(
            mesh, u_segments=24, v_segments=16, radius=radius, matrix=Matrix.Translation(place)
        )


def body(
    figure: Figure, places: dict[str, np.ndarray], name: str, colour: tuple[float, ...]
) -> bpy.types.Object:
    """A mesh around the posed joints."""
    mesh = bmesh.new()
    size = figure.heads[skeleton.JOINT["neck"], 2] / 1.4
    pairs = [("crown", "head"), ("head", "neck")]
    for joint, parent in zip(skeleton.JOINT_NAMES, skeleton.PARENTS, strict=True):
        above = skeleton.JOINT_NAMES[parent] if parent >= 0 else None
        while above is not None and above not in places:
            up = int(skeleton.PARENTS[skeleton.JOINT[above]])
            above = skeleton.JOINT_NAMES[up] if up >= 0 else None
        if joint in places and above is not None and joint not in ("left_foot", "right_foot", "head"):
            pairs.append((joint, above))
    for side in ("left", "right"):
        pairs += [(f"{side}_hand", f"{side}_wrist"), (f"{side}_heel", f"{side}_ankle"),
                  (f"{side}_ball", f"{side}_heel"), (f"{side}_ball", f"{side}_ankle"),
                  (f"{side}_tip", f"{side}_ball")]  # fmt: skip

    def radius(joint: str) -> float:
        part = joint.split("_")[-1]
        return size * RADII.get(part, {"crown": 0.085, "hand": 0.03}.get(part, RADII["foot"]))

    for one, other in pairs:
        capsule(mesh, places[other], places[one], radius(other), radius(one))
    capsule(mesh, places["nose"], places["nose"], 0.025 * size, 0.025 * size)
    data = bpy.data.meshes.new(name)
    mesh.to_mesh(data)
    mesh.free()
    data.polygons.foreach_set("use_smooth", np.ones(len(data.polygons), dtype=bool))
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.6
    data.materials.append(material)
    return bpy.data.objects.new(name, data)


def main() -> None:
    """Make the bodies one by one, gather them, render, label."""
    motion = Engine.load().generate(GenerateRequest(PROMPT, duration=SECONDS, seed=SEED))[0].resample(FPS)
    frame = 1 + round(AT * (motion.n_frames - 1))
    found = []
    for name, variation, _ in SHOWN:
        new_file()
        figure = figure_for(name, variation)
        put(figure.target, motion)
        found.append((figure, posed(figure, frame)))
    heads = [(figure.heads.copy(), places) for figure, places in found]
    new_file()
    scene = bpy.context.scene
    build_studio()
    palette = [(0.83, 0.81, 0.76), (0.35, 0.55, 0.72), (0.72, 0.45, 0.33), (0.5, 0.62, 0.42)]
    for index, ((_, places), (figure, _)) in enumerate(zip(heads, found, strict=True)):
        made = body(figure, places, SHOWN[index][2], palette[index % len(palette)])
        scene.collection.objects.link(made)
        ground = (places["left_ankle"] + places["right_ankle"]) / 2
        made.location = ((index - (len(SHOWN) - 1) / 2) * GAP - ground[0], -ground[1], 0.0)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = GAP * len(SHOWN) + 0.2
    camera.location = (0.0, -12.0, 2.6)
    aim = Vector((0.0, 0.0, 1.12))
    camera.rotation_euler = (aim - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    raw = OUT.with_suffix(".png")
    scene.render.filepath = str(raw)
    bpy.ops.render.render(write_still=True)
    picture = Image.open(raw).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(22)
    for index, (_, _, label) in enumerate(SHOWN):
        x = SIZE[0] * (0.5 + (index - (len(SHOWN) - 1) / 2) * GAP / camera.data.ortho_scale)
        draw.text((x, SIZE[1] - 22), label, fill=(245, 245, 245), font=font, anchor="mm")
    picture.save(OUT, quality=86)
    raw.unlink()
    print(OUT)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
