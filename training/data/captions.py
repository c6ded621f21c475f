# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that change when a motion is mirrored."""

from __future__ import annotations

import re

_SWAPS = {
    "left": "right",
    "right": "left",
    "lefts": "rights",
    "rights": "lefts",
    "leftward": "rightward",
    "rightward": "leftward",
    "leftwards": "rightwards",
    "rightwards": "leftwards",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anticlockwise": "clockwise",
    "anti-clockwise": "clockwise",
    "left-handed": "right-handed",
    "right-handed": "left-handed",
}
# "right away", "right after", "right angle": not the side; "upright" is not matched, being one word
_WORD = re.compile(
    r"(?<![\w-])("
    + "|".join(sorted(_SWAPS, key=len, reverse=True))
    + r")(?![\w-])(?! (?:away|after|before|angle))",
    re.IGNORECASE,
)


def mirror_caption(caption: str) -> str:
    """The caption of the mirrored motion: left and right, clockwise and counterclockwise exchanged."""

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        swapped = _SWAPS[word.lower()]
        return swapped.capitalize() if word[0].isupper() else swapped

    return _WORD.sub(swap, caption)
