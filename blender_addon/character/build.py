# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the mannequin's armature and mesh objects in the open .blend."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from . import body

NAME = "Mannequin"
SPACING = 1.5
"""Metres between characters that would stand in one another."""
ROOM = 4.0
"""Metres from which on an object is taken for a floor or a room that characters stand in."""

_COLOURS = {body.SHELL: ("Mannequin Shell", (0.74, 0.71, 0.67, 1.0), 0.42),
            body.JOINT: ("Mannequin Joint", (0.055, 0.075, 0.105, 1.0), 0.38)}  # fmt: skip


def add_character(context: bpy.types.Context) -> bpy.types.Object:
    """Add the default character at the 3D cursor, selected and active; returns its armature."""
    collection = _open_collection(context)
    rig = _armature(collection)
    mesh = _mesh_object(rig, collection)
    rig.location = _free_place(context, rig)
    for other in context.view_layer.objects:
        other.select_set(False)
    for made in (rig, mesh):
        made.select_set(made is rig)
    context.view_layer.objects.active = rig
    return rig


def _open_collection(context: bpy.types.Context) -> bpy.types.Collection:
    """The active collection when one can add to it and see it, else the scene's own."""
    layer = context.view_layer.active_layer_collection
    collection = layer.collection
    shut = layer.exclude or layer.hide_viewport or collection.hide_viewport or not layer.is_visible
    if shut or collection.library is not None or collection.override_library is not None:
        return context.scene.collection
    return collection


def _free_place(context: bpy.types.Context, rig: bpy.types.Object) -> Vector:
    """The 3D cursor, or the next place beside it where no other armature and no small object, as the cube of
    a new file, stands in the way."""
    place = Vector(context.scene.cursor.location)
    others = [other for other in context.scene.objects if other != rig and other.visible_get()]
    for _ in range(20):
        if not any(_in_the_way(other, place) for other in others):
            break
        place.x += SPACING
    return place


def _in_the_way(other: bpy.types.Object, place: Vector) -> bool:
    if other.type == "ARMATURE":
        return (other.matrix_world.translation - place).length < SPACING / 2
    if other.type != "MESH" or other.find_armature() is not None:
        return False
    corners = np.array([other.matrix_world @ Vector(corner) for corner in other.bound_box])
    low, high = corners.min(axis=0) - place, corners.max(axis=0) - place
    is_floor_or_room = (high - low)[:2].max() > ROOM
    return not is_floor_or_room and bool((low < (0.2, 0.2, 1.6)).all() and (high > (-0.2, -0.2, 0.1)).all())


def _armature(collection: bpy.types.Collection) -> bpy.types.Object:
    data = bpy.data.armatures.new(NAME)
    rig = bpy.data.objects.new(NAME, data)
    collection.objects.link(rig)
    data.display_type = "STICK"
    rig.show_in_front = True
    view_layer = bpy.context.view_layer
    view_layer.update()
    if bpy.context.object is not None and bpy.context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        heads = body.bone_heads()
        tails = body.bone_tails(heads)
        bones: list[bpy.types.EditBone] = []
        for name, parent, head, tail in zip(body.BONE_NAMES, body.BONE_PARENTS, heads, tails, strict=True):
            bone = data.edit_bones.new(name)
            bone.head, bone.tail = Vector(head), Vector(tail)
            bone.parent = bones[parent] if parent >= 0 else None
            bone.use_connect = bone.parent is not None and (bone.parent.tail - bone.head).length < 1e-5
            # arms: Z of the bone up; everything else: Z to the front
            level = abs(bone.vector.normalized().x) > 0.7
            bone.align_roll(Vector((0, 0, 1)) if level else Vector((0, -1, 0)))
            bones.append(bone)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def _mesh_object(rig: bpy.types.Object, collection: bpy.types.Collection) -> bpy.types.Object:
    surface = body.mannequin()
    mesh = bpy.data.meshes.new(NAME)
    mesh.from_pydata(np.concatenate(surface.vertices).tolist(), [], surface.faces)
    mesh.polygons.foreach_set("material_index", np.array(surface.materials, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(surface.faces), dtype=bool))
    for slot in sorted(_COLOURS):
        mesh.materials.append(_material(*_COLOURS[slot]))
    mesh.update()
    made = bpy.data.objects.new(f"{NAME} Body", mesh)
    collection.objects.link(made)
    for bone, parts in surface.weights.items():
        group = made.vertex_groups.new(name=bone)
        for indices, weights in parts:
            for weight in np.unique(weights):
                if weight > 0:
                    group.add(indices[weights == weight].tolist(), float(weight), "REPLACE")
    made.parent = rig
    modifier = made.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig
    return made


def _material(name: str, colour: tuple[float, float, float, float], roughness: float) -> bpy.types.Material:
    """The mannequin's material of that name, made on first use."""
    material = bpy.data.materials.get(name)
    if material is not None and material.library is None:
        return material
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before 5.0 a new material has no nodes
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = roughness
    material.diffuse_color = colour
    material.roughness = roughness
    return material
