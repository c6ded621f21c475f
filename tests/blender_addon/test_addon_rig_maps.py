# SPDX-License-Identifier: GPL-3.0-or-later
"""Names to joints, and the sentences for rigs that do not fit."""

from __future__ import annotations

import pytest

pytest.importorskip("bpy")

from addon_rigs import MIXAMO, NAMES

from blender_addon.rig_maps import RigError, map_bones
from motion_engine import skeleton


def tree(name_of: dict[str, str]) -> dict[str, str | None]:
    """Bone -> parent for a body with these bone names."""
    parents = {}
    for joint, name in enumerate(NAMES):
        if name in name_of:
            parent = int(skeleton.PARENTS[joint])
            while parent >= 0 and NAMES[parent] not in name_of:
                parent = int(skeleton.PARENTS[parent])
            parents[name_of[name]] = name_of[NAMES[parent]] if parent >= 0 else None
    return parents


def test_every_joint_of_a_complete_rig():
    mapping = map_bones(tree(MIXAMO))
    assert mapping.family == "Mixamo"
    assert mapping.bones == MIXAMO


def test_optional_joints_may_be_missing():
    fewer = {k: v for k, v in MIXAMO.items() if k not in {"spine3", "neck", "left_foot", "right_collar"}}
    assert map_bones(tree(fewer)).bones == fewer


def test_rig_without_legs_is_named():
    legless = {k: v for k, v in MIXAMO.items() if k.split("_")[-1] not in {"hip", "knee", "ankle", "foot"}}
    with pytest.raises(RigError, match="Mixamo rig that has no legs"):
        map_bones(tree(legless))


def test_missing_bone_is_named():
    with pytest.raises(RigError, match=r"lacks the left knee.*leftleg"):
        map_bones(tree({k: v for k, v in MIXAMO.items() if k != "left_knee"}))


def test_wrong_parent_order_is_refused():
    parents = tree(MIXAMO)
    parents["LeftUpLeg"], parents["LeftLeg"] = "LeftLeg", "Hips"
    with pytest.raises(RigError, match="wrong parent"):
        map_bones(parents)


def test_unknown_rig_lists_the_known_ones():
    with pytest.raises(RigError, match=r"Bone, Bone\.001.*no known rig.*SMPL-X.*Mixamo"):
        map_bones({"Bone": None, "Bone.001": "Bone"})


def test_no_bones():
    with pytest.raises(RigError, match="no bones"):
        map_bones({})
