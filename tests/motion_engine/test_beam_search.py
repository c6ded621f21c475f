# SPDX-License-Identifier: GPL-3.0-or-later
"""Beam search on networks that are formulas, and the vocabulary around it."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest

from motion_engine.captioning.beam_search import Candidate, other_openings, search
from motion_engine.captioning.words import END, PAD, START, Vocabulary

PIECES = ["<pad>", "<start>", "<end>", "a", "person", "walk", "##s", "##ing", ",", "jump", "turn", "-", "u"]
WORDS = Vocabulary(PIECES)
ID = {piece: index for index, piece in enumerate(PIECES)}


def ids(text: str) -> list[int]:
    return [ID[piece] for piece in text.split()]


def writer(*sentences: str):
    """A network that wants to write sentence number ``row`` for clip number ``row``."""
    wanted = [[START, *ids(sentence), END] for sentence in sentences]

    def network(words, rows):
        logits = np.zeros((len(words), len(PIECES)), dtype=np.float32)
        for line, (spoken, clip) in enumerate(zip(words.tolist(), rows.tolist(), strict=True)):
            target = wanted[clip]
            if spoken == target[: len(spoken)]:
                logits[line, target[len(spoken)]] = 8.0
            else:
                logits[line, END] = 4.0
        return logits

    return network


def random_network(seed: int, size: int = len(PIECES)):
    """Any logits, that depend on the last two pieces and the clip."""
    table = np.random.default_rng(seed).standard_normal((3, size, size, size)) * 3

    def network(words, rows):
        before = words[:, -2] if words.shape[1] > 1 else np.zeros(len(words), dtype=int)
        return table[rows % 3, before, words[:, -1]]

    return network


def test_each_clip_gets_its_own_sentence():
    sentences = ("a person walk ##s", "a person jump ##s , turn ##ing", "turn ##s")
    found = search(writer(*sentences), 3, WORDS.cannot_begin, width=4, min_words=2)
    assert [list(candidates[0].words) for candidates in found] == [ids(s) for s in sentences]
    assert [WORDS.sentence(candidates[0].words) for candidates in found] == [
        "a person walks", "a person jumps, turning", "turns",
    ]  # fmt: skip
    for candidates in found:
        scores = [candidate.score for candidate in candidates]
        assert len(candidates) == 4 and scores == sorted(scores, reverse=True)
        assert len({candidate.words for candidate in candidates}) == 4


def test_clips_together_say_what_they_say_alone():
    network = random_network(0)
    together = search(network, 3, WORDS.cannot_begin, max_words=8)
    for clip in range(3):
        (alone,) = search(lambda words, rows, clip=clip: network(words, rows + clip), 1, WORDS.cannot_begin,
                          max_words=8)  # fmt: skip
        assert [c.words for c in alone] == [c.words for c in together[clip]]


@pytest.mark.parametrize("seed", range(8))
def test_what_no_sentence_may_hold(seed: int):
    for candidates in search(random_network(seed), 3, WORDS.cannot_begin, width=5, max_words=20, min_words=4):
        assert candidates
        for candidate in candidates:
            words = candidate.words
            assert 4 <= len(words) <= 20
            assert not {PAD, START, END} & set(words)
            assert not WORDS.cannot_begin[words[0]]
            trigrams = list(zip(words, words[1:], words[2:], strict=False))
            assert len(trigrams) == len(set(trigrams))
            assert candidate.score < 0


def test_a_wide_beam_finds_the_best_sentence_there_is():
    """Against all sentences of three pieces, scored by hand."""
    size = 6
    network = random_network(3, size)
    free = np.zeros(size, dtype=bool)

    def log_probability(sentence: tuple[int, ...]) -> float:
        total = 0.0
        for at, piece in enumerate((*sentence, END)):
            logits = network(np.array([(START, *sentence[:at])]), np.array([0]))[0]
            total += logits[piece] - math.log(np.exp(logits).sum())
        return total / len(sentence)

    every = {s: log_probability(s) for n in (1, 2, 3) for s in product(range(3, size), repeat=n)}
    # four pieces may not come: only sentences that end count
    found = [c for c in search(network, 1, free, width=60, max_words=4, min_words=1)[0] if len(c.words) < 4]
    best = max(every, key=every.__getitem__)
    assert found[0].words == best
    assert found[0].score == pytest.approx(every[best], abs=1e-4)


def test_what_never_ends_is_cut_at_the_most_words():
    def network(words, rows):
        logits = np.zeros((len(words), len(PIECES)))
        logits[:, END] = -1e9
        return logits

    (candidates,) = search(network, 1, WORDS.cannot_begin, max_words=6)
    assert candidates and all(len(candidate.words) == 6 for candidate in candidates)


def test_the_search_stops_when_told():
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search(random_network(0), 1, WORDS.cannot_begin, on_step=stop)


def test_sentences_and_their_pieces():
    for text in ("a person walks", "a person jumps, turning", "walking, a u-turn"):
        assert WORDS.sentence(WORDS.ids(text)) == text
    assert WORDS.sentence([START, *ids("a person"), END, ID["jump"], PAD]) == "a person"
    assert WORDS.ids("a zebra walks") == ids("a walk ##s")
    assert WORDS.sentence([ID["##s"], ID["jump"]]) == "s jump"


def test_a_broken_vocabulary_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must begin with"):
        Vocabulary(["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="must begin with"):
        Vocabulary(json.loads('["<pad>", "<start>", "<end>"]'))


def test_other_openings_go_on_with_verbs_that_the_known_sentences_lack():
    """After "a person" walk, jump and turn have 0.6, 0.3 and 0.08, what is left has less than 0.02 together."""
    verbs = {"walk": 0.6, "jump": 0.3, "turn": 0.08}

    def network(words, rows):
        shares = np.full((len(words), len(PIECES)), 1e-4)
        for line, spoken in enumerate(words.tolist()):
            said = [PIECES[piece] for piece in spoken[1:]]
            if said == ["a", "person"]:
                for verb, share in verbs.items():
                    shares[line, ID[verb]] = share
            else:
                follows = {0: "a", 1: "person", 3: "##s"}.get(len(said))
                shares[line, ID[follows] if follows else END] = 1.0
        return np.log(shares)

    known = [[Candidate(tuple(ids("a person walk ##ing")), -1.0)], [Candidate(tuple(ids("u turn")), -1.0)]]
    found = other_openings(network, ids("a person"), known, length_power=0.0)
    spoken = [[WORDS.sentence(candidate.words) for candidate in candidates] for candidates in found]
    assert spoken == [
        ["a person jumps", "a person turns"],
        ["a person walks", "a person jumps", "a person turns"],
    ]
    scores = [candidate.score for candidate in found[1]]
    assert np.exp(scores) == pytest.approx([0.6, 0.3, 0.08], rel=0.02)
    fewer = other_openings(network, ids("a person"), known, most=1, least=0.2)
    assert [[WORDS.sentence(c.words) for c in candidates] for candidates in fewer] == [
        ["a person jumps"], ["a person walks"],
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_other_openings_keep_the_rules_of_a_sentence(seed: int):
    network = random_network(seed)
    known = search(network, 3, WORDS.cannot_begin, max_words=12)
    for candidates in other_openings(network, ids("a person"), known, least=1e-6, max_words=12):
        for words in (candidate.words for candidate in candidates):
            assert 3 <= len(words) <= 12 and not {PAD, START, END} & set(words)
            triples = [words[i : i + 3] for i in range(len(words) - 2)]
            assert len(triples) == len(set(triples))
