# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig maps as files: shared, corrected, remembered per rig, and refused with the names of the bones."""

from __future__ import annotations

import json

import addon_rig_tables as tables
import pytest

pytest.importorskip("bpy")

from blender_addon.rig_maps import map_bones, store
from blender_addon.rig_maps.document import MapError, dumps, fingerprint, loads

RIGS = tables.rigs()
MIXAMO = RIGS["mixamo"]


@pytest.mark.parametrize("name", RIGS)
def test_there_and_back(name):
    rig = RIGS[name]
    mapping = map_bones(rig.parents)
    assert loads(dumps(mapping, rig.parents), rig.parents) == mapping


def test_same_rig_in_another_namespace():
    text = dumps(map_bones(MIXAMO.parents), MIXAMO.parents)
    other = RIGS["mixamo_numbered"]
    assert loads(text, other.parents).bones == other.joints
    assert fingerprint(MIXAMO.parents) == fingerprint(other.parents) != fingerprint(RIGS["ue4"].parents)


def changed(**joints: str | None) -> str:
    data = json.loads(dumps(map_bones(MIXAMO.parents), MIXAMO.parents))
    data["joints"] |= joints
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "no rig map: line 1 is not JSON"),
        ("[]", "needs 'schema', 'family' and 'joints'"),
        ('{"schema": 9, "joints": {}}', r"newer version \(9\)"),
        ('{"schema": "x", "joints": {}}', "'schema' is 'x'"),
        (changed(left_knee="Knee"), r"has no bones 'Knee' \(left knee\)"),
        (changed(left_knee=None), "no bone for: left knee"),
        (changed(left_knee=7), "no bone's name stands for: 'left_knee'"),
        (changed(third_arm="mixamorig:Spine"), "joints that do not exist: 'third_arm'"),
        (
            changed(left_knee="mixamorig:RightLeg"),
            r"twice: 'mixamorig:RightLeg' \(left knee and right knee\)",
        ),
        (
            changed(left_knee="mixamorig:LeftUpLeg", left_hip="mixamorig:LeftLeg"),
            r"'mixamorig:LeftLeg' \(left hip\) hangs from 'mixamorig:LeftUpLeg' \(left knee\)",
        ),
    ],
)
def test_bad_maps_are_refused_by_name(text, sentence):
    with pytest.raises(MapError, match=sentence):
        loads(text, MIXAMO.parents)


def test_remembered_per_rig(tmp_path):
    folder = tmp_path / "maps"
    assert store.recall(folder, MIXAMO.parents) is None
    mapping = map_bones(MIXAMO.parents)
    written = store.remember(folder, mapping, MIXAMO.parents)
    assert [written] == list(folder.iterdir())
    assert store.recall(folder, MIXAMO.parents) == mapping
    assert store.recall(folder, RIGS["ue4"].parents) is None
    written.write_text("{}", encoding="utf-8")
    with pytest.raises(MapError, match=f"{written.name} cannot be used"):
        store.recall(folder, MIXAMO.parents)
    assert store.forget(folder, MIXAMO.parents) and not store.forget(folder, MIXAMO.parents)
