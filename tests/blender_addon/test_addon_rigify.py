# SPDX-License-Identifier: GPL-3.0-or-later
"""The Rigify human that Blender itself generates: its controls are found among 706 bones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("bpy")

import bpy

from blender_addon.rig_maps import Rest, RigError, map_bones, recognize

CONTROLS = {
    "pelvis": "torso", "spine2": "spine_fk.002", "spine3": "spine_fk.003", "neck": "neck", "head": "head",
    "hip": "thigh_fk", "knee": "shin_fk", "ankle": "foot_fk", "foot": "toe_fk",
    "collar": "shoulder", "shoulder": "upper_arm_fk", "elbow": "forearm_fk", "wrist": "hand_fk",
}  # fmt: skip
METARIG = {
    "pelvis": "spine", "spine1": "spine.001", "spine2": "spine.002", "spine3": "spine.003",
    "neck": "spine.004", "head": "spine.006",
    "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "toe",
    "collar": "shoulder", "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand",
}  # fmt: skip
DEFORM = {part: f"DEF-{bone}" for part, bone in METARIG.items()}
SIDED = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


def both_sides(parts: dict[str, str]) -> dict[str, str]:
    found = {}
    for part, bone in parts.items():
        if part in SIDED:
            found |= {f"left_{part}": f"{bone}.L", f"right_{part}": f"{bone}.R"}
        else:
            found[part] = bone
    return found


def read(rig: Any) -> tuple[dict[str, str | None], Rest]:
    bones = rig.data.bones
    parents = {bone.name: bone.parent.name if bone.parent else None for bone in bones}
    return parents, {bone.name: np.array([bone.head_local, bone.tail_local]) for bone in bones}


@pytest.fixture(scope="module")
def human() -> Any:
    """Parents and rest positions of the metarig and of the generated rig, its properties; generated once."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = read(bpy.context.object)
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    properties = {(bone.name, key): bone[key] for bone in rig.pose.bones for key in bone.keys()}  # noqa: SIM118
    yield metarig, read(rig), properties
    bpy.ops.wm.read_factory_settings(use_empty=True)


def test_generated_rig(human):
    _, (parents, rest), properties = human
    assert len(parents) > 600
    for positions in (None, rest):
        mapping = map_bones(parents, positions)
        assert (mapping.family, mapping.kind) == ("Rigify", "control")
        assert mapping.bones == both_sides(CONTROLS)
    hints = mapping.hints
    assert {switch.limb for switch in hints.switches} == {"left_arm", "right_arm", "left_leg", "right_leg"}
    for switch in hints.switches:
        assert properties[switch.bone, switch.prop] == switch.ik  # as Rigify generates it
    assert hints.root == ("root",)
    assert set(hints.ik) == {
        f"{s}_{p}" for s in ("left", "right") for p in ("elbow", "wrist", "knee", "ankle", "foot")
    }


def test_metarig(human):
    (parents, rest), *_ = human
    for positions in (None, rest):
        mapping = map_bones(parents, positions)
        assert (mapping.family, mapping.kind) == ("Rigify metarig", "deform")
        assert mapping.bones == both_sides(METARIG)


def test_exported_deform_bones(human):
    """Only the DEF bones, hung on one another as exporters do."""
    _, (parents, rest), _ = human
    kept = {bone for bone in parents if bone.startswith("DEF-")}
    exported = {}
    for bone in kept:
        above = parents[bone]
        while above is not None and above not in kept:
            other = above.replace("ORG-", "DEF-")
            above = other if above.startswith("ORG-") and other in kept and other != bone else parents[above]
        exported[bone] = above
    mapping = map_bones(exported, {bone: rest[bone] for bone in kept})
    assert mapping.family == "Rigify (deform bones)"
    assert mapping.bones == both_sides(DEFORM)


def test_generated_rig_without_names_asks(human):
    """Layers of chains lie on top of one another: which are the controls cannot be seen."""
    _, (parents, rest), _ = human
    names = {bone: f"b{i}" for i, bone in enumerate(parents)}
    unnamed = {names[b]: names[p] if p else None for b, p in parents.items()}
    found = recognize(unnamed, {names[b]: ends for b, ends in rest.items()})
    assert not found.sure
    with pytest.raises(RigError, match="no known rig"):
        map_bones(unnamed, {names[b]: ends for b, ends in rest.items()})


def test_metarig_without_names(human):
    (parents, rest), *_ = human
    names = {bone: f"b{i}" for i, bone in enumerate(parents)}
    unnamed = {names[b]: names[p] if p else None for b, p in parents.items()}
    found = recognize(unnamed, {names[b]: ends for b, ends in rest.items()})
    assert found.sure, found.sentence
    expected = both_sides(METARIG)
    for joint, bone in found.mapping.bones.items():
        if "spine" not in joint:
            assert bone == names[expected[joint]], joint
