# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies are found by their shape when the names say nothing."""

from __future__ import annotations

import addon_rig_tables as tables
import numpy as np
import pytest

pytest.importorskip("bpy")

from blender_addon.rig_maps import REQUIRED, RigError, map_bones, recognize
from blender_addon.rig_maps.shape import TITLE
from motion_engine import quaternion as quat

CONTROLS = {"arp_controls", "cloudrig"}
STIFF = {"mpfb_no_toes"}  # without names and without toes, nothing tells the front
RIGS = {pose: tables.rigs(pose) for pose in (0.0, 45.0)}
NAMES = [name for name in RIGS[0.0] if name not in CONTROLS | STIFF]


def nonsense(rig: tables.Rig, seed: int = 0) -> tables.Rig:
    """The rig in random order with names that say nothing."""
    random = np.random.default_rng(seed)
    order = list(rig.parents)
    random.shuffle(order)
    renamed = rig.renamed({bone: f"кость {chr(0x410 + i % 26)}{i}q" for i, bone in enumerate(order)})
    renamed.parents = {bone: renamed.parents[bone] for bone in sorted(renamed.parents)}
    return renamed


def check(found: dict[str, str], rig: tables.Rig) -> None:
    """Limbs, neck and head are the family's own; the spine lies between pelvis and chest."""
    above = {}
    for bone in rig.parents:
        chain, here = [], bone
        while here is not None:
            chain.append(here)
            here = rig.parents[here]
        above[bone] = chain
    for joint in REQUIRED | {"head", "left_foot", "right_foot"}:
        if joint == "pelvis" or joint not in rig.joints:
            continue
        if joint.endswith("_foot") and joint in found:  # any of the toes does
            assert np.allclose(rig.rest[found[joint]][0], rig.rest[rig.joints[joint]][0]), joint
            continue
        assert found.get(joint) == rig.joints[joint], joint
    # another bone at the same place does as well
    assert found["pelvis"] in above[rig.joints["left_hip"]] and rig.joints["pelvis"] in above[found["pelvis"]]
    for side in ("left", "right"):
        assert rig.joints[f"{side}_collar"] in above[found[f"{side}_collar"]]
        assert found[f"{side}_collar"] in above[found[f"{side}_shoulder"]][1:]
    assert found["neck"] in above[found["head"]][1:]
    for joint in ("spine1", "spine2", "spine3"):
        if joint in found:
            assert found["pelvis"] in above[found[joint]][1:]
            assert found[joint] in above[found["left_shoulder"]]


@pytest.mark.parametrize("pose", RIGS)
@pytest.mark.parametrize("name", NAMES)
def test_without_names(name, pose):
    rig = nonsense(RIGS[pose][name])
    found = recognize(rig.parents, rig.rest)
    assert found.sure, found.sentence
    assert found.mapping.family == TITLE
    check(found.mapping.bones, rig)


TURN = quat.to_matrix(quat.from_axis_angle(np.array([0.7, -1.1, 2.0])))


