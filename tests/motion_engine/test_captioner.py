# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions, the joint space, variations and surprises on the real engine with untrained networks."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import standing, swinging

from motion_engine import quaternion as quat
from motion_engine.captioning.canonical import Clip, canonical
from motion_engine.captioning.captioner import WHOLE, Caption
from motion_engine.captioning.joint_space import ClipProblem
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import Cancelled, EngineError
from motion_engine.request import Variation


@pytest.fixture(scope="module")
def engine(caption_bundles: Path) -> Engine:
    return Engine.load(caption_bundles / "random")


@pytest.fixture(scope="module")
def plain(caption_bundles: Path) -> Engine:
    return Engine.load(caption_bundles / "plain")


def elsewhere(clip: Clip, size: float = 1.0) -> Clip:
    """The same clip at another place, facing another way, of another size, without rotations."""
    joints = quat.rotate(quat.about_axis(1, 2.0), clip.joints.astype(float) * size) + [3.0, 0.7, -5.0]
    return Clip(joints.astype(np.float32), clip.fps)


# --- any joints become a motion -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.5, 1.0, 1.3, 100.0])
def test_place_facing_and_size_do_not_matter(size: float):
    clip = Clip(swinging(60).joints, 20.0)
    before, after = canonical(clip, 20.0), canonical(elsewhere(clip, size), 20.0)
    np.testing.assert_allclose(after.joints, before.joints, atol=2e-3)
    assert before.joints[..., 1].min() > -0.2 and abs(before.joints[0, 0, [0, 2]]).max() < 1e-6


@pytest.mark.parametrize("fps", [10.0, 24.0, 29.97, 60.0, 120.0])
def test_any_frame_rate_becomes_that_of_the_bundle(fps: float):
    motion = swinging(121, 120.0)
    there = canonical(Clip.of(motion.resample(fps)), 20.0)
    assert there.fps == 20.0 and there.duration == pytest.approx(1.0, abs=0.11)
    wanted = canonical(Clip.of(motion), 20.0)
    frames = min(there.n_frames, wanted.n_frames)
    np.testing.assert_allclose(there.joints[:frames], wanted.joints[:frames], atol=0.02)


def test_rotations_carry_twist_and_joints_alone_do_not():
    motion = swinging(60)
    kept = canonical(Clip.of(motion), 20.0)
    assert quat_error(kept.rotations[:, 15], motion.rotations[:, 15]) < 1e-3
    solved = canonical(Clip(motion.joints, 20.0), 20.0)
    np.testing.assert_allclose(solved.joints, kept.joints, atol=1e-3)
    assert quat_error(solved.rotations[:, 15], motion.rotations[:, 15]) > 0.05


def quat_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - np.abs((a * b).sum(-1)).min())


def broken(frame: int) -> np.ndarray:
    joints = swinging(40).joints.copy()
    joints[frame, 3, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("clip", "code", "said"),
    [
        (Clip(swinging(40).joints[:1], 20.0), "too_short", "1 frame"),
        (Clip(swinging(40).joints[:5], 20.0), "too_short", "0.25 s"),
        (Clip(np.zeros((0, 22, 3)), 20.0), "too_short", "0 frames"),
        (Clip(np.zeros((40, 24, 3)), 20.0), "bad_shape", "(40, 24, 3)"),
        (Clip(np.zeros((40, 66)), 20.0), "bad_shape", "(40, 66)"),
        (Clip(swinging(40).joints, 20.0, np.zeros((39, 22, 4))), "bad_shape", "(39, 22, 4)"),
        (Clip(swinging(40).joints, 0.0), "bad_rate", "0 frames"),
        (Clip(swinging(40).joints, float("nan")), "bad_rate", "nan"),
        (Clip(broken(7), 20.0), "bad_numbers", "frame 7"),
        (Clip(swinging(40).joints, 20.0, np.full((40, 22, 4), np.inf)), "bad_numbers", "rotations"),
        (Clip(standing().joints, 20.0), "static", "Nothing moves"),
        (Clip(np.tile(swinging(20).joints, (61, 1, 1)), 20.0), "too_long", "61.0 s"),
        (Clip(np.tile(swinging(20).joints, (3600, 1, 1)), 20.0), "too_long", "3600.0 s"),
        (Clip(np.random.default_rng(0).random((40, 1, 3)) * np.ones((40, 22, 3)), 20.0), "bad_body", "legs"),
    ],
)
def test_a_clip_that_is_none_is_told_with_a_sentence(engine: Engine, clip: Clip, code: str, said: str):
    good = Clip.of(swinging(40))
    first, second = sorted(engine.caption([clip, good]), key=lambda result: result.clip)
    assert isinstance(first, ClipProblem) and first.code == code and said in first.message and first.fix
    assert isinstance(second, Caption) and second.clip == 1, "the other clip is described all the same"
    found = engine.embed(clips=[clip, good])
    assert [problem.code for problem in found.problems] == [code]
    assert not found.clips[0].any() and np.linalg.norm(found.clips[1]) == pytest.approx(1.0, abs=1e-4)


