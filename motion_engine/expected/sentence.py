# SPDX-License-Identifier: GPL-3.0-or-later
"""A sentence as the rules read it: its clauses, the sides and the numbers that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLAUSE = re.compile(r"[,;.:]|\b(?:and|then|while|before|after|as|but)\b")
_DENIED = re.compile(r"\b(?:not|never|no|without|nor|cannot|almost|tries|trying|pretends?|about to)\b|n't\b")
_ELSEWHERE = re.compile(
    r"\b(?:climb\w*|ladder|stairs?|rungs?|platform|high up|underneath|under|treadmill|swings? (?:on|from)|descend\w*"
    r"|steps up|up (?:\w+ )?steps|up to|cartwheel\w*|somersault\w*|flips?|rolls?|handstand)\b"
)
_GUARD = re.compile(r"\b(?:guard|stance|fight\w*|box(?:es|ing|er)|spar\w*)\b")
_SMALL_WORDS = {"a", "an", "the", "his", "her", "their"}
_SIDE = re.compile(r"\b(left|right)(?:ward|wards)?\b")

_NUMBERS = {
    "one": 1, "single": 1, "once": 1, "two": 2, "twice": 2, "three": 3, "thrice": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
NUMBER = "(" + "|".join(_NUMBERS) + r"|\d+)"
"""A number in a pattern, as a group for `number`."""

_TIMES = re.compile(rf"\b(?:{NUMBER} times|(once|twice|thrice))\b")


@dataclass(frozen=True)
class Sentence:
    """Lower case, one blank between words; ``clauses`` are what conjunctions and commas part, at least one."""

    text: str
    clauses: tuple[str, ...]

    @classmethod
    def of(cls, sentence: str) -> Sentence:
        """Read a sentence of any kind, an empty one too."""
        text = " ".join(sentence.lower().split())
        clauses = tuple(clause.strip() for clause in _CLAUSE.split(text) if clause.strip())
        return cls(text, clauses or (text,))

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern is anywhere in it."""
        return bool(pattern.search(self.text))

    def clauses_with(self, pattern: re.Pattern[str]) -> list[str]:
        """Clauses that the pattern is in."""
        return [clause for clause in self.clauses if pattern.search(clause)]

    @property
    def is_denied(self) -> bool:
        """Whether something does not happen, or not quite."""
        return self.says(_DENIED)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the body is not on a level floor and upright, so that heights and paths say nothing."""
        return self.says(_ELSEWHERE)

    @property
    def is_in_guard(self) -> bool:
        """Whether it speaks of fighting, where small steps and turns to and fro go with everything."""
        return self.says(_GUARD)

    @property
    def side(self) -> str | None:
        """``left`` or ``right`` where one of them is named, None for neither or both."""
        return side_of(self.text)

    @property
    def times(self) -> int | None:
        """How often something happens, None where no number is named, or several."""
        found = {number(a or b) for a, b in _TIMES.findall(self.text)}
        return found.pop() if len(found) == 1 else None


def echoes(sentence: str) -> int:
    """Clauses that say nothing but what earlier ones said, as the second one of "climbs up and climbs"."""
    said: set[str] = set()
    count = 0
    for clause in Sentence.of(sentence).clauses:
        words = set(clause.split()) - _SMALL_WORDS
        count += bool(words) and words <= said
        said |= words
    return count


def side_of(clause: str) -> str | None:
    """The side that a clause names, None for neither or both."""
    sides = set(_SIDE.findall(clause))
    return sides.pop() if len(sides) == 1 else None


def other(side: str) -> str:
    """The other side."""
    return "right" if side == "left" else "left"


def number(word: str) -> int:
    """The number that a match of `NUMBER` stands for."""
    return _NUMBERS[word] if word in _NUMBERS else int(word)


def counted(count: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
