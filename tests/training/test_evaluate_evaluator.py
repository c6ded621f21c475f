# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own evaluator learns which sentence belongs to which motion, and looks at nothing but the motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluate_set import small_set, swing

from motion_engine import features
from training.data.motion_set import MotionSet
from training.evaluate import train_evaluator
from training.evaluate.own_evaluator import EvaluatorConfig, OwnEvaluator

ENCODER = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def motion_set():
    return small_set(takes=2)


@pytest.fixture(scope="module")
def folder(motion_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluator")
    config = EvaluatorConfig(ENCODER, width=48, embedding=32, dropout=0.05)
    train_evaluator.train_evaluator(motion_set, folder, config, steps=160, batch=32)
    return folder


def test_it_finds_the_motion_of_an_unseen_clip(folder):
    """Chance is 3 in 32, and 1 in 32 at the first place."""
    scores = OwnEvaluator.load(folder).scores["test"]
    assert scores["r3"] > 0.3 and scores["r1"] > 0.1


def test_an_embedding_does_not_depend_on_the_batch(folder, motion_set):
    evaluator = OwnEvaluator.load(folder)
    motions = list(motion_set.motions.values())[:10]
    together = evaluator.embed_motions([*motions, swing(16, 2, 1.0, 0.0, 190, 0)])
    alone = np.concatenate([evaluator.embed_motions([motion]) for motion in motions])
    np.testing.assert_allclose(together[:10], alone, atol=2e-5)
    assert together.shape == (11, 32)


def test_motions_of_any_length_are_embedded(folder):
    evaluator = OwnEvaluator.load(folder)
    clips = [swing(16, 2, 1.0, 0.5, frames, 0) for frames in (2, 5, 9, 20, 63, 196, 250)]
    found = evaluator.embed_motions(clips)
    assert found.shape == (7, 32) and np.isfinite(found).all()
    np.testing.assert_allclose(found[5], found[6], atol=0.1)


def test_only_the_chosen_features_are_looked_at(motion_set, tmp_path):
    rows = features.encode(next(iter(motion_set.motions.values()))).astype(np.float32)
    changed = rows.copy()
    changed[:, features.ROTATIONS] += 0.3
    contacts = rows.copy()
    contacts[:, features.CONTACTS] = 1 - contacts[:, features.CONTACTS]
    for kind, width in (("full", 259), ("essential", 67)):
        config = EvaluatorConfig(ENCODER, features=kind, width=16, embedding=8)
        evaluator = train_evaluator.train_evaluator(motion_set, tmp_path / kind, config, steps=2, batch=8)
        assert evaluator.prepare(rows).shape == (len(rows), width)
        np.testing.assert_array_equal(evaluator.prepare(rows), evaluator.prepare(contacts))
        differs = not np.array_equal(evaluator.prepare(rows), evaluator.prepare(changed))
        assert differs == (kind == "full")


def test_a_finished_evaluator_is_not_trained_again(folder, motion_set):
    before = (folder / "evaluator.pt").read_bytes()
    config = OwnEvaluator.load(folder).config
    train_evaluator.train_evaluator(motion_set, folder, config, steps=160, batch=32)
    assert (folder / "evaluator.pt").read_bytes() == before


def test_left_and_right_are_told_apart_though_the_sentences_are_close():
    captions = ["a man waves the left hand", "a man waves the right hand", "the man waves his left hand"]
    near = torch.ones(3, 4) / 2  # as if the sentence encoder heard no difference at all
    found = train_evaluator.alike(captions, near, np.arange(3))
    assert not found[0, 1] and found[0, 2]


@pytest.mark.parametrize("loss", ["infonce", "margin"])
def test_both_losses_are_small_for_the_right_pairs(loss):
    function = train_evaluator.contrast if loss == "infonce" else train_evaluator.margin_contrast
    texts = torch.eye(8) * (1 if loss == "infonce" else 12)
    nobody = torch.eye(8, dtype=torch.bool)
    assert function(texts, texts, nobody) < 0.1 * function(texts, texts.roll(1, 0), nobody)


def test_mistakes_are_named(tmp_path, motion_set):
    with pytest.raises(FileNotFoundError, match="python -m training evaluator"):
        OwnEvaluator.load(tmp_path)
    with pytest.raises(ValueError, match="full or essential"):
        EvaluatorConfig(ENCODER, features="some")
    with pytest.raises(ValueError, match="infonce or margin"):
        EvaluatorConfig(ENCODER, loss="triplet")
    untrained = MotionSet(motion_set.motions, [w for w in motion_set.windows if w.split == "test"], 20.0)
    with pytest.raises(ValueError, match="no captioned training windows"):
        train_evaluator.train_evaluator(untrained, tmp_path, EvaluatorConfig(ENCODER), steps=1)
