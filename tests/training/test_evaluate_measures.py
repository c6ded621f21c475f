# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups, intervals and motion quality as a reader of the report understands them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluate_set import small_set, swing

from training.evaluate import metrics
from training.evaluate.held_out import HeldOut, label_of
from training.evaluate.motion_quality import MEASURES, bone_drift, length_effects, mean_measures
from training.evaluate.scores import fid_floor, score_row


def test_no_group_holds_a_sentence_twice():
    labels = [frozenset({f"sentence {i % 40}", f"another {i}"}) for i in range(200)]
    groups = metrics.distinct_groups(labels, np.random.default_rng(0))
    assert groups.shape[1] == 32 and len(groups) >= 3
    assert len(set(groups.ravel())) == groups.size
    for group in groups:
        assert len({i % 40 for i in group}) == 32
    with pytest.raises(ValueError, match="different captions"):
        metrics.distinct_groups([frozenset({"the same"})] * 100, np.random.default_rng(0))


def test_sentences_are_compared_without_capitals_and_stops():
    assert label_of(["A man walks."]) == label_of(["a man walks"])


def test_intervals_over_runs():
    assert str(metrics.estimate([1.0, 3.0])) == "2.000 ±1.386"
    assert metrics.estimate([1.0]).interval is None
    with pytest.raises(ValueError, match="single run"):
        metrics.estimate([])


def test_a_perfect_model_scores_as_the_measured_motions_do():
    random = np.random.default_rng(0)
    real = random.standard_normal((64, 8))
    labels = [frozenset({str(i)}) for i in range(64)]
    perfect = score_row(real, [(real, real)], labels, repeated=np.zeros((4, 5, 8)))
    assert perfect.fid.mean == pytest.approx(0, abs=1e-6)
    assert [value.mean for value in perfect.r_precision] == [1, 1, 1]
    assert perfect.multimodality.mean == 0
    poor = score_row(real, [(random.standard_normal((64, 8)) + 3, real)] * 2, labels)
    assert poor.fid.mean > 10 and poor.r_precision[2].mean < 0.4
    assert fid_floor(real).mean < 5 < poor.fid.mean
    few = score_row(real[:10], [(real[:10], real[:10])], labels[:10])
    assert few.r_precision is None and few.diversity.mean > 0


def test_control_needs_a_key():
    joints = np.zeros((4, 22, 3))
    with pytest.raises(ValueError, match="controlled joint"):
        metrics.control_errors([joints], [joints], [np.zeros((4, 22), dtype=bool)])


def test_bones_that_stretch_are_seen():
    motion = swing(16, 2, 1.0, 1.0, 40, 0)
    assert bone_drift(motion) < 0.01
    joints = motion.joints.copy()
    joints[20:] *= 1.1
    assert bone_drift(replace(motion, joints=joints)) > 5


def test_the_effect_of_length():
    """Short clips walk, long ones stand: the classes say so."""
    walking = [swing(16, 2, 1.0, 1.0, 30 + i, i) for i in range(4)]
    standing = [swing(16, 2, 0.05, 0.0, 120 + i, i) for i in range(4)]
    short, long = length_effects([*standing, *walking], parts=2)
    assert short.longest < long.shortest and short.count == long.count == 4
    assert short.speed > 0.9 > long.speed and short.still < 0.1 < long.still
    assert set(mean_measures(walking)) == set(MEASURES)


def test_windows_are_taken_in_turn_from_the_sources():
    motion_set = small_set(takes=1)
    held_out = HeldOut.choose(motion_set, samples=10)
    sources = [window.source for window in held_out.windows]
    assert len(sources) == 10 and sources.count("waves") == 5
    assert {window.split for window in held_out.windows} == {"test"}
    assert held_out.captions(0) == held_out.captions(0) != held_out.captions(1)
    assert len(HeldOut.choose(motion_set, ["walks"]).windows) == 16
    with pytest.raises(ValueError, match="no captioned windows"):
        HeldOut.choose(motion_set, ["elsewhere"])
