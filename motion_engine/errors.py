# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a user reads: what happened, and what to do about it."""

from __future__ import annotations


class EngineError(Exception):
    """A request or a bundle that cannot be served.

    Parameters
    ----------
    code : str
        Stable snake_case name for programs, for instance ``empty_prompt``.
    message : str
        One sentence that says what happened.
    fix : str
        One sentence that says what to do.
    """

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.code = code
        self.message = message
        self.fix = fix


class Cancelled(Exception):
    """The caller asked for the computation to stop, and it stopped."""
