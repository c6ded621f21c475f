# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone names in one form, whatever tool and language they come from.

``mixamorig:LeftUpLeg``, ``upleg_l``, ``UpLeg.L`` and ``左UpLeg`` all become the side ``left`` and the stem ``upleg``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_NAMESPACE = re.compile(r"^.*[:|]")
_SEPARATORS = re.compile(r"[\s_.\-()\[\]{}<>/\\#+*,;~]+")
# a vertebra such as L5 stays whole: its letter is no side
_PIECES = re.compile(r"[LR]\d+|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\da-zA-Z_]+")
_GLUED = re.compile(r"^[lr](?=[A-Z])|^[LR](?=[A-Z][A-Za-z]*[a-z])")
_SIDES = {
    "l": "left", "left": "left", "lt": "left", "lft": "left", "hidari": "left", "左": "left",
    "r": "right", "right": "right", "rt": "right", "rgt": "right", "migi": "right", "右": "right",
}  # fmt: skip
_NO_SIDES = frozenset({"upright", "bright", "cleft"})


class Name(NamedTuple):
    """A bone's name taken apart.

    Attributes
    ----------
    side : "left", "right" or "".
    tokens : the rest of the name in lower case, numbers without leading zeros.
    """

    side: str
    tokens: tuple[str, ...]

    @property
    def stem(self) -> str:
        """The tokens in one word: names that differ by separators and case only have the same."""
        return "".join(self.tokens)

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of the same bone have in common."""
        return self.side, self.stem


def bare(name: str) -> str:
    """The name without its namespaces, full-width letters and digits made plain: ``ns1:ns2:Ａrm`` to ``Arm``."""
    plain = unicodedata.normalize("NFKC", name).strip()
    return _NAMESPACE.sub("", plain) or plain


@lru_cache(maxsize=8192)
def parse(name: str) -> Name:
    """Take a bone's name apart; a name without letters or digits gives no tokens."""
    side = ""
    tokens: list[str] = []
    for word in _SEPARATORS.split(bare(name)):
        if not word:
            continue
        if not side and (glued := _GLUED.match(word)):  # lThigh, LHipJoint, RUArm
            side = _SIDES[glued.group().lower()]
            word = word[glued.end() :]
        for piece in _PIECES.findall(word):
            for token in _cut(piece):
                if token in _SIDES and not side:
                    side = _SIDES[token]
                else:
                    tokens.append(str(int(token)) if token.isdecimal() else token)
    return Name(side, tuple(tokens))


def _cut(piece: str) -> list[str]:
    """Cut a side off a piece it is glued to: ``leftarm``, ``armright``, ``左腕``, ``hidariude``."""
    token = piece.lower()
    if token in _SIDES or token in _NO_SIDES:
        return [token]
    for word in ("left", "right", "hidari", "migi", "左", "右"):
        if token.startswith(word):
            return [word, token[len(word) :]]
        if token.endswith(word):
            return [token[: -len(word)], word]
    return [token]
