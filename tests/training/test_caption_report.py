# SPDX-License-Identifier: GPL-3.0-or-later
"""Captioners in one table, retrieval, the nearest neighbour, and the command that makes a page of them."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
import torch
from evaluate_set import WHAT, small_set, swing
from PIL import Image

from motion_engine import quaternion as quat
from training.__main__ import main
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet, Window
from training.evaluate import caption_sheet, train_evaluator
from training.evaluate.caption_metrics import BERT_VARIABLE, plain
from training.evaluate.caption_report import caption_rows, training_sentences
from training.evaluate.caption_sets import CaptionSet, caption_set, read_captions, window_keys
from training.evaluate.held_out import HeldOut
from training.evaluate.nearest_caption import NearestCaption
from training.evaluate.own_evaluator import EvaluatorConfig
from training.evaluate.retrieval import GROUPS, SHARED, WHOLE, equal_sentences, ranks, retrieval
from training.export.random_bundle import write_random_bundle


class ByFormula:
    """A perfect evaluator of `small_set`: how much each joint turns, how fast, and how far the body travels."""

    name = "formula"

    def embed_motions(self, motions):
        rows = []
        for motion in motions:
            turned = np.abs(quat.to_axis_angle(motion.rotations.astype(float))).max(axis=0)
            actions = [turned[joint, axis] > 0.3 for joint, axis in WHAT.values()]
            joint, axis = list(WHAT.values())[int(np.argmax(actions))]
            angle = quat.to_axis_angle(motion.rotations.astype(float))[:, joint, axis]
            speed = np.abs(np.diff(angle)).max() * motion.fps / (2 * np.pi * 0.7)
            travel = motion.root[-1, 2] - motion.root[0, 2]
            rows.append([*actions, speed > 1.0, travel > 0.5])
        return np.array(rows, dtype=float)

    def embed_texts(self, captions):
        return np.array(
            [[*(action in c for action in WHAT), "quickly" in c, "walking" in c] for c in captions],
            dtype=float,
        )


@pytest.fixture(scope="module")
def motion_set():
    return small_set(takes=1)


@pytest.fixture(scope="module")
def held_out(motion_set):
    return HeldOut.choose(motion_set)


def made(name, sentences):
    return CaptionSet(name, list(sentences), [[] for _ in sentences], [])


def test_rows(motion_set, held_out):
    right = [window.captions[0] for window in held_out.windows]
    wrong = right[1:] + right[:1]
    stutter = [f"{caption} {caption}" for caption in right]
    known = training_sentences(motion_set)
    real, good, bad, twice = caption_rows(
        [made("right", right), made("wrong", wrong), made("twice", stutter)],
        held_out, ByFormula(), known=known, draws=2, runs=3,
    )  # fmt: skip
    assert real.fit.r_precision[0].mean == good.fit.r_precision[0].mean == 1.0
    assert bad.fit.r_precision[0].mean == 0.0
    assert good.scores.bleu4 == pytest.approx(100) and good.scores.rouge == pytest.approx(100)
    assert bad.scores.cider < real.scores.cider < good.scores.cider
    # the two captions of a window say the same of different people: one is the reference of the other
    assert 60 < real.scores.bleu1 < 100
    assert real.scores == real.beside_real
    assert good.beside_real.bleu1 < good.scores.bleu1, "one reference less"
    assert good.scores.distinct == 100 and good.scores.repeated == 0 and twice.scores.repeated == 100
    assert set(good.by_source) == {"waves", "walks"}
    # "a person ..." is said of training and test clips alike, "a woman ..." of test clips alone
    assert (good.known, real.known) == (0, 50)
    assert good.fit.fid is None
    told = json.loads(json.dumps(good.as_json()))
    assert told["r1"] == [1.0, 0.0] and told["by_source"]["walks"]["bleu4"] == pytest.approx(100)


def test_nearest_neighbour(motion_set, held_out):
    captioner = NearestCaption.of_set(ByFormula().embed_motions, motion_set)
    spoken = captioner(held_out.motions)
    for window, (sentence, others) in zip(held_out.windows, spoken, strict=True):
        # the training take is of a man, the test take of a woman
        assert sentence == window.captions[0].replace("a woman", "a man")
        assert others and sentence not in others
    one = swing(17, 2, 1.0, 0.0, 30, seed=1)
    only = MotionSet(
        {"a/one": one}, [Window("a/one", 0, one.duration, "train", ("waves the right hand",))], one.fps
    )
    ((sentence, others),) = NearestCaption.of_set(ByFormula().embed_motions, only)([one.mirrored()])
    assert (sentence, list(others)) == ("waves the left hand", ["waves the right hand"])
    with pytest.raises(ValueError, match="has none"):
        NearestCaption.of_set(ByFormula().embed_motions, MotionSet({}, [], 20.0))
    assert plain(mirror_caption("waves the right hand")) in training_sentences(only)


def test_ranks():
    table = np.array([[0.1, 0.2, 0.3], [0.2, 0.5, 0.3], [1.0, 1.0, 1.0]])
    own = np.eye(3, dtype=bool)
    assert ranks(table, own).tolist() == [1, 3, 2], "a tie is half before and half behind"
    both = own | np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    assert ranks(table, both).tolist() == [1, 1, 2], "the nearest right answer counts"
    labels = [frozenset({"a man bows"}), frozenset({"he sits", "a man bows"})]
    assert equal_sentences(["A man bows.", "He sits."], labels).tolist() == [[True, True], [False, True]]


def test_retrieval(held_out):
    found = retrieval(ByFormula(), held_out, draws=2, runs=2)
    for protocol in (WHOLE, SHARED, GROUPS):
        for scores in found[protocol].values():
            assert scores.recall[1].mean == 100 and scores.median_rank.mean == 1

    class Nowhere(ByFormula):
        def embed_texts(self, captions):
            return np.zeros((len(captions), 10))

        def embed_motions(self, motions):
            return np.zeros((len(motions), 10))

    blind = retrieval(Nowhere(), held_out, draws=1, runs=1)[WHOLE]["text to motion"]
    assert blind.recall[10].mean == 0 and blind.median_rank.mean == 16.5, "that is guessing"
    few = HeldOut(held_out.windows[:5], held_out.motions[:5])
    assert GROUPS not in retrieval(ByFormula(), few, draws=1, runs=1)


def test_captions_are_kept(held_out, tmp_path):
    file, asked = tmp_path / "cache" / "x.jsonl", []

    def captioner(motions):
        asked.extend(motions)
        return [(f"number {len(asked)}", ["other"]) for _ in motions]

    first = caption_set("x", captioner, held_out, file, "1")
    assert len(asked) == len(held_out.windows) + 1 and first.mean_milliseconds > 0
    assert caption_set("x", captioner, held_out, file, "1") == first
    assert len(asked) == len(held_out.windows) + 1, "it is read"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:10]) + "\n")
    again = caption_set("x", captioner, held_out, file, "1")
    assert again.sentences[:9] == first.sentences[:9] and len(again.sentences) == len(first.sentences)
    assert caption_set("x", captioner, held_out, file, "2") != first, "other weights are asked anew"
    assert read_captions("y", file, held_out).alternatives[3] == ["other"]
    with pytest.raises(FileNotFoundError, match="no file of captions"):
        read_captions("y", tmp_path / "absent", held_out)
    file.write_text(json.dumps({"window": window_keys(held_out)[0], "sentence": "x"}))
    with pytest.raises(ValueError, match="lacks captions of 31 of the 32 windows"):
        read_captions("y", file, held_out)
    file.write_text("{")
    with pytest.raises(ValueError, match="is no file of captions"):
        read_captions("y", file, held_out)


def test_kinds():
    for caption, kind in (
        ("a person runs forward", "Walking and running"),
        ("someone does a deep squat", "Sitting, squatting, bending"),
        ("a man waves the left hand", "Arms and hands"),
        ("a woman spins on the spot", "Turning, dancing, swaying"),
        ("a man hops twice", "Jumping and kicking"),
    ):
        assert caption_sheet.kind_of(Window("a/b", 0, 1, "test", (caption,))) == kind


@pytest.fixture(scope="module")
def ready(config, motion_set, held_out, tmp_path_factory):
    """Folder with a set, an evaluator of two steps, a bundle without captioner, rows for the page."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("captions")
    motion_set.save(folder / "set.npz")
    small = EvaluatorConfig("all-MiniLM-L6-v2", width=16, embedding=8)
    train_evaluator.train_evaluator(motion_set, folder / "evaluator", small, steps=2, batch=8)
    write_random_bundle(folder, config, ("motionlcm",))
    lines = [
        json.dumps({"window": key, "sentence": window.captions[0], "milliseconds": 7})
        for key, window in zip(window_keys(held_out), held_out.windows, strict=True)
    ]
    (folder / "oracle.jsonl").write_text("\n".join(lines))
    (folder / "run").mkdir()
    (folder / "run" / "text_to_motion.jsonl").write_text('{"name": "MoTe, 9 steps", "fid": 0.5}\n')
    return folder


