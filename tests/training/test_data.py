# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re

import numpy as np
import pytest

from motion_engine import features
from motion_engine.formats import bvh
from training.data.bvh_folder import import_folder
from training.data.captions import mirror_caption
from training.data.humanml3d import HumanML3D
from training.data.loader import BalancedSampler
from training.data.motion_set import MotionSet


@pytest.mark.parametrize(
    ("caption", "mirrored"),
    [
        ("someone waves with the right hand", "someone waves with the left hand"),
        ("Left foot first, then the right", "Right foot first, then the left"),
        ("turns clockwise", "turns counterclockwise"),
        ("steps leftward and is left-handed", "steps rightward and is right-handed"),
        ("stands upright and sits right away", "stands upright and sits right away"),
    ],
)
def test_mirrored_captions(caption, mirrored):
    assert mirror_caption(caption) == mirrored
    assert mirror_caption(mirrored) == caption


def test_import_reads_clips_and_says_what_it_skipped(mocap_folder):
    found, skipped = import_folder(mocap_folder)
    assert len(found.motions) == 6 and found.fps == 20.0
    assert len(skipped) == 3
    assert any("damaged" in line and "MOTION" in line for line in skipped)
    assert any("short" in line and "shorter" in line for line in skipped)
    assert any("absent" in line and "no such BVH" in line for line in skipped)
    source = bvh.load(mocap_folder / "walks" / "take_1.bvh")
    imported = found.motions["walks/take_1"]
    assert imported.duration == pytest.approx(source.duration, abs=0.06)
    back = source.resample(20.0).canonical()
    # only the height may differ: the importer puts the feet on the floor
    error = (imported.joints - imported.joints[:, :1]) - (back.joints - back.joints[:, :1])
    assert np.abs(error).max() < 1e-3


def test_import_of_another_skeleton_gives_the_same_motion(mocap_folder, tmp_path):
    """Metres, +Z up, other names, rest pose turned: with a map the clip is the same."""
    text = (mocap_folder / "waves" / "take_0.bvh").read_text()
    renamed = re.sub(r"(ROOT|JOINT) (\w+)", r"\1 rig:\2", text)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.bvh").write_text(renamed)
    window = {"clip": "other/a", "start": 0, "end": 3, "split": "train", "captions": ["x"]}
    (tmp_path / "captions.jsonl").write_text(json.dumps(window))
    with pytest.raises(ValueError, match="no joint for pelvis"):
        import_folder(tmp_path)
    names = re.findall(r"(?:ROOT|JOINT) (\w+)", text)
    (tmp_path / "skeleton.json").write_text(json.dumps({"joints": {name: f"rig:{name}" for name in names}}))
    found, _ = import_folder(tmp_path)
    expected, _ = import_folder(mocap_folder)
    np.testing.assert_allclose(
        found.motions["other/a"].joints, expected.motions["waves/take_0"].joints, atol=1e-5
    )


def test_a_malformed_caption_line_is_named(tmp_path):
    (tmp_path / "captions.jsonl").write_text(
        '{"clip": "a/b", "start": 0, "end": 1, "captions": ["x"]}\n{"clip": 3\n'
    )
    with pytest.raises(ValueError, match="line 2"):
        import_folder(tmp_path)


def test_set_survives_saving(mocap_folder, tmp_path):
    found, _ = import_folder(mocap_folder)
    found.save(tmp_path / "set.npz")
    back = MotionSet.load(tmp_path / "set.npz")
    assert back.windows == found.windows
    for name, motion in found.motions.items():
        np.testing.assert_allclose(back.motions[name].joints, motion.joints, atol=2e-3)
        np.testing.assert_array_equal(back.motions[name].contacts, motion.contacts)


def test_items_carry_mirrored_copies_with_mirrored_words(mocap_folder):
    found, _ = import_folder(mocap_folder)
    plain = list(found.items("train", mirrored=False))
    both = list(found.items("train", mirrored=True))
    assert len(both) == 2 * len(plain) == 8
    copy = next(item for item in both if item.clip == "waves/take_0/mirrored")
    original = next(item for item in plain if item.clip == "waves/take_0")
    assert copy.captions[0] == "a person waves the right hand 0"
    np.testing.assert_allclose(features.mirror(copy.features), original.features, atol=1e-6)


def test_clips_with_nan_or_one_frame_are_skipped_and_named(make_gesture, tmp_path):
    (tmp_path / "s").mkdir()
    for name in ("good", "nan", "one_frame"):
        bvh.save(make_gesture(1, 1 if name == "one_frame" else 60), tmp_path / "s" / f"{name}.bvh")
    file = tmp_path / "s" / "nan.bvh"
    head, last = file.read_text().rstrip().rsplit("\n", 1)
    file.write_text(head + "\nnan " + last.split(" ", 1)[1] + "\n")
    lines = [
        {"clip": f"s/{name}", "start": 0, "end": 2, "captions": ["a person stands"]}
        for name in ("good", "nan", "one_frame")
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found, skipped = import_folder(tmp_path)
    assert list(found.motions) == ["s/good"]
    assert any(line.startswith("s/nan: ") for line in skipped)
    assert any(line.startswith("s/one_frame: ") and "shorter than" in line for line in skipped)


def test_missing_captions_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"captions\.jsonl is missing"):
        import_folder(tmp_path)


def test_balanced_sampling_gives_each_source_its_share():
    sources = ["big"] * 1000 + ["small"] * 10
    drawn = BalancedSampler(sources, {"big": 0.25, "small": 0.75}).draw(20000, np.random.default_rng(0))
    assert np.mean(drawn >= 1000) == pytest.approx(0.75, abs=0.02)


def test_humanml3d_folder(tmp_path):
    for folder in ("new_joint_vecs", "texts"):
        (tmp_path / folder).mkdir()
    rows = np.random.default_rng(0).normal(size=(120, 263)).astype(np.float32)
    for name in ("000001", "M000001"):
        np.save(tmp_path / "new_joint_vecs" / f"{name}.npy", rows)
        (tmp_path / "texts" / f"{name}.txt").write_text(
            "a man walks#a/DET man/NOUN walk/VERB#0.0#0.0\nhe stops#he/PRON stop/VERB#1.0#4.0\nnan#nan/NOUN#nan#nan\n"
        )
    np.save(tmp_path / "new_joint_vecs" / "000002.npy", rows[:10])
    (tmp_path / "texts" / "000002.txt").write_text("too short#x/X#0.0#0.0\n")
    (tmp_path / "train.txt").write_text("000001\nM000001\n000002\n000003\n")
    data = HumanML3D(tmp_path)
    found = list(data.items("train", mirrored=True))
    assert [(len(item.features), item.captions) for item in found[:2]] == [
        (60, ("he stops",)),
        (120, ("a man walks", "nan")),
    ]
    assert len(found) == 4 and len(data.skipped) == 2
    assert len(list(HumanML3D(tmp_path).items("train", mirrored=False))) == 2