@pytest.mark.parametrize(
    "matrix",
    [0.01 * np.eye(3), 100.0 * np.eye(3), TURN, 37.0 * TURN.T, np.eye(3)[[1, 2, 0]], np.diag([-1.0, -1.0, 1.0])],
    ids=["0.01", "100", "turned", "turned and 37", "axes exchanged", "facing back"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["mixamo", "daz_g8", "mmd", "vroid", "mpfb_default", "custom"])
def test_any_size_and_turn(name, matrix):
    rig = nonsense(RIGS[45.0][name].moved(matrix), seed=1)
    found = recognize(rig.parents, rig.rest)
    assert found.sure, found.sentence
    check(found.mapping.bones, rig)


def test_tails_that_point_anywhere():
    random = np.random.default_rng(3)
    for name in NAMES:
        rig = nonsense(RIGS[0.0][name])
        for ends in rig.rest.values():
            ends[1] = ends[0] + 0.1 * random.normal(size=3)
        found = recognize(rig.parents, rig.rest)
        assert found.sure, (name, found.sentence)
        check(found.mapping.bones, rig)


def test_slightly_lopsided_body():
    random = np.random.default_rng(4)
    rig = nonsense(RIGS[45.0]["mixamo"])
    for ends in rig.rest.values():
        ends += random.normal(scale=0.004, size=3)
    check(map_bones(rig.parents, rig.rest).bones, rig)


def without(rig: tables.Rig, *starts: str) -> tables.Rig:
    """The rig without the bones of these names and all below them."""
    gone: set[str] = set()
    for bone in rig.parents:
        here: str | None = bone
        while here is not None:
            if here in starts:
                gone.add(bone)
            here = rig.parents[here]
    return tables.Rig(
        rig.family,
        {b: p for b, p in rig.parents.items() if b not in gone},
        {b: r for b, r in rig.rest.items() if b not in gone},
        {j: b for j, b in rig.joints.items() if b not in gone},
    )


def test_without_toes_it_asks():
    rig = nonsense(without(RIGS[0.0]["rokoko"], "LeftToe", "RightToe"))
    found = recognize(rig.parents, rig.rest)
    assert not found.sure
    assert "front cannot be told from its back" in found.sentence
    assert {j for j in found.mapping.bones if j in REQUIRED} == REQUIRED  # the guess is there to be corrected


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (("LeftThigh", "RightThigh"), "one pair of mirrored limbs"),
        (("LeftShoulder", "RightShoulder"), "one pair of mirrored limbs"),
        (("RightShoulder",), "one pair of mirrored limbs"),
        (("Spine1", "LeftThigh", "RightThigh"), "no known rig"),
    ],
)
def test_incomplete_bodies_are_refused(lost, sentence):
    rig = nonsense(without(RIGS[0.0]["rokoko"], *lost))
    with pytest.raises(RigError, match=sentence):
        map_bones(rig.parents, rig.rest)


def animal() -> tables.Rig:
    """A plain animal: a level back, and the same limb four times."""
    rig = tables.Rig("animal")
    heads = {
        "b0": (0, 0.5, 1.0),
        "b1": (0, 0.2, 1.05),
        "b2": (0, -0.3, 1.05),
        "b3": (0, -0.6, 1.3),
        "b4": (0, -0.8, 1.5),
    }
    rig.parents = {"b0": None, "b1": "b0", "b2": "b1", "b3": "b2", "b4": "b3", "t": "b0"}
    heads["t"] = (0, 0.9, 0.9)
    for x in (0.15, -0.15):
        for root, y in (("b0", 0.5), ("b2", -0.3)):
            above = root
            for n, (dy, z) in enumerate(((0.0, 0.95), (-0.05, 0.55), (0.03, 0.12), (-0.08, 0.03))):
                name = f"{root}{x:+}{n}"
                rig.parents[name], above = above, name
                heads[name] = (x, y + dy, z)
    rig.rest = {bone: np.array([at, np.add(at, (0, 0, 0.05))], dtype=float) for bone, at in heads.items()}
    return rig


def test_animal_is_refused_by_its_shape():
    rig = animal()
    with pytest.raises(RigError, match="four legs"):
        map_bones(rig.parents, rig.rest)


def test_animal_with_a_body_s_names_is_refused():
    """Some tools name an animal's front legs as arms."""
    rig = animal()
    arms = {"+": "Left", "-": "Right"}
    names = {"b0": "Hips", "b1": "Spine", "b2": "Spine1", "b3": "Neck", "b4": "Head", "t": "Tail"}
    for sign, side in arms.items():
        for n, part in enumerate(("UpLeg", "Leg", "Foot", "ToeBase")):
            names[f"b0{sign}0.15{n}"] = side + part
        for n, part in enumerate(("Arm", "ForeArm", "Hand", "HandMiddle1")):
            names[f"b2{sign}0.15{n}"] = side + part
    named = rig.renamed(names)
    with pytest.raises(RigError, match="four legs: 'LeftHand' and 'RightHand' reach the ground"):
        map_bones(named.parents, named.rest)


