# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin's surface on any rig of the tests: fitted to its rest pose and weighted to its bones."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray
from rig_measure import Figure

from blender_addon.character import body
from blender_addon.retarget.rest import engine_to_rig, rest_to_t_pose
from motion_engine import quaternion as quat
from motion_engine import skeleton

Array = NDArray[np.floating]
J = skeleton.JOINT

_CHILD = {
    "neck": "head", "hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist",
}  # fmt: skip
_TRUNK = ("pelvis", "spine1", "spine2", "spine3")
_SIZES = (
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("pelvis", "neck"),
    ("left_hip", "left_knee"),
)
DARK = (0.055, 0.075, 0.105)


def dress(figure: Figure, name: str, colour: tuple[float, float, float]) -> bpy.types.Object:
    """The mannequin as a mesh that the figure's armature deforms."""
    surface = body.mannequin()
    points, weights = np.concatenate(surface.vertices), _weights(surface)
    heads = _all_heads(figure)
    fitted = np.zeros_like(points)
    for joint in skeleton.JOINT_NAMES:
        weight = weights.get(joint)
        if weight is not None:
            fitted += weight[:, None] * _fit(points, joint, heads)
    matrix = np.array(figure.target.matrix_world.inverted() @ figure.frame)
    fitted = fitted @ matrix[:3, :3].T + matrix[:3, 3]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(fitted.tolist(), [], surface.faces)
    mesh.polygons.foreach_set("material_index", np.array(surface.materials, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(surface.faces), dtype=bool))
    for title, rgb in ((f"{name} shell", colour), (f"{name} joint", DARK)):
        mesh.materials.append(_material(title, rgb))
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    made.parent = figure.target
    for joint, weight in weights.items():
        bone = figure.bones.get(joint) or figure.bones[joint.replace("_foot", "_ankle")]
        group = made.vertex_groups.get(bone) or made.vertex_groups.new(name=bone)
        for value in np.unique(weight[weight > 0]):
            group.add(np.flatnonzero(weight == value).tolist(), float(value), "REPLACE")
    made.modifiers.new("Armature", "ARMATURE").object = figure.target
    return made


def _weights(surface: body.Surface) -> dict[str, Array]:
    """Joint -> weight (n,) of every vertex; fingers go with the wrist."""
    count = sum(len(part) for part in surface.vertices)
    found: dict[str, Array] = {}
    for bone, parts in surface.weights.items():
        joint = bone.replace("_hand", "_wrist")
        weight = found.setdefault(joint, np.zeros(count))
        for indices, values in parts:
            weight[indices] += values
    return found


def _all_heads(figure: Figure) -> Array:
    heads = figure.heads.copy()
    heads[[J["left_foot"], J["right_foot"]]] = figure.balls
    return heads


def _fit(points: Array, joint: str, heads: Array) -> Array:
    """Where a part of the mannequin (n, 3) lies on the rig's rest pose: turned and stretched with its bone."""
    reference = body.bone_heads()[: skeleton.N_JOINTS]
    at = J[joint]
    to_rig = engine_to_rig(heads)
    turn = quat.conjugate(rest_to_t_pose(heads, to_rig))[at]
    side, _, part = joint.rpartition("_")
    size = float(np.median([_length(heads, *ends) / _length(reference, *ends) for ends in _SIZES]))
    if part in _TRUNK:
        return _fit_trunk(points, heads, reference, size)
    if part == "collar":  # rigs begin it anywhere, and end it at the shoulder
        end = J[f"{side}_shoulder"]
        return heads[end] + size * quat.rotate(turn, points - reference[end])
    away = points - reference[at]
    if part in ("ankle", "foot"):
        flat = _flat(heads, side) / _flat(reference, side)
        away = away * (flat, flat, heads[at, 2] / reference[at, 2])
    elif part in _CHILD:
        child = J[f"{side}_{_CHILD[part]}".lstrip("_")]
        along = reference[child] - reference[at]
        length = float(np.linalg.norm(along))
        along = along / length
        share = float(np.linalg.norm(heads[child] - heads[at])) / length
        across = size if part == "neck" else np.sqrt(share * size)
        away = across * away + (share - across) * (away @ along)[:, None] * along
    elif part == "head":
        away = away * _head_size(heads, reference, size)
    else:
        away = away * size
    return heads[at] + quat.rotate(turn, away)


def _fit_trunk(points: Array, heads: Array, reference: Array, size: float) -> Array:
    """The trunk along the line from pelvis to neck, as rigs divide their spines in many ways."""
    hips = [J["left_hip"], J["right_hip"]]
    low, high = reference[J["pelvis"]], reference[J["neck"]]
    along = ((points[:, 2] - low[2]) / (high[2] - low[2]))[:, None]
    aside = points - low - along * (high - low)
    # seen from the hips: some rigs have their lowest bone elsewhere
    base = heads[hips].mean(axis=0) + size * (low - reference[hips].mean(axis=0))
    return base + along * (heads[J["neck"]] - base) + size * aside


def _head_size(heads: Array, reference: Array, size: float) -> float:
    """Scale of a head: children's are large for their legs, giants' small."""
    legs = _length(heads, "left_hip", "left_knee") / _length(reference, "left_hip", "left_knee")
    return size * float(np.clip((size / legs) ** 2, 0.75, 1.6))


def _length(heads: Array, first: str, second: str) -> float:
    return float(np.linalg.norm(heads[J[first]] - heads[J[second]]))


def _flat(heads: Array, side: str) -> float:
    return float(np.linalg.norm((heads[J[f"{side}_foot"]] - heads[J[f"{side}_ankle"]])[:2]))


def _material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before 5.0 a new material has no nodes
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.42
    return material
