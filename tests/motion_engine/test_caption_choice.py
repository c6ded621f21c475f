# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several sentences is said: what the measures deny, and what repeats itself, gives way."""

from __future__ import annotations

import acted
import numpy as np
import pytest

from motion_engine.captioning.canonical import Clip
from motion_engine.captioning.captioner import Sentence
from motion_engine.captioning.parts import parts_of
from motion_engine.captioning.readers import read_motions
from motion_engine.engine import Engine
from motion_engine.kinematics import kinematics


@pytest.fixture(scope="module")
def engine():
    return Engine.load(device="cpu")


def best(engine: Engine, nearest: str, other: str) -> str:
    """The choice for a walk forward that lies between two equally likely sentences, a little nearer to the first."""
    first, second = engine.joint_space.texts([nearest, other])
    vector = 1.05 * first + second
    vector /= np.linalg.norm(vector)
    given = [Sentence(nearest, -1.0), Sentence(other, -1.0)]
    return engine.captioner._ranked(given, vector, kinematics(acted.walk()))[0].text


def test_other_verbs_stand_behind_the_beams(engine):
    """Acted jumps are told as other acts by all beams; a sentence about jumping is weighed as well."""
    (part,) = parts_of(Clip.of(acted.jump(2)), engine.bundle, engine.network("encoder"), lambda: None)
    _, memory = read_motions(engine, [part.latents])

    def verbs(sentences):
        return [s.text.split()[2] for s in sentences if s.text.startswith("a person ")]

    (beams,) = engine.captioner.sentences(memory, lambda: None)
    (more,) = engine.captioner.sentences(memory, lambda: None, other_verbs=True)
    assert more[: len(beams)] == beams
    others = verbs(more[len(beams) :])
    assert "jumps" in others and len(others) == len(set(others)) and not set(others) & set(verbs(beams))


def test_the_sentence_that_fits_best_is_said(engine):
    assert best(engine, "someone walks ahead", "a person strolls forward") == "someone walks ahead"


def test_a_sentence_that_the_measures_deny_gives_way(engine):
    assert best(engine, "a person walks backward", "a person walks forward") == "a person walks forward"


def test_of_two_like_sentences_the_one_without_an_echo_is_said(engine):
    told = best(engine, "a person walks forward and then walks forward", "a person walks forward")
    assert told == "a person walks forward"