def run(monkeypatch, folder, *words):
    command = [
        "caption-scores", "--bundle", str(folder / "random"), "--set", str(folder / "set.npz"), "--run",
        str(folder / "run"), "--evaluator", str(folder / "evaluator"), "--out", str(folder / "out"), "--runs", "2",
        "--threads", "1", *words,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["python -m training", *command])
    monkeypatch.setenv(BERT_VARIABLE, str(folder))
    return main()


def test_the_page(ready, monkeypatch):
    assert run(monkeypatch, ready, "--captions", f"oracle={ready / 'oracle.jsonl'}") == 0
    page = (ready / "out" / "captions.md").read_text()
    for text in (
        "| real |", "| nearest neighbour |", "| oracle |", "32 windows", "not measured: MOTION_PROMPT_BERTSCORE",
        "median rank", "| MoTe, 9 steps | 0.500 |", "The bundle has no captioner", "has no joint space",
        "clip_20.png", "**oracle: ", "python -m training caption-scores",
    ):  # fmt: skip
        assert text in page, text
    assert str(ready) not in page, "folders of this machine are nobody's business"
    rows = {row["name"]: row for row in json.loads((ready / "out" / "captions.json").read_text())["rows"]}
    assert rows["oracle"]["bleu4"] == pytest.approx(100) and rows["oracle"]["ms"] == 7
    assert rows["nearest neighbour"]["ms"] > 0 and rows["nearest neighbour"]["known"] == 100
    pictures = sorted((ready / "out").glob("clip_*.png"))
    assert len(pictures) == 20 and all(f"({p.name})" in page for p in pictures)
    assert Image.open(pictures[0]).width > 600 and sum(p.stat().st_size for p in pictures) < 400_000
    assert len(re.findall(r"^### ", page, re.MULTILINE)) > 1, "clips of several kinds"


def test_mistakes_are_named(ready, monkeypatch, capsys):
    for words, sentence in (
        (("--runs", "0"), "one run or more"),
        (("--mote-steps", "4,x"), "not of the form N or N,N"),
        (("--captions", "oracle"), "not of the form NAME=FILE"),
        (("--captions", "x=absent.jsonl"), "no file of captions"),
        (("--sources", "elsewhere"), "no captioned windows"),
        (("--evaluator", str(ready)), "no finished evaluator"),
        (("--bundle", "no-such-bundle"), "no bundle"),
        (("--set", str(ready / "absent.npz")), "no set"),
    ):
        assert run(monkeypatch, ready, *words) == 2
        assert sentence in capsys.readouterr().err
