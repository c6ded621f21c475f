# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of a bundle's captioner: word pieces to a sentence and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle import REINSTALL, Bundle
from motion_engine.errors import EngineError

PAD, START, END = 0, 1, 2
SPECIAL = ("<pad>", "<start>", "<end>")
CONTINUES = "##"
"""What a piece begins with that goes on with the word before it."""

_BEFORE = re.compile(r"\s+([,.;:!?%)\]])")
_INSIDE = re.compile(r"(\w)\s*([-'’/])\s*(?=\w)")


class Vocabulary:
    """Word pieces of a captioner, by number.

    Attributes
    ----------
    pieces : the V pieces; the first three are `SPECIAL`.
    cannot_begin : (V,) pieces that begin no sentence: they go on with a word, or are no word.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(pieces)
        if self.pieces[:3] != SPECIAL or len(self.pieces) < 4:
            raise ValueError(f"a vocabulary must begin with {', '.join(SPECIAL)} and go on with word pieces")
        self.cannot_begin: NDArray[np.bool_] = np.array([not piece[:1].isalnum() for piece in self.pieces])
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}

    def __len__(self) -> int:
        return len(self.pieces)

    @classmethod
    def of(cls, bundle: Bundle) -> Vocabulary:
        """The vocabulary of a bundle, from its manifest or from the file that this names.

        Raises
        ------
        EngineError
            ``broken_bundle``.
        """
        captions = bundle.manifest.get("captions", {})
        try:
            pieces = captions.get("words")
            if pieces is None:
                # a file of the bundle, so its hash has been checked
                if captions["words_file"] not in bundle.files:
                    raise ValueError(f"{captions['words_file']} is none of its files")
                pieces = json.loads(bundle.file(captions["words_file"]).read_text(encoding="utf-8"))
            return cls(pieces)
        except (KeyError, OSError, TypeError, ValueError) as error:
            raise EngineError(
                "broken_bundle", f"The words of the bundle {bundle.name} cannot be read: {error}.", REINSTALL
            ) from error

    def sentence(self, ids: Iterable[int]) -> str:
        """The text of word pieces up to the first ``<end>``; padding and ``<start>`` are passed over."""
        words: list[str] = []
        for index in ids:
            if index == END:
                break
            if index in (PAD, START):
                continue
            piece = self.pieces[index]
            if piece.startswith(CONTINUES) and words:
                words[-1] += piece.removeprefix(CONTINUES)
            else:
                words.append(piece.removeprefix(CONTINUES))
        return _INSIDE.sub(r"\1\2", _BEFORE.sub(r"\1", " ".join(words)))

    def ids(self, sentence: str) -> list[int]:
        """Word pieces of a sentence, the longest that fit first; words that cannot be spelt with them are left out."""
        found: list[int] = []
        for word in re.findall(r"\w+|[^\w\s]", sentence.lower()):
            found += self._spell(word)
        return found

    def _spell(self, word: str) -> list[int]:
        spelt: list[int] = []
        at = 0
        while at < len(word):
            prefix = CONTINUES if at else ""
            ends = (end for end in range(len(word), at, -1) if prefix + word[at:end] in self._ids)
            end = next(ends, None)
            if end is None:
                return []
            spelt.append(self._ids[prefix + word[at:end]])
            at = end
        return spelt
