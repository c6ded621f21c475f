# SPDX-License-Identifier: GPL-3.0-or-later
"""The joint space of motion and text: unit vectors whose dot product says how well the two fit.

As in TMR (Petrovich et al. 2023), learned by contrast; what search by words and the choice among captions rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motion_engine.captioning.canonical import Clip
from motion_engine.captioning.parts import Part, parts_of
from motion_engine.captioning.readers import read_motions, read_texts
from motion_engine.errors import Cancelled, EngineError

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]

REMEMBERED = 4096
"""Sentences whose vectors are kept: captions of a library repeat."""

TEXTS_TOGETHER = 32


@dataclass(frozen=True)
class ClipProblem:
    """Why nothing can be made of clip number ``clip``: for programs (code) and for people (message, fix)."""

    clip: int
    code: str
    message: str
    fix: str

    @classmethod
    def of(cls, clip: int, error: EngineError) -> ClipProblem:
        """The problem that an error tells of."""
        return cls(clip, error.code, error.message, error.fix)


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors of texts (N, E) and clips (M, E); a clip with a problem has a row of zeros.

    ``parts`` has the vectors (n, E) of the parts of each clip, of which its row is the mean, and ``spans`` the seconds
    at which these start and end.
    """

    texts: Array
    clips: Array
    problems: list[ClipProblem] = field(default_factory=list)
    parts: list[Array] = field(default_factory=list)
    spans: list[list[tuple[float, float]]] = field(default_factory=list)


class JointSpace:
    """Sentences in the joint space of an engine's bundle; those of late are remembered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, Array] = {}

    @property
    def width(self) -> int:
        """E, the length of a vector."""
        return int(self._engine.bundle.manifest["captions"]["embedding"])

    def texts(self, texts: Sequence[str], check: Callable[[], None] = lambda: None) -> Array:
        """Unit vectors (N, E) of sentences; ``check`` is called before each run of a network."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(new) > REMEMBERED:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        new.sort(key=len)
        for first in range(0, len(new), TEXTS_TOGETHER):
            group = new[first : first + TEXTS_TOGETHER]
            check()
            self._known |= dict(zip(group, read_texts(self._engine, group)[0], strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(-1, self.width)

    def fit(self, sentence: str, latents: Array) -> Array:
        """(B,) similarities, from -1 to 1, of a sentence and motions given by their normalised latents (B, L, C)."""
        similarity: Array = read_motions(self._engine, list(latents))[0] @ self.texts([sentence])[0]
        return similarity


def embed(
    engine: Engine,
    texts: Sequence[str] = (),
    clips: Sequence[Clip] = (),
    is_cancelled: Callable[[], bool] | None = None,
) -> Embeddings:
    """Bring texts and clips to the joint space; see `Engine.embed`."""
    engine.bundle.require("embed")
    space = engine.joint_space

    def check() -> None:
        if is_cancelled and is_cancelled():
            raise Cancelled

    rows = space.texts(list(texts), check)
    found = np.zeros((len(clips), space.width), dtype=np.float32)
    problems: list[ClipProblem] = []
    vectors: list[Array] = []
    spans: list[list[tuple[float, float]]] = []
    for index, clip in enumerate(clips):
        check()
        of_parts = np.zeros((0, space.width), dtype=np.float32)
        parts: list[Part] = []
        try:
            parts = parts_of(clip, engine.bundle, engine.network("encoder"), check)
            check()
            of_parts = read_motions(engine, [part.latents for part in parts])[0]
            mean = of_parts.mean(axis=0)
            found[index] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        except EngineError as error:
            problems.append(ClipProblem.of(index, error))
        vectors.append(of_parts)
        spans.append([(part.start, part.end) for part in parts])
    return Embeddings(rows, found, problems, vectors, spans)
