# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that several tests send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# long enough to be still running when the test acts, whatever the machine
LONG: dict[str, Any] = {
    "prompt": "a person dances salsa", "duration": 9.0, "count": 32, "sampler": "mld", "steps": 500,
}  # fmt: skip
SHORT: dict[str, Any] = {"prompt": "a person jumps", "duration": 2.0}


def until_progress(events: Iterator[dict[str, Any]]) -> str:
    """Read a stream up to its first progress; returns the job's id."""
    for event in events:
        assert event["event"] in ("queued", "progress")
        if event["event"] == "progress":
            return event["job"]
    raise AssertionError("the stream ended before any progress")
