# SPDX-License-Identifier: GPL-3.0-or-later
"""The default character."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from blender_addon.axes import to_blender  # noqa: E402
from blender_addon.character import body  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from motion_engine import skeleton  # noqa: E402


def mesh_of(rig):
    return next(child for child in rig.children if child.type == "MESH")


def test_bones_are_smpl_in_t_pose(scene):
    rig = add_character(bpy.context)
    assert [bone.name for bone in rig.data.bones if bone.name in skeleton.JOINT_NAMES] != []
    for joint, name in enumerate(skeleton.JOINT_NAMES):
        bone = rig.data.bones[name]
        expected = to_blender(skeleton.REST_JOINTS[joint]) + (0, 0, skeleton.REST_PELVIS_HEIGHT)
        np.testing.assert_allclose(bone.head_local, expected, atol=1e-5)
        parent = skeleton.PARENTS[joint]
        assert (bone.parent.name if bone.parent else None) == (
            skeleton.JOINT_NAMES[parent] if parent >= 0 else None
        )
    assert {"left_hand", "right_hand"} <= set(rig.data.bones.keys())


def test_mesh_stands_on_the_floor_and_is_closed_and_skinned(scene):
    rig = add_character(bpy.context)
    mesh = mesh_of(rig)
    heights = np.array([vertex.co.z for vertex in mesh.data.vertices])
    assert heights.min() == pytest.approx(0.0, abs=1e-4)
    assert 1.6 < heights.max() < 1.85
    assert not mesh.data.validate()
    edges = {}
    for polygon in mesh.data.polygons:
        for edge in polygon.edge_keys:
            edges[edge] = edges.get(edge, 0) + 1
    assert set(edges.values()) == {2}
    for vertex in mesh.data.vertices:
        assert sum(group.weight for group in vertex.groups) == pytest.approx(1.0, abs=1e-4)
    assert {group.name for group in mesh.vertex_groups} <= set(rig.data.bones.keys())
    assert len(mesh.data.materials) == 2
    assert all(polygon.use_smooth for polygon in mesh.data.polygons)


def test_faces_look_outwards():
    surface = body.mannequin()
    points = np.concatenate(surface.vertices)
    volume = 0.0
    for face in surface.faces:
        a = points[face[0]]
        for second, third in itertools.pairwise(face[1:]):
            volume += np.dot(a, np.cross(points[second], points[third])) / 6
    assert 0.03 < volume < 0.12  # cubic metres, positive when the faces look outwards


def test_a_second_one_stands_beside_the_first(scene):
    first = add_character(bpy.context)
    bpy.context.view_layer.update()
    second = add_character(bpy.context)
    bpy.context.view_layer.update()
    assert (first.location - second.location).length > 0.5
    assert bpy.context.view_layer.objects.active == second
    assert [other for other in bpy.context.view_layer.objects if other.select_get()] == [second]
    assert len(bpy.data.materials) == 2


def test_stands_beside_the_cube_of_a_new_file_but_inside_a_room(scene):
    bpy.ops.mesh.primitive_plane_add(size=20)
    bpy.ops.mesh.primitive_cube_add(size=12)
    assert add_character(bpy.context).location.x == 0
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(size=2)
    bpy.context.view_layer.update()
    rig = add_character(bpy.context)
    assert rig.location.x > 1.2
    assert rig.location.z == 0


@pytest.mark.parametrize("shut", ["exclude", "hide_viewport"])
def test_added_where_it_can_be_seen(scene, shut):
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    layer = bpy.context.view_layer.layer_collection.children["Hidden"]
    bpy.context.view_layer.active_layer_collection = layer
    setattr(layer, shut, True)
    rig = add_character(bpy.context)
    assert rig.visible_get()
    assert rig.select_get()


def test_added_while_another_object_is_in_edit_mode(scene):
    bpy.ops.object.armature_add()
    bpy.ops.object.mode_set(mode="EDIT")
    rig = add_character(bpy.context)
    assert rig.mode == "OBJECT"
    assert len(rig.data.bones) == 24
