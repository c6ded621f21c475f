# SPDX-License-Identifier: GPL-3.0-or-later
"""The text side of Guo et al.'s evaluator: GloVe vectors and parts of speech.

A caption is a list of ``word/TAG``, as HumanML3D's text files hold it between the first and the second ``#``: words
lemmatised by spaCy, hyphens removed. The vectors are looked up in a folder that the user has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
TaggedCaption = Sequence[str]
"""Tokens ``word/TAG``."""

TAGS = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip
"""Tags in the order of the network's one-hot input; the VIP ones are word lists of the benchmark."""

MAX_WORDS = 20
LENGTH = MAX_WORDS + 2
WIDTH = 300
FILE = "glove.6B.300d.txt"
_START, _END, _UNKNOWN = "sos", "eos", "unk"


class Glove:
    """Word vectors (300,) by word, and the word lists of the special tags.

    Parameters
    ----------
    vectors : word to vector; ``sos``, ``eos`` and ``unk`` are among them.
    special : word to one of the VIP tags, which then takes the place of its part of speech.
    """

    def __init__(self, vectors: dict[str, Array], special: dict[str, str] | None = None) -> None:
        missing = [word for word in (_START, _END, _UNKNOWN) if word not in vectors]
        if missing:
            raise ValueError(
                f"The word vectors lack {', '.join(missing)}, which mark start, end and the unknown."
            )
        self._vectors = vectors
        self._special = special or {}
        self.width = len(next(iter(vectors.values())))

    @classmethod
    def read(cls, folder: Path) -> Glove:
        """From a folder with either the evaluator's own vocabulary or plain GloVe vectors.

        The vocabulary is ``our_vab_data.npy`` (vectors, row by row), ``our_vab_words.txt`` (a word a line) and, where
        it is there, ``our_vab_special.txt`` (``word TAG`` a line). Plain vectors are ``glove.6B.300d.txt``; start and
        end are zero there and the unknown is the mean, which the official network was not trained with.

        Raises
        ------
        FileNotFoundError
            With what to put into the folder.
        """
        data, words, special = (
            folder / f"our_vab_{name}" for name in ("data.npy", "words.txt", "special.txt")
        )
        if data.exists() and words.exists():
            rows = np.load(data, allow_pickle=False)
            names = words.read_text(encoding="utf-8").split()
            if len(rows) != len(names):
                raise ValueError(f"{data} has {len(rows)} vectors, {words.name} has {len(names)} words.")
            tags = {}
            if special.exists():
                lines = (line.split() for line in special.read_text(encoding="utf-8").splitlines())
                tags = {parts[0]: parts[1] for parts in lines if len(parts) == 2}
            return cls(dict(zip(names, rows.astype(np.float32), strict=True)), tags)
        plain = folder / FILE
        if plain.exists():
            return cls(_read_plain(plain))
        raise FileNotFoundError(
            f"{folder} holds no word vectors. Put glove.6B.300d.txt (Stanford NLP, GloVe 6B) there, or the evaluator's "
            "vocabulary as our_vab_data.npy and our_vab_words.txt."
        )

    def encode(self, caption: TaggedCaption) -> tuple[Array, Array, int]:
        """Vectors (22, 300) and one-hot tags (22, 15), float32, and the number of real tokens with start and end.

        At most 20 words are read; behind the end the rows are those of the unknown word.
        """
        tokens = [f"{_START}/OTHER", *caption[:MAX_WORDS], f"{_END}/OTHER"]
        length = len(tokens)
        tokens += [f"{_UNKNOWN}/OTHER"] * (LENGTH - length)
        words = np.zeros((LENGTH, self.width), dtype=np.float32)
        tags = np.zeros((LENGTH, len(TAGS)), dtype=np.float32)
        for i, token in enumerate(tokens):
            word, _, tag = token.rpartition("/")
            known = word in self._vectors
            words[i] = self._vectors[word if known else _UNKNOWN]
            tag = self._special.get(word, tag) if known else "OTHER"
            tags[i, TAGS.index(tag) if tag in TAGS else TAGS.index("OTHER")] = 1.0
        return words, tags, length


def _read_plain(path: Path) -> dict[str, Array]:
    vectors: dict[str, Array] = {}
    total: Array = np.zeros(WIDTH)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, *numbers = line.rstrip().split(" ")
            if len(numbers) != WIDTH:
                raise ValueError(f"{path} has a line of {len(numbers)} numbers; {WIDTH} are expected.")
            vectors[word] = np.array(numbers, dtype=np.float32)
            total += vectors[word]
    if not vectors:
        raise ValueError(f"{path} is empty.")
    zero = np.zeros(WIDTH, dtype=np.float32)
    mean = (total / len(vectors)).astype(np.float32)
    return vectors | {_START: zero, _END: zero, _UNKNOWN: mean}