def test_half_named_rig_agrees_with_its_shape():
    rig = RIGS[45.0]["ue4"]
    odd = {"calf_l": "under_l", "calf_r": "under_r"}
    renamed = rig.renamed({bone: odd.get(bone, bone) for bone in rig.parents})
    assert map_bones(renamed.parents, renamed.rest).bones["left_knee"] == "under_l"
    with pytest.raises(RigError, match="lacks the left knee"):
        map_bones(renamed.parents)  # names alone do not tell


def dressed(rig: tables.Rig, what: str) -> tables.Rig:
    """The rig with bones that are no part of a body."""
    at = {joint: rig.rest[bone][0] for joint, bone in rig.joints.items()}

    def chain(name: str, above: str, start: np.ndarray, step: tuple[float, float, float], n: int) -> None:
        for i in range(n):
            rig.parents[f"{name}{i}"], above = above, f"{name}{i}"
            head = start + i * np.array(step)
            rig.rest[above] = np.stack([head, head + step])

    head, pelvis, hand = rig.joints["head"], rig.joints["pelvis"], rig.joints["right_wrist"]
    for side, x in (("l", 1.0), ("r", -1.0)):
        if what == "twin tails":
            chain(f"hair {side}", head, at["head"] + [0.1 * x, 0.1, 0.1], (0.03 * x, 0.0, -0.18), 6)
        if what == "skirt":
            chain(f"front {side}", pelvis, at["pelvis"] + [0.12 * x, -0.12, -0.05], (0.02 * x, 0.0, -0.14), 6)
            chain(f"back {side}", pelvis, at["pelvis"] + [0.12 * x, 0.14, -0.05], (0.02 * x, 0.0, -0.14), 6)
        if what == "wings":
            chest = rig.joints.get("spine3", rig.joints.get("spine2"))
            chain(f"wing {side}", chest, at["neck"] + [0.05 * x, 0.12, -0.1], (0.3 * x, 0.1, 0.2), 4)
    if what == "sword":
        chain("sword", hand, at["right_wrist"] + [0.0, -0.1, 0.0], (0.0, -0.4, 0.1), 3)
    if what == "tail":
        chain("tail", pelvis, at["pelvis"] + [0.0, 0.1, 0.0], (0.0, 0.12, -0.05), 8)
    return rig


@pytest.mark.parametrize("what", ["twin tails", "skirt", "sword", "tail", "wings"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_body_is_passed_over(name, what):
    rig = nonsense(dressed(tables.rigs(40.0)[name], what))
    found = recognize(rig.parents, rig.rest)
    if what == "wings":
        if found.sure:
            limbs = REQUIRED - {"pelvis"}
            assert {j: found.mapping.bones[j] for j in limbs} == {j: rig.joints[j] for j in limbs}
        else:  # without fingers, nothing tells which of them are the arms
            assert "could be its arms" in found.sentence
        return
    assert found.sure, found.sentence
    check(found.mapping.bones, rig)


@pytest.mark.parametrize("degrees", [0.0, 25.0, 50.0, 75.0])
def test_other_builds(degrees, monkeypatch):
    """Long and short legs, arms and necks: a map that is not asked about is right."""
    random = np.random.default_rng(int(degrees))
    asked = 0
    for name in NAMES:
        offsets = tables.skeleton.REST_OFFSETS.copy()
        for joints in (
            [1, 2],
            [4, 5],
            [7, 8],
            [10, 11],
            [3, 6, 9],
            [12],
            [15],
            [13, 14],
            [16, 17],
            [18, 19],
            [20, 21],
        ):
            offsets[joints] *= random.uniform(0.8, 1.25)
        with monkeypatch.context() as patched:
            patched.setattr(tables.skeleton, "REST_OFFSETS", offsets)
            rig = nonsense(tables.rigs(degrees)[name])
        found = recognize(rig.parents, rig.rest)
        asked += not found.sure
        if found.sure:
            check(found.mapping.bones, rig)
    assert asked <= 3
