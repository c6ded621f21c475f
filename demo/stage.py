# SPDX-License-Identifier: GPL-3.0-or-later
"""A small photo studio in Blender: floor, light, a camera that follows, and the two previews.

Runs inside Blender or the ``bpy`` package (4.2 to 5.2). The studio is saved with the .blend, so that
opening the file and pressing Space shows what the preview showed.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

BACKGROUND = (0.42, 0.45, 0.49)  # linear RGB of the far floor and of the sky
FLOOR = (0.36, 0.37, 0.39)
FLOOR_LINE = (0.27, 0.285, 0.31)
SHEET_POSES = 6
SHEET_WIDTH = 1500  # pixels
SHEET_TURN = 32.0  # degrees
SHEET_GAP = 0.16  # metres between two poses


def character_meshes(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the mesh objects that `armature` moves, as children or through a modifier."""
    return [
        o
        for o in bpy.context.scene.objects
        if o.type == "MESH"
        and (o.parent == armature or any(getattr(m, "object", None) == armature for m in o.modifiers))
    ]


def bounds(meshes: list[bpy.types.Object]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest world corner, each (3,) metres, of the deformed meshes now."""
    graph = bpy.context.evaluated_depsgraph_get()
    points = []
    for mesh in meshes:
        evaluated = mesh.evaluated_get(graph)
        local = np.empty(len(evaluated.data.vertices) * 3, dtype=np.float32)
        evaluated.data.vertices.foreach_get("co", local)
        matrix = np.array(evaluated.matrix_world)
        points.append(local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    joined = np.concatenate(points)
    return joined.min(axis=0), joined.max(axis=0)


def travel(meshes: list[bpy.types.Object], first: int, last: int) -> np.ndarray:
    """Return the box of the character in every frame: (last - first + 1, 2, 3) metres."""
    scene = bpy.context.scene
    boxes = []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        boxes.append(bounds(meshes))
    return np.array(boxes)


def _node_math(tree: bpy.types.NodeTree, operation: str, *inputs: object) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for slot, value in zip(node.inputs, inputs, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, slot)
        else:
            slot.default_value = value
    return node.outputs[0]


def _node_mix(
    tree: bpy.types.NodeTree, factor: bpy.types.NodeSocket, a: object, b: object
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    tree.links.new(factor, node.inputs[0])
    for slot, value in ((node.inputs[6], a), (node.inputs[7], b)):
        slot.default_value = (*value, 1.0)  # type: ignore[misc]
    return node.outputs[2]


def floor_material() -> bpy.types.Material:
    """Return the floor's material: grey, a thin line every metre, fading into the sky with distance."""
    material = bpy.data.materials.new("Studio floor")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    place = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    axes = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(place, axes.inputs[0])
    lines = None
    for axis in (0, 1):
        to_line = _node_math(tree, "PINGPONG", axes.outputs[axis], 0.5)
        line = _node_math(tree, "LESS_THAN", to_line, 0.008)
        lines = line if lines is None else _node_math(tree, "MAXIMUM", lines, line)
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.inputs["Roughness"].default_value = 0.9
    shader.inputs["Specular IOR Level"].default_value = 0.0
    tree.links.new(_node_mix(tree, lines, FLOOR, FLOOR_LINE), shader.inputs["Base Color"])
    far = tree.nodes.new("ShaderNodeEmission")
    far.inputs["Color"].default_value = (*BACKGROUND, 1.0)
    depth = tree.nodes.new("ShaderNodeCameraData").outputs["View Z Depth"]
    fade = tree.nodes.new("ShaderNodeMapRange")
    fade.interpolation_type = "SMOOTHSTEP"
    fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = 7.0, 18.0
    tree.links.new(depth, fade.inputs["Value"])
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(fade.outputs[0], mix.inputs[0])
    tree.links.new(shader.outputs[0], mix.inputs[1])
    tree.links.new(far.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def _link(scene: bpy.types.Scene, thing: bpy.types.Object) -> bpy.types.Object:
    scene.collection.objects.link(thing)
    return thing


def _aim(thing: bpy.types.Object, at: Vector) -> None:
    thing.rotation_euler = (at - thing.location).to_track_quat("-Z", "Y").to_euler()


def build_studio() -> None:
    """Add floor, sky, a soft key light, a rim light and the renderer's settings to the scene."""
    scene = bpy.context.scene
    floor = bpy.data.meshes.new("Studio floor")
    floor.from_pydata([(-60, -60, 0), (60, -60, 0), (60, 60, 0), (-60, 60, 0)], [], [(0, 1, 2, 3)])
    floor.materials.append(floor_material())
    _link(scene, bpy.data.objects.new("Studio floor", floor)).hide_select = True

    world = bpy.data.worlds.new("Studio sky")
    world.use_nodes = True
    sky = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    sky.inputs["Color"].default_value = (*BACKGROUND, 1.0)
    sky.inputs["Strength"].default_value = 1.0
    scene.world = world

    for name, energy, angle, place in (
        ("Key light", 2.6, 14.0, (-3.0, -3.5, 6.0)),
        ("Rim light", 1.2, 25.0, (4.0, 5.0, 4.0)),
    ):
        light = bpy.data.lights.new(name, "SUN")
        light.energy, light.angle = energy, math.radians(angle)
        lamp = _link(scene, bpy.data.objects.new(name, light))
        lamp.location = place
        _aim(lamp, Vector((0, 0, 0.5)))
        lamp.hide_select = True

    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.max_bounces = 2
    scene.cycles.use_denoising = True  # with few samples: the light is soft and the surfaces plain
    scene.cycles.denoising_input_passes = "RGB_ALBEDO"
    scene.cycles.denoising_prefilter = "NONE"
    if hasattr(scene.cycles, "denoising_quality"):
        scene.cycles.denoising_quality = "BALANCED"
    scene.cycles.use_adaptive_sampling = True
    scene.render.use_persistent_data = True
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"


def smooth(path: np.ndarray, width: int) -> np.ndarray:
    """Return `path` (frames, axes) averaged twice over a window of `width` frames.

    Beyond its ends it goes on as it came, so that the average does not lag there.
    """
    if width < 2 or len(path) < 2:
        return path
    kernel = np.ones(width) / width
    width = min(width, len(path) - 1)
    for _ in range(2):
        padded = np.pad(path, ((width, width), (0, 0)), mode="reflect", reflect_type="odd")
        rows = [np.convolve(padded[:, a], kernel, mode="same") for a in range(path.shape[1])]
        path = np.stack(rows, axis=1)[width:-width]
    return path


def add_camera(boxes: np.ndarray, first: int, fps: float) -> bpy.types.Object:
    """Add the camera, which follows the character softly from the front left; return it.

    Parameters
    ----------
    boxes : (frames, 2, 3) array
        The character's box in every frame (see `travel`).
    first : int
        Frame number of the first box.
    fps : float
    """
    scene = bpy.context.scene
    centre = boxes.mean(axis=1)
    middle = smooth(centre[:, :2], int(fps * 0.8))
    focus = bpy.data.objects.new("Camera focus", None)
    focus.empty_display_size = 0.1
    _link(scene, focus)
    for i in range(0, len(middle), 3):
        focus.location = (*middle[i], 0.0)
        focus.keyframe_insert("location", frame=first + i)
    reach = np.abs(boxes - np.concatenate([middle, np.zeros((len(middle), 1))], axis=1)[:, None]).max(
        axis=(0, 1)
    )
    height = max(float(boxes[:, 1, 2].max()), 1.2)
    needed = max(height, 1.15 * 2 * float(reach[:2].max()))
    camera = bpy.data.objects.new("Studio camera", bpy.data.cameras.new("Studio camera"))
    camera.data.lens = 50
    camera.data.sensor_fit = "AUTO"
    _link(scene, camera)
    camera.parent = focus
    target = Vector((0, 0, height * 0.48))
    distance = 1.22 * needed / (36 / 50)
    camera.location = target + Vector((-0.62, -1.0, 0.26)).normalized() * distance
    _aim(camera, target)
    scene.camera = camera
    return camera


def freeze_pose(
    meshes: list[bpy.types.Object], name: str, turn: float
) -> tuple[bpy.types.Object, np.ndarray]:
    """Copy the deformed meshes of this moment into one object, turned and set over the origin.

    Parameters
    ----------
    meshes : list of objects
    name : str
        Name of the copy.
    turn : float
        Turn about the vertical, radians.

    Returns
    -------
    copy : object
        Parentless; its materials are those of the meshes.
    box : (2, 3) array
        Its lowest and highest corner, metres.
    """
    graph = bpy.context.evaluated_depsgraph_get()
    low, high = bounds(meshes)
    middle = Vector((*((low + high) / 2)[:2], 0.0))
    place = Matrix.Rotation(turn, 4, "Z") @ Matrix.Translation(-middle)
    root = _link(bpy.context.scene, bpy.data.objects.new(name, None))
    points = []
    for mesh in meshes:
        evaluated = mesh.evaluated_get(graph)
        data = bpy.data.meshes.new_from_object(evaluated, depsgraph=graph)
        data.transform(place @ evaluated.matrix_world)
        copy = _link(bpy.context.scene, bpy.data.objects.new(name, data))
        copy.parent = root
        local = np.empty(len(data.vertices) * 3, dtype=np.float32)
        data.vertices.foreach_get("co", local)
        points.append(local.reshape(-1, 3))
    joined = np.concatenate(points)
    return root, np.stack([joined.min(axis=0), joined.max(axis=0)])


def remove_tree(root: bpy.types.Object) -> None:
    """Remove an object with its children and their meshes."""
    for child in list(root.children):
        data = child.data
        bpy.data.objects.remove(child)
        bpy.data.meshes.remove(data)
    bpy.data.objects.remove(root)


def render_sheet(path: Path, meshes: list[bpy.types.Object], first: int, last: int) -> None:
    """Render `SHEET_POSES` moments of the clip side by side, left to right, into one PNG.

    Each moment is a frozen copy of the character, turned a little to the side (a stride is hard to see
    from the front) and set in a row, so that a clip that travels and one that stays both fill the picture.

    Parameters
    ----------
    path : Path
        Where the PNG goes.
    meshes : list of objects
    first, last : int
        The clip's frames.
    """
    scene = bpy.context.scene
    moments = np.linspace(first, last, 2 * SHEET_POSES + 1)[1::2]
    poses = []
    for moment in moments:
        scene.frame_set(round(float(moment)))
        poses.append(freeze_pose(meshes, f"Pose at {round(float(moment))}", math.radians(SHEET_TURN)))
    edge = 0.0
    for root, box in poses:
        root.location.x = edge - float(box[0, 0])
        edge += float(box[1, 0] - box[0, 0]) + SHEET_GAP
    total = edge - SHEET_GAP
    for root, _ in poses:
        root.location.x -= total / 2
    height = max(1.5, *(float(box[1, 2]) for _, box in poses))
    for mesh in meshes:
        mesh.hide_render = True
    data = bpy.data.cameras.new("Sheet camera")
    data.lens = 85
    camera = _link(scene, bpy.data.objects.new("Sheet camera", data))
    target = Vector((0, 0, height * 0.47))
    wide = total + 0.5
    camera.location = target + Vector((0, -1.0, 0.16)).normalized() * (wide / (36 / 85) + 0.5)
    _aim(camera, target)
    old_camera, scene.camera = scene.camera, camera
    fade = next(n for n in bpy.data.materials["Studio floor"].node_tree.nodes if n.type == "MAP_RANGE")
    near, far = fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value
    depth = float(camera.location.length)
    fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = depth + 0.5, depth + 6.0
    share = min(0.6, max(0.2, height * 1.25 / wide))
    _render_settings(width=SHEET_WIDTH, height=int(SHEET_WIDTH * share), samples=16)
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = near, far
    scene.camera = old_camera
    for root, _ in poses:
        remove_tree(root)
    bpy.data.objects.remove(camera)
    for mesh in meshes:
        mesh.hide_render = False


def _render_settings(width: int, height: int, samples: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = width - width % 2, height - height % 2
    scene.render.resolution_percentage = 100
    scene.cycles.samples = samples


def render_clip(path: Path, every: int) -> None:
    """Render the scene's frame range into an MP4, every `every`-th frame, at its true speed.

    Parameters
    ----------
    path : Path
        Where the MP4 goes.
    every : int
        2 renders each second frame.
    """
    scene = bpy.context.scene
    _render_settings(width=360, height=360, samples=4)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and newer
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    video = scene.render.ffmpeg
    video.format, video.codec, video.constant_rate_factor = "MPEG4", "H264", "HIGH"
    scene.frame_step = every
    scene.render.fps_base *= every
    scene.render.filepath = str(path)
    scene.render.use_file_extension = False
    bpy.ops.render.render(animation=True)