# --- captions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bundle", ["random", "mote"])
def test_a_caption_is_the_same_wherever_and_with_whomever(caption_bundles: Path, bundle: str):
    engine = Engine.load(caption_bundles / bundle)
    clips = [Clip.of(swinging(n, seed=n)) for n in (60, 87, 120)]
    one_by_one = [engine.caption([clip], 3)[0] for clip in clips]
    together = engine.caption(clips, 3, together=16)
    for index, (alone, found) in enumerate(zip(one_by_one, together, strict=True)):
        assert isinstance(alone, Caption) and isinstance(found, Caption)
        assert found.clip == index and found.text == alone.text
        assert [s.text for s in found.alternatives] == [s.text for s in alone.alternatives]
    for found in together:
        assert (found.segment, found.start) == (0, 0.0) and found.text
        assert found.end == pytest.approx(len(clips[found.clip].joints) / 20.0)
        scores = [found.score, *(s.score for s in found.alternatives)]
        assert len(scores) == 3 and scores == sorted(scores, reverse=True)
        assert len({found.text, *(s.text for s in found.alternatives)}) == 3


def test_both_backends_say_the_same(caption_bundles: Path):
    onnx = Engine.load(caption_bundles / "mote")
    torch = Engine.load(caption_bundles / "mote", backend="torch", device="cpu")
    clips = [Clip.of(swinging(70)), Clip.of(swinging(90, seed=4))]
    told = [[result.text for result in e.caption(clips)] for e in (onnx, torch)]  # type: ignore[union-attr]
    assert told[0] == told[1]
    vectors = [e.embed(["a person jumps"], clips) for e in (onnx, torch)]
    np.testing.assert_allclose(vectors[0].texts, vectors[1].texts, atol=1e-3)
    np.testing.assert_allclose(vectors[0].clips, vectors[1].clips, atol=1e-3)
    made = [e.generate(GenerateRequest(surprise=True, duration=2.0, steps=3))[0] for e in (onnx, torch)]
    assert made[0].provenance["prompt"] == made[1].provenance["prompt"]
    np.testing.assert_allclose(made[0].joints, made[1].joints, atol=1e-2)


def test_a_long_clip_gets_a_caption_a_part_and_a_summary(engine: Engine):
    clip = Clip.of(swinging(1190))
    heard: list[object] = []
    progress: list[tuple[int, int]] = []
    results = engine.caption([clip], on_result=heard.append, on_progress=lambda i, n: progress.append((i, n)))
    assert heard == results and progress == [(1, 1)]
    *parts, summary = results
    assert all(isinstance(result, Caption) for result in results)
    assert [part.segment for part in parts] == list(range(len(parts))) and len(parts) > 5
    assert parts[0].start == 0.0 and parts[-1].end == pytest.approx(59.5)
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert all(2.0 <= part.end - part.start <= 10.0 for part in parts)
    assert (summary.segment, summary.start, summary.end) == (WHOLE, 0.0, parts[-1].end)
    assert summary.text.startswith(parts[0].text)
    assert set(summary.tags) == {tag for part in parts for tag in part.tags}


def test_cancelling_stops_within_a_step(engine: Engine):
    clips = [Clip.of(swinging(190, seed=seed)) for seed in range(8)]
    asked: list[float] = []

    def is_cancelled() -> bool:
        asked.append(time.perf_counter())
        return len(asked) > 30

    with pytest.raises(Cancelled):
        engine.caption(clips, is_cancelled=is_cancelled)
    assert len(asked) == 31


@pytest.mark.parametrize("count", [0, 6, -1])
def test_a_wrong_count_is_refused(engine: Engine, count: int):
    with pytest.raises(EngineError, match="Choose 1 to 5"):
        engine.caption([Clip.of(swinging(40))], count)


def test_a_bundle_without_the_task_says_so(plain: Engine):
    clip = Clip.of(swinging(40))
    for ask, words in (
        (lambda: plain.caption([clip]), "cannot describe a motion in words"),
        (lambda: plain.embed(["a person walks"]), "cannot compare text and motion"),
        (lambda: plain.generate(GenerateRequest(surprise=True)), "together with its sentence"),
        (lambda: plain.generate(GenerateRequest(variation=Variation(clip, 0.4))), "variations"),
    ):
        with pytest.raises(EngineError, match=words) as caught:
            ask()
        assert caught.value.code == "not_supported" and "plain" in caught.value.message


# --- the joint space ------------------------------------------------------------------------------------


