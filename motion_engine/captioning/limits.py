# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of the caption side."""

from __future__ import annotations

from motion_engine.errors import EngineError
from motion_engine.request import MAX_PROMPT

MAX_COUNT = 5
"""Sentences of a clip."""


def check_count(count: int) -> None:
    """Refuse a number of sentences that cannot be made of a clip; EngineError ``bad_count``."""
    if not 1 <= count <= MAX_COUNT:
        raise EngineError(
            "bad_count", f"{count} sentences cannot be made of a clip.", f"Choose 1 to {MAX_COUNT}."
        )


def check_text(text: str, name: str) -> str:
    """Words to compare motions with, with single spaces; EngineError ``empty_prompt`` or ``long_prompt``."""
    text = " ".join(text.split())
    if not text:
        raise EngineError("empty_prompt", f"{name} is empty.", "Say what to look for, as: a person jumps.")
    if len(text) > MAX_PROMPT:
        raise EngineError(
            "long_prompt",
            f"{name} has {len(text)} characters; {MAX_PROMPT} are the most.",
            "Shorten it.",
        )
    return text
