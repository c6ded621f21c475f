# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on tells the user: one sentence, and the buttons that mend what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fix:
    """A button under an error.

    Attributes
    ----------
    label : text on the button.
    operator : operator id that it runs.
    properties : properties of the operator.
    icon : Blender icon name.
    """

    label: str
    operator: str
    properties: dict[str, Any] = field(default_factory=dict)
    icon: str = "NONE"


@dataclass(frozen=True)
class Status:
    """The line under the Generate button. ``kind`` is INFO, DONE or ERROR."""

    kind: str
    text: str
    fixes: tuple[Fix, ...] = ()


class UserError(Exception):
    """Something that the user can mend; nothing has been changed in the file."""

    def __init__(self, text: str, fixes: list[Fix] | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.fixes = tuple(fixes or ())

    def status(self) -> Status:
        return Status("ERROR", self.text, self.fixes)
