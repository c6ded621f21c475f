# SPDX-License-Identifier: GPL-3.0-or-later
"""Timed prompts on the default bundle: one continuous motion, smooth at its seams."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import Cancelled, EngineError
from motion_engine.timeline import MAX_SECONDS, last_poses, part_requests, read_timeline, seam_jerk

PARTS = (
    ("a person walks forward", 3.0),
    ("a person turns around", 2.5),
    ("a person waves with the right hand", 2.5),
)


@pytest.fixture(scope="module")
def engine():
    return Engine.load(threads=1)


@pytest.fixture(scope="module")
def motions(engine):
    return engine.generate(GenerateRequest(prompts=PARTS, count=3))


def test_length_and_provenance(motions):
    for index, motion in enumerate(motions):
        assert motion.n_frames == 160
        provenance = motion.provenance
        assert [part["prompt"] for part in provenance["parts"]] == [text for text, _ in PARTS]
        assert [part["start"] for part in provenance["parts"]] == [0.0, 3.0, 5.5]
        assert provenance["parts"][-1]["end"] == provenance["duration"] == 8.0
        assert provenance["seed"] == index
        assert len({part["seed"] for part in provenance["parts"]}) == 3
        json.dumps(provenance)


def test_seams_are_no_jerkier_than_twice_the_measured_clips(engine, motions):
    real = engine.bundle.manifest["scores"]["held_out"]["real"]["jerk"]
    jerks = [seam_jerk(motion, [frame]) for motion in motions for frame in (60, 110)]
    assert np.median(jerks) < 2 * real


def test_path_and_heading_go_on(motions):
    for motion in motions:
        for frame in (60, 110):
            jump = np.linalg.norm(motion.joints[frame] - motion.joints[frame - 1], axis=-1)
            assert jump.max() < 0.25  # metres in a twentieth of a second
        # the second and third part go on where the first one walked to
        assert motion.root[59, 2] > 0.8
        assert np.linalg.norm(motion.root[62, [0, 2]] - motion.root[59, [0, 2]]) < 0.4


def test_first_part_is_the_clip_of_that_prompt(engine):
    whole = engine.generate(GenerateRequest(prompts=PARTS[:2], seed=5, foot_lock=False))[0]
    sampler = whole.provenance["sampler"]
    alone = engine.generate(GenerateRequest(*PARTS[0], seed=5, sampler=sampler, foot_lock=False))[0]
    np.testing.assert_allclose(whole.joints[:50], alone.joints[:50], atol=1e-4)  # then the seam begins


def test_progress_and_cancel_run_over_all_parts(engine):
    seen: list[tuple[int, int]] = []
    engine.generate(
        GenerateRequest(prompts=PARTS[:2], count=2),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    steps = engine.bundle.samplers[engine.bundle.control_sampler]["steps"]
    assert seen == [(i + 1, 4 * steps) for i in range(4 * steps)]
    with pytest.raises(Cancelled):
        engine.generate(GenerateRequest(prompts=PARTS), is_cancelled=lambda: True)


def test_last_poses_are_in_the_frame_of_the_next_part(motions):
    poses = last_poses(motions[0], 4)
    assert [pose.time for pose in poses] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert np.allclose(poses[0].positions[0, [0, 2]], 0, atol=1e-6)
    apart = np.linalg.norm(poses[0].positions - poses[3].positions, axis=-1)
    assert np.allclose(
        apart, np.linalg.norm(motions[0].joints[-4] - motions[0].joints[-1], axis=-1), atol=1e-5
    )


def test_written_timelines(tmp_path):
    assert read_timeline("walks: 3; sits down:2.5s;") == (("walks", 3.0), ("sits down", 2.5))
    assert read_timeline("says: hello: 2") == (("says: hello", 2.0),)
    file = tmp_path / "parts.json"
    file.write_text(json.dumps({"prompts": [{"text": "walks", "duration": 3}]}))
    assert read_timeline(str(file)) == (("walks", 3.0),)
    file.write_text(json.dumps([{"text": "walks"}]))
    with pytest.raises(EngineError, match="Part 1"):
        read_timeline(str(file))


@pytest.mark.parametrize("text", ["walks", "walks: soon", ": 3", "walks: 3; sits", "absent.json"])
def test_timelines_that_cannot_be_read(text):
    with pytest.raises(EngineError) as caught:
        read_timeline(text)
    assert caught.value.code == "bad_timeline"


@pytest.mark.parametrize(
    ("prompts", "word"),
    [
        ((), "no part"),
        ((("walks", 9.0),) * 14, f"{MAX_SECONDS:g} s"),
        ((("walks", 3.0), ("", 2.0)), "Part 2"),
        ((("walks", 3.0), ("sits", 0.01)), "Part 2"),
        ((("walks", float("nan")),), "nan"),
    ],
)
def test_timelines_that_cannot_be_made(engine, prompts, word):
    with pytest.raises(EngineError, match=word):
        part_requests(engine.bundle, GenerateRequest(prompts=prompts))


def test_parts_say_what_they_miss_and_only_the_first_is_drawn_again_unasked(engine):
    parts = (("a person jumps nine times", 2.0), ("a person jumps ten times", 2.0))
    (made,) = engine.generate(GenerateRequest(prompts=parts, tries=2))
    assert [part["unmet"] for part in made.provenance["parts"]] == [["jumps 9 times"], ["jumps 10 times"]]
    assert made.provenance["unmet"] == ["jumps 9 times", "jumps 10 times"]
    assert "draws" not in made.provenance and made.provenance["parts"][1]["draws"] == 2
    first, second = part_requests(engine.bundle, GenerateRequest(prompts=parts))
    assert (first.tries, second.tries) == (None, 1)
