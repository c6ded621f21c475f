# SPDX-License-Identifier: GPL-3.0-or-later
"""Beam search over word pieces, for many clips at once; the network is a callable.

Of each clip the ``width`` likeliest beginnings are kept. A finished sentence is scored by the mean log-probability of
its pieces, with its length raised to ``length_power`` (Wu et al. 2016 without the constant), so that short sentences
have no advantage. No three pieces follow one another twice in a sentence (Paulus et al. 2018), which keeps a language
model from stuttering.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine.captioning.words import END, PAD, START

Array = NDArray[np.floating]
Ids = NDArray[np.int64]

Network = Callable[[Ids, NDArray[np.integer]], Array]
"""From the pieces so far (A, N), ``<start>`` first, and the clip (A,) of each row to logits (A, V) of the next."""

NO_REPEAT = 3
"""So many pieces in a row come but once in a sentence."""


@dataclass(frozen=True)
class Candidate:
    """A sentence of a clip: its word pieces without ``<start>`` and ``<end>``, and its mean log-probability."""

    words: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class _Beam:
    words: tuple[int, ...]
    total: float


def search(
    network: Network,
    clips: int,
    cannot_begin: NDArray[np.bool_],
    *,
    width: int = 5,
    max_words: int = 40,
    min_words: int = 3,
    length_power: float = 1.0,
    on_step: Callable[[], None] | None = None,
) -> list[list[Candidate]]:
    """Up to ``width`` sentences of each clip, best first.

    Parameters
    ----------
    clips : how many clips the network knows, numbered from 0.
    cannot_begin : (V,) pieces that begin no sentence.
    max_words, min_words : most and fewest pieces of a sentence.
    on_step : called before each run of the network; may raise to stop the search.
    """
    beams = [[_Beam((), 0.0)] for _ in range(clips)]
    finished: list[list[Candidate]] = [[] for _ in range(clips)]
    for length in range(max_words):
        rows = np.array([clip for clip in range(clips) for _ in beams[clip]], dtype=np.int64)
        if not len(rows):
            break
        kept = [beam.words for clip in range(clips) for beam in beams[clip]]
        scores = _next_pieces(network, kept, rows, on_step)
        _forbid(scores, kept, cannot_begin, length, min_words)
        first = 0
        for clip in range(clips):
            own = beams[clip]
            if own:
                part = scores[first : first + len(own)]
                first += len(own)
                beams[clip] = _advance(own, part, finished[clip], width, length, length_power)
    for own, ended in zip(beams, finished, strict=True):
        # what is not at its end after the most words is taken as it is, as far as too little has ended
        missing = max(width - len(ended), 0)
        ended += [Candidate(b.words, b.total / len(b.words) ** length_power) for b in own[:missing]]
    return [sorted(found, key=lambda c: -c.score)[:width] for found in finished]


def other_openings(
    network: Network,
    opening: Sequence[int],
    known: Sequence[Sequence[Candidate]],
    *,
    most: int = 6,
    least: float = 0.02,
    max_words: int = 40,
    length_power: float = 1.0,
    on_step: Callable[[], None] | None = None,
) -> list[list[Candidate]]:
    """Sentences that go on after ``opening`` in ways that no known one does, each with its likeliest pieces.

    Beams tend to be one act in five wordings, because an act that is a little likelier has more wordings over those of
    the next. What comes first after the subject names the act.

    Parameters
    ----------
    opening : pieces that all of them begin with, at least one.
    known : the sentences of each clip, as `search` found them.
    most, least : so many ways a clip, of this probability or more.
    max_words, length_power, on_step : as for `search`.
    """
    start = tuple(opening)
    rows = np.arange(len(known))
    total = np.zeros(len(known))
    for length, piece in enumerate(start):
        total += _next_pieces(network, [start[:length]] * len(known), rows, on_step)[:, piece]
    scores = _next_pieces(network, [start] * len(known), rows, on_step)
    scores[:, [PAD, START, END]] = -np.inf
    beams: list[tuple[int, _Beam]] = []
    for clip, sentences in enumerate(known):
        heard = [c.words[len(start)] for c in sentences if c.words[: len(start)] == start != c.words]
        scores[clip, heard] = -np.inf
        for piece in np.argsort(-scores[clip], kind="stable")[:most].tolist():
            if scores[clip, piece] >= np.log(least):
                beams.append((clip, _Beam((*start, piece), float(total[clip] + scores[clip, piece]))))
    found: list[list[Candidate]] = [[] for _ in known]
    may_begin = np.zeros(scores.shape[1], dtype=bool)
    for length in range(len(start) + 1, max_words):
        if not beams:
            break
        kept = [beam.words for _, beam in beams]
        scores = _next_pieces(network, kept, np.array([clip for clip, _ in beams]), on_step)
        _forbid(scores, kept, may_begin, length, 0)
        longer = []
        for (clip, beam), row in zip(beams, scores, strict=True):
            piece = int(row.argmax())
            value = beam.total + float(row[piece])
            if piece == END:
                found[clip].append(Candidate(beam.words, value / length**length_power))
            else:
                longer.append((clip, _Beam((*beam.words, piece), value)))
        beams = longer
    for clip, beam in beams:
        found[clip].append(Candidate(beam.words, beam.total / len(beam.words) ** length_power))
    return found


def _next_pieces(
    network: Network,
    spoken: Sequence[tuple[int, ...]],
    rows: NDArray[np.integer],
    on_step: Callable[[], None] | None,
) -> Array:
    """Log-probabilities (A, V) of what follows beginnings of one length, of the clips (A,) ``rows``."""
    if on_step:
        on_step()
    words = np.array([(START, *pieces) for pieces in spoken], dtype=np.int64)
    return _log_softmax(network(words, rows))


def _advance(
    beams: list[_Beam], scores: Array, finished: list[Candidate], width: int, length: int, power: float
) -> list[_Beam]:
    """The beams of one clip, one piece longer; sentences that end go to ``finished``. None are left when no beam can
    do better than what is finished."""
    total = scores + np.array([[beam.total] for beam in beams])
    flat = total.ravel()
    count = min(2 * width, len(flat))
    best = np.argpartition(-flat, count - 1)[:count]
    best = best[np.argsort(-flat[best], kind="stable")]
    longer: list[_Beam] = []
    for rank, index in enumerate(best):
        value = float(flat[index])
        if value == -np.inf:
            break
        beam, piece = divmod(int(index), scores.shape[1])
        if piece == END:
            # an end that a full beam would not have kept is no sentence of this clip
            if rank < width:
                finished.append(Candidate(beams[beam].words, value / max(length, 1) ** power))
        elif len(longer) < width:
            longer.append(_Beam((*beams[beam].words, piece), value))
    if len(finished) >= width and longer:
        worst = sorted((candidate.score for candidate in finished), reverse=True)[width - 1]
        if longer[0].total / (length + 1) ** power <= worst:
            return []
    return longer


def _forbid(
    scores: Array, spoken: list[tuple[int, ...]], cannot_begin: NDArray[np.bool_], length: int, min_words: int
) -> None:
    """Take what must not come next out of the log-probabilities (A, V)."""
    scores[:, [PAD, START]] = -np.inf
    if length < min_words:
        scores[:, END] = -np.inf
    if length == 0:
        scores[:, cannot_begin] = -np.inf
    if length >= NO_REPEAT:
        for row, words in enumerate(spoken):
            last = words[-(NO_REPEAT - 1) :]
            for at in range(length - NO_REPEAT + 1):
                if words[at : at + NO_REPEAT - 1] == last:
                    scores[row, words[at + NO_REPEAT - 1]] = -np.inf


def _log_softmax(logits: Array) -> Array:
    logits = np.asarray(logits, dtype=np.float32)
    logits = logits - logits.max(axis=-1, keepdims=True)
    found: Array = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return found