def test_vectors_have_unit_length_and_do_not_depend_on_company(engine: Engine):
    texts = ["a person walks", "someone jumps over a box and lands on both feet", "a person walks"]
    clips = [Clip.of(swinging(40)), Clip.of(swinging(400))]
    found = engine.embed(texts, clips)
    np.testing.assert_allclose(np.linalg.norm(found.texts, axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found.clips, axis=1), 1.0, atol=1e-4)
    np.testing.assert_array_equal(found.texts[0], found.texts[2])
    again = Engine.load(engine.bundle.path).embed([texts[1]], [clips[1]])
    np.testing.assert_allclose(again.texts[0], found.texts[1], atol=1e-4)
    np.testing.assert_allclose(again.clips[0], found.clips[1], atol=1e-4)
    assert len(found.parts[0]) == 1 and len(found.parts[1]) > 1 == len(found.spans[0])
    assert engine.embed().texts.shape == (0, found.texts.shape[1])


# --- variations and surprises ---------------------------------------------------------------------------


def test_a_variation_starts_from_its_motion(engine: Engine):
    clip = Clip.of(swinging(83))
    asked = GenerateRequest(prompt="a person swings", variation=Variation(clip, 0.4), count=2, seed=3)
    first, second = engine.generate(asked)
    assert first.n_frames == 83 and first.provenance["prompt"] == "a person swings"
    assert first.provenance["variation"] == {"strength": 0.4}
    assert np.abs(first.joints - second.joints).max() > 1e-4, "two takes"
    again = engine.generate(replace(asked, count=1, seed=4))[0]
    np.testing.assert_allclose(again.joints, second.joints, atol=1e-4)
    plain = engine.generate(replace(asked, variation=Variation(clip, 0.0)))
    np.testing.assert_array_equal(plain[0].joints, plain[1].joints)


def test_more_strength_goes_further(engine: Engine):
    clip = Clip.of(swinging(80))
    same = GenerateRequest(prompt="a person swings", variation=Variation(clip, 0.0), sampler="mld")
    start = engine.generate(same)[0]
    away, steps = [], []
    for strength in (0.05, 0.3, 1.0):
        made = engine.generate(replace(same, variation=Variation(clip, strength)))[0]
        away.append(float(np.abs(made.joints - start.joints).mean()))
        steps.append(made.provenance["steps"])
    assert away == sorted(away) and away[0] > 0
    assert steps == sorted(steps) and steps[-1] == 50


def test_the_prompt_of_a_variation_is_its_caption(engine: Engine):
    clip = Clip.of(swinging(80))
    (told,) = engine.caption([clip])
    made = engine.generate(GenerateRequest(variation=Variation(clip, 0.5)))[0]
    assert isinstance(told, Caption) and made.provenance["prompt"] == told.text


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (GenerateRequest(variation=Variation(Clip.of(swinging(40)), 1.1)), "bad_strength"),
        (GenerateRequest(variation=Variation(Clip.of(swinging(40)), float("nan"))), "bad_strength"),
        (GenerateRequest(variation=Variation(Clip.of(swinging(300)), 0.4)), "too_long"),
        (GenerateRequest(variation=Variation(Clip.of(standing()), 0.4)), "static"),
        (GenerateRequest(variation=Variation(Clip.of(swinging(40)), 0.4), sampler="x"), "unknown_sampler"),
        (GenerateRequest(variation=Variation(Clip.of(swinging(40)), 0.4), sampler="mote"), "unknown_sampler"),
        (GenerateRequest(surprise=True, prompt="a person walks"), "bad_request"),
        (GenerateRequest(surprise=True, sampler="mld"), "unknown_sampler"),
        (GenerateRequest(surprise=True, steps=0), "bad_steps"),
        (GenerateRequest(surprise=True, duration=99.0), "bad_duration"),
        (GenerateRequest(surprise=True, guidance=0.5), "bad_guidance"),
    ],
)
def test_what_cannot_be_made_is_refused(engine: Engine, request_: GenerateRequest, code: str):
    with pytest.raises(EngineError) as caught:
        engine.generate(request_)
    assert caught.value.code == code and caught.value.message.endswith(".") and caught.value.fix


def test_a_surprise_brings_its_sentence(engine: Engine):
    steps: list[tuple[int, int]] = []
    asked = GenerateRequest(surprise=True, duration=3.0, count=2, seed=5, steps=4)
    made = engine.generate(asked, lambda step, of: steps.append((step, of)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [motion.n_frames for motion in made] == [60, 60]
    assert all(motion.provenance["prompt"] and motion.provenance["sampler"] == "mote" for motion in made)
    alone = engine.generate(replace(asked, count=1, seed=6))[0]
    assert alone.provenance["prompt"] == made[1].provenance["prompt"]
    np.testing.assert_allclose(alone.joints, made[1].joints, atol=1e-3)
    with pytest.raises(Cancelled):
        engine.generate(asked, is_cancelled=lambda: True)
