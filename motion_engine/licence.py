# SPDX-License-Identifier: GPL-3.0-or-later
"""What the licence of a model's weights means for the clips that are made with it."""

from __future__ import annotations

import re

NOT_FOR_SALE = "Clips made with it must not be sold."

_FORBIDS_SELLING = re.compile(
    r"\bnc\b"  # CC-BY-NC-4.0, CC BY-NC-SA 4.0
    r"|\bnon[\s_-]*commercial"
    r"|\b(no|not for) commercial"
    r"|\b(research|academic|educational?|evaluation|personal)([\s_-]+(use|purposes?))?[\s_-]+only\b",
    re.IGNORECASE,
)


def allows_commercial_use(licence: str) -> bool:
    """Whether what is made under a licence may be sold, read off its SPDX identifier or its words.

    An empty licence allows nothing. A choice of several licences counts as the strictest of them.
    """
    return bool(licence.strip()) and _FORBIDS_SELLING.search(licence.replace("LicenseRef", "")) is None


def describe(licence: str) -> str:
    """The licence for a list: its name, and what it forbids."""
    if allows_commercial_use(licence):
        return licence
    return f"{licence}; non-commercial: clips made with it must not be sold"
