# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of captions are those that one computes by hand, and those of the papers' code."""

from __future__ import annotations

import math

import pytest

from training.evaluate import caption_metrics as captions
from training.evaluate.cider import cider


def test_words_are_the_same_for_every_metric():
    assert captions.words("A man's well-known step -- TWICE, over 2 boxes!") == [
        "a", "man's", "well", "known", "step", "twice", "over", "2", "boxes"
    ]  # fmt: skip
    loud, quiet = ["The Man WALKS, slowly."], [["the man walks slowly"]]
    assert captions.bleu(loud, quiet, 4) == pytest.approx(100)
    assert captions.rouge_l(loud, quiet) == pytest.approx(100)


def test_bleu():
    # 5 of 6 words, 4 of 5 pairs, 3 of 4 triples and 2 of 3 fours are right: the fourth root of their product
    made, said = ["a man walks to the left"], [["a man walks to the right"]]
    assert captions.bleu(made, said, 1) == pytest.approx(100 * 5 / 6)
    assert captions.bleu(made, said, 4) == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)
    # a word counts as often as a reference has it
    assert captions.bleu(["a a a"], [["a man"]], 1) == pytest.approx(100 / 3)
    # two words for three: exp(1 - 3 / 2); a second reference of two words is nearer in length, and right with one word
    assert captions.bleu(["a man"], [["a man walks"]], 1) == pytest.approx(100 * math.exp(-0.5))
    assert captions.bleu(["a man"], [["a man walks", "someone moves"]], 1) == pytest.approx(100)
    # of a corpus the counts are added: 2 of 2 words and 0 of 2
    several = [["a man", "the man"], ["someone else"]]
    assert captions.bleu(["a man", "they bow"], several, 1) == pytest.approx(50)
    assert captions.bleu([""], [["a man"]], 1) == 0


def test_rouge_l():
    # "a man walks" is common: 3 of 4 words both ways; the best reference counts
    said = ["nobody at all", "a man quickly walks"]
    assert captions.rouge_l(["a man walks left"], [said]) == pytest.approx(75)
    # 2 of 2 and 2 of 4: F1 is 2/3
    assert captions.rouge_l(["man walks"], [["a man who walks"]]) == pytest.approx(200 / 3)
    assert captions.rouge_l(["man walks", "x"], [["a man who walks"], ["y"]]) == pytest.approx(100 / 3)


def test_cider_by_hand():
    # one word each: only the first of four orders has anything, and there the cosine is 1
    assert cider([["walk"], ["sit"]], [[["walk"]], [["sit"]]]) == pytest.approx([2.5, 2.5])
    # what every clip has weighs nothing
    assert cider([["a"], ["a"]], [[["a"]], [["a"]]]) == [0.0, 0.0]
    # all orders, and one of two references is met
    words, other, third = (
        line.split() for line in ("one two three four", "five six seven eight", "nine ten")
    )
    found = cider([words, other], [[words, other[::-1]], [third]])
    assert found == pytest.approx([5.0, 0.0])
    # a pair of words more: exp(-1 / 72), and what is said twice does not count twice
    (longer, _) = cider([["walk", "up", "up"], ["sit"]], [[["walk", "up"]], [["sit"]]])
    first = (1 * 1 + 1 * 1) / (math.sqrt(1 + 4) * math.sqrt(2))
    second = 1 / (math.sqrt(2) * 1)
    assert longer == pytest.approx(10 * (first + second) / 4 * math.exp(-1 / 72))


def test_cider_is_that_of_pycocoevalcap():
    made = ["a man walks slowly", "a cat runs", "a"]
    said = [
        ["a man walks", "the man walks slowly"],
        ["a dog runs", "a dog runs fast and far"],
        ["someone sits down", "a person sits"],
    ]
    # what version 1.2 of that package says
    expected = [542.564411, 97.383753, 0.0]
    assert captions.clip_ciders(made, said) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="without a reference"):
        cider([["a"]], [[]])


def test_repetition():
    assert captions.has_repeated_trigram("a man walks and then a man walks")
    assert not captions.has_repeated_trigram("a man walks and a man runs")
    assert captions.has_repeated_trigram("walks walks walks walks")
    made = ["A man bows.", "a man bows", "a man sits", "a man sits and a man sits"]
    scores = captions.score_captions(made, [["a man bows", "x"]] * 4)
    assert scores.repeated == 25 and scores.distinct == 75
    assert scores.bert is None
    assert captions.known_share(made, {"a man bows"}) == 50


def test_real_captions_are_scored_against_the_others():
    said = [["a", "b", "c"], ["d"], ["e", "f"]]
    draws = [captions.leave_one_out(said, draw) for draw in range(3)]
    for kept, left, others in draws:
        assert kept == [0, 2], "a clip with one caption has no other to compare with"
        for i, caption, rest in zip(kept, left, others, strict=True):
            assert sorted([caption, *rest]) == said[i]
    assert {left[0] for _, left, _ in draws} == {"a", "b", "c"}


def test_scores_by_source():
    made = ["a man walks to the left", "nothing of that kind at all"]
    said = [["a man walks to the left"], ["somebody squats down slowly"]]
    found = captions.scores_by_source(made, said, ["walks", "squats"])
    assert found["walks"] == pytest.approx((100, 100, 1000))
    assert found["squats"] == (0, 0, 0)


def test_nothing_to_score_is_said():
    with pytest.raises(ValueError, match="there are none"):
        captions.score_captions([], [])
    with pytest.raises(ValueError, match="without a human caption"):
        captions.score_captions(["a"], [[]])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a tiny untrained model of BERTScore's kind."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import ByteLevelBPETokenizer

    folder = tmp_path_factory.mktemp("bert")
    words = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words.train_from_iterator(["a person walks and waves"] * 5, vocab_size=300, special_tokens=special)
    words.save_model(str(folder))
    transformers.RobertaTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=64
    ).save_pretrained(folder)
    torch.manual_seed(0)
    transformers.RobertaModel(
        transformers.RobertaConfig(
            vocab_size=400, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=70,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_bertscore(bert, tmp_path, monkeypatch):
    said = [["someone bows", "a person walks"], ["a person sits down"]]

    def score(*made):
        return captions.bertscore(made, said, bert, layer=2, rescaled=False)

    same = score("A person walks.", "a person sits down")
    assert same == pytest.approx(100, abs=0.01)
    assert 1 < score("a person walks", "a jumping frog") < same - 1
    assert score("a person walks", "") == pytest.approx(50, abs=0.01), "an empty caption scores nothing"
    with pytest.raises(ValueError, match="cannot be used"):
        captions.bertscore(["a"], [["a"]], tmp_path)
    monkeypatch.setenv(captions.BERT_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"not measured: MOTION_PROMPT_BERTSCORE names no folder"):
        captions.bert_folder()
    monkeypatch.setenv(captions.BERT_VARIABLE, str(bert))
    assert captions.bert_folder() == bert
