# SPDX-License-Identifier: GPL-3.0-or-later
"""One sentence for a clip of several parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

MOST_PARTS = 6
"""A summary names so many parts; of more, evenly chosen ones."""

_SUBJECT = re.compile(
    r"^(?:(?:a|an|the|this|one) (?:\w+ )?(?:person|man|woman|figure|human|individual|dancer|boy|girl|child|lady|guy)"
    r"|someone|somebody|he|she|they) (?:(?:then|is|now) )*"
)


def summarise(sentences: Sequence[str]) -> str:
    """``a person walks forward, then sits down, then waves``: each sentence once in a row, its subject said once."""
    said = [sentence.strip().rstrip(".") for sentence in sentences]
    said = [text for text, _ in groupby(text for text in said if text)]
    if len(said) > MOST_PARTS:
        said = [said[round(i * (len(said) - 1) / (MOST_PARTS - 1))] for i in range(MOST_PARTS)]
        said = [text for text, _ in groupby(said)]
    rest = [_SUBJECT.sub("", text.removeprefix("then ")) for text in said[1:]]
    return ", then ".join([*said[:1], *rest])
