# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips to sentences: memory, beam search, and the choice among what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motion_engine.captioning import beam_search
from motion_engine.captioning.beam_search import Candidate
from motion_engine.captioning.canonical import Clip
from motion_engine.captioning.joint_space import ClipProblem
from motion_engine.captioning.limits import check_count
from motion_engine.captioning.parts import Part, parts_of
from motion_engine.captioning.readers import Memory, read_motions, text_of_motion
from motion_engine.captioning.summary import summarise
from motion_engine.captioning.tags import TAGS, tags
from motion_engine.captioning.words import Vocabulary
from motion_engine.errors import Cancelled, EngineError
from motion_engine.expected import expectations, shortfall
from motion_engine.expected.sentence import echoes
from motion_engine.kinematics import kinematics
from motion_engine.kinematics_values import Kinematics

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]

BEAM_WIDTH = 5

SUBJECT = "a person"
"""What most captions begin with; beside the beams stand sentences that go on after it with other likely verbs."""

PARTS_TOGETHER = 2
"""Parts computed together where somebody waits: a step must not take long, because cancelling waits for it."""

MANY_TOGETHER = 16
"""The same for a whole library."""

LOG_WEIGHT = 0.2
"""What a unit of mean log-probability is worth beside the similarity in the joint space, from -1 to 1."""

DENIAL_WEIGHT = 0.5
"""What each thing that a sentence says and the measures deny takes off its score."""

ECHO_WEIGHT = 0.1
"""What each clause takes off a sentence's score that says nothing new."""

LENGTH_POWER = 1.0
"""How much of its length is forgiven a sentence, where the bundle does not say."""

WHOLE = -1
"""Segment number of the summary of a clip of several parts."""


@dataclass(frozen=True)
class Sentence:
    """A sentence and its score; more is better."""

    text: str
    score: float


@dataclass(frozen=True)
class Caption:
    """What is said of a clip or of a part of it.

    Attributes
    ----------
    clip : number of the clip in the request.
    segment : number of the part, or `WHOLE` for the summary of several.
    start, end : seconds of the clip.
    score : similarity of motion and sentence in the joint space plus a weighted log-probability, less what the
        measures of the motion deny and what it says twice.
    alternatives : other sentences, best first.
    vector : (E,) of the motion in the joint space; None for a summary.
    """

    clip: int
    segment: int
    start: float
    end: float
    text: str
    score: float
    alternatives: tuple[Sentence, ...] = ()
    tags: tuple[str, ...] = ()
    vector: Array | None = field(default=None, compare=False, repr=False)


Result = Caption | ClipProblem
Described = tuple[list[Sentence], Array, Kinematics]


