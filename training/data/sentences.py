# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking captions apart and putting them together: subject and predicate, "A, then B", "A while doing B"."""

from __future__ import annotations

import re

_PEOPLE = (
    "person|man|woman|figure|human|individual|dancer|girl|boy|lady|guy|teenager|youngster|senior|gentleman|"
    "someone|somebody|one|he|she|they"
)
_SUBJECT = re.compile(
    rf"^(?:(?:a|an|the|this|one) (?:[\w-]+,? ){{0,3}}?)?(?:{_PEOPLE}) (?:(?:who )?(?:slowly|quickly|calmly|briskly) )?"
)
_NOT_VERBS = ("in", "with", "on", "at", "of", "from", "who", "very", "does", "is", "are", "has", "and")
_DOUBLED = frozenset(
    (
        "sit",
        "run",
        "stop",
        "step",
        "jog",
        "spin",
        "clap",
        "hop",
        "skip",
        "grab",
        "squat",
        "dip",
        "swim",
        "trot",
        "tap",
    )
)
"""Verbs whose last letter is doubled before -ing."""


def split_subject(caption: str) -> tuple[str, str] | None:
    """("a person", "walks forward") of "a person walks forward"; None where the sentence is built differently."""
    match = _SUBJECT.match(caption)
    if not match:
        return None
    subject, predicate = match.group(0).strip(), caption[match.end() :].strip().rstrip(".")
    words = predicate.split()
    if not words or words[0] in _NOT_VERBS or not words[0].endswith("s") or words[0].endswith("ss"):
        return None
    return subject, predicate


_WHOLE = re.compile(
    r"\b(then|and|times?|once|twice|one|two|three|four|five|six|seven|eight|turns?|around|degrees"
    r"|sits?|stands? up|gets? up|starts?|stops?|begins?|before|after|while|again|rises?|down|away)\b"
)


def holds_for_parts(caption: str) -> bool:
    """Whether a part of the clip still does what the caption says: not where it counts, turns, ends or comes after."""
    return not _WHOLE.search(caption)


def gerund(predicate: str) -> str:
    """ "waving the right hand" of "waves the right hand": the first verb, and those behind "and", as participles."""
    parts = re.split(r"( and )", predicate)
    for i in range(0, len(parts), 2):
        first, _, rest = parts[i].partition(" ")
        if first.endswith("s") and not first.endswith("ss") and (i == 0 or len(first) > 4):
            parts[i] = f"{_participle(first)} {rest}".strip()
    return "".join(parts)


def _participle(verb: str) -> str:
    if verb.endswith(("ches", "shes", "sses", "xes", "zes", "goes", "does")):
        stem = verb[:-2]
    elif verb.endswith("ies"):
        stem = verb[:-3] + "y"
    else:
        stem = verb[:-1]
    if stem in _DOUBLED:
        return stem + stem[-1] + "ing"
    if stem.endswith("ie"):
        return stem[:-2] + "ying"
    if stem.endswith("e") and not stem.endswith(("ee", "oe", "ye")):
        return stem[:-1] + "ing"
    return stem + "ing"