class Captioner:
    """The caption networks of an engine.

    Raises
    ------
    EngineError
        ``not_supported`` for a bundle without them, ``broken_bundle``.
    """

    def __init__(self, engine: Engine) -> None:
        engine.bundle.require("motion_to_text")
        self._engine = engine
        self._settings: dict[str, Any] = engine.bundle.manifest["captions"]
        self._words = Vocabulary.of(engine.bundle)

    def sentences(
        self, memory: Memory, check: Callable[[], None], other_verbs: bool = False
    ) -> list[list[Sentence]]:
        """Sentences that a memory holds, likeliest first; ``score`` is the mean log-probability.

        ``other_verbs`` adds, behind those of the beams, sentences with other likely verbs after `SUBJECT`.
        """
        decoder = self._engine.network("text_decoder")

        def network(words: NDArray[np.int64], rows: NDArray[np.integer]) -> Array:
            given = {"memory": memory.tokens[rows], "memory_mask": memory.mask[rows], "words": words}
            return np.asarray(decoder(given)[0], dtype=np.float32)

        most = int(self._settings["max_words"])
        power = float(self._settings.get("length_power", LENGTH_POWER))
        found = beam_search.search(
            network, len(memory.tokens), self._words.cannot_begin, width=BEAM_WIDTH, max_words=most,
            length_power=power, on_step=check,
        )  # fmt: skip
        subject = self._words.ids(SUBJECT)
        if other_verbs and subject:
            others = beam_search.other_openings(
                network, subject, found, max_words=most, length_power=power, on_step=check
            )
            found = [beams + other for beams, other in zip(found, others, strict=True)]
        return [self._distinct(candidates) for candidates in found]

    def caption(
        self,
        clips: Sequence[Clip],
        count: int = 1,
        together: int = PARTS_TOGETHER,
        on_result: Callable[[Result], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:
        """Captions of the clips, or why there is none; see `Engine.caption`."""
        check_count(count)

        def check() -> None:
            if is_cancelled and is_cancelled():
                raise Cancelled

        results: list[Result] = []
        waiting: list[tuple[int, list[Part]]] = []

        def finish() -> None:
            spoken = self._describe([part for _, parts in waiting for part in parts], together, check)
            for clip, parts in waiting:
                found = self._captions(clip, parts, [next(spoken) for _ in parts], count)
                for result in found:
                    tell(result)
            waiting.clear()

        def tell(result: Result) -> None:
            results.append(result)
            if on_result:
                on_result(result)

        for index, clip in enumerate(clips):
            check()
            try:
                parts = parts_of(clip, self._engine.bundle, self._engine.network("encoder"), check)
                waiting.append((index, parts))
            except EngineError as error:
                tell(ClipProblem.of(index, error))
            if sum(len(parts) for _, parts in waiting) >= together or index == len(clips) - 1:
                finish()
                if on_progress:
                    on_progress(index + 1, len(clips))
        return results

    def _describe(
        self, parts: Sequence[Part], together: int, check: Callable[[], None]
    ) -> Iterator[Described]:
        """For each part its sentences, best first, its vector in the joint space, and its measures."""
        for first in range(0, len(parts), together):
            group = parts[first : first + together]
            latents = [part.latents for part in group]
            check()
            vectors, memory = read_motions(self._engine, latents)
            if self._settings["captioner"] == "mote":
                steps, guidance = int(self._settings["steps"]), float(self._settings["guidance"])
                memory = text_of_motion(self._engine, latents, steps, guidance, check)
            spoken = self.sentences(memory, check, other_verbs=True)
            # all together, so that the text encoder runs on many at once
            self._engine.joint_space.texts([s.text for sentences in spoken for s in sentences], check)
            for part, sentences, vector in zip(group, spoken, vectors, strict=True):
                measures = kinematics(part.motion)
                yield self._ranked(sentences, vector, measures), vector, measures

    def _ranked(self, sentences: list[Sentence], vector: Array, measures: Kinematics) -> list[Sentence]:
        """By fit, likelihood, what the sentence says that the body does not do (a walk backward, three jumps), and
        what it says twice."""
        fit = self._engine.joint_space.texts([s.text for s in sentences]) @ vector
        weight = float(self._settings.get("log_weight", LOG_WEIGHT))
        scored = [
            Sentence(
                s.text,
                float(f)
                + weight * s.score
                - DENIAL_WEIGHT * shortfall(expectations(s.text), measures)
                - ECHO_WEIGHT * echoes(s.text),
            )
            for s, f in zip(sentences, fit, strict=True)
        ]
        return sorted(scored, key=lambda s: -s.score)

    def _distinct(self, candidates: list[Candidate]) -> list[Sentence]:
        """Candidates as sentences, each text once."""
        found: dict[str, float] = {}
        for candidate in candidates:
            text = self._words.sentence(candidate.words)
            found.setdefault(text, max(candidate.score, -1e3))
        return [Sentence(text, score) for text, score in found.items()]

    def _captions(self, clip: int, parts: list[Part], spoken: list[Described], count: int) -> list[Caption]:
        found = []
        for segment, (part, (sentences, vector, measures)) in enumerate(zip(parts, spoken, strict=True)):
            best = sentences[0]
            found.append(
                Caption(
                    clip, segment, part.start, part.end, best.text, best.score, tuple(sentences[1:count]),
                    tuple(tags(best.text, measures)), vector,
                )
            )  # fmt: skip
        if len(found) == 1:
            return found
        every = {tag for caption in found for tag in caption.tags}
        summary = Caption(
            clip, WHOLE, 0.0, parts[-1].end, summarise([caption.text for caption in found]),
            math.fsum(caption.score for caption in found) / len(found),
            tags=tuple(tag.name for tag in TAGS if tag.name in every),
        )  # fmt: skip
        return [*found, summary]
