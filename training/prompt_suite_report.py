# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a run of the prompt suite: JSON, a Markdown table, pictures of what fails."""

from __future__ import annotations

import json
from pathlib import Path

from motion_engine.formats.atomic import replacing
from training.contact_sheet import save_contact_sheet
from training.prompt_suite import SuiteResult

A_SHEET = 6
"""Prompts on one picture, two takes of each."""


def write_suite(result: SuiteResult, folder: Path) -> None:
    """Write ``suite.json`` and ``suite.md``; where the motions were kept also ``failing_N.png``, the worst first."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("suite.json", json.dumps(result.as_dict(), indent=1) + "\n"), ("suite.md", result.markdown()),
    ):  # fmt: skip
        with replacing(folder / name) as file:
            file.write(text.encode("utf-8"))
    rows = [row for row in result.failing() if row.counted and row.prompt.id in result.motions]
    for page, first in enumerate(range(0, len(rows), A_SHEET)):
        motions, titles = [], []
        for row in rows[first : first + A_SHEET]:
            takes = list(zip(result.motions[row.prompt.id], row.passed, strict=True))
            for take, (motion, passed) in sorted(enumerate(takes), key=lambda entry: entry[1][1])[:2]:
                motions.append(motion)
                verdict = "passes" if passed else "; ".join(row.misses)
                titles.append(f"{row.prompt.prompt}, seed {take}: {verdict}"[:190])
        save_contact_sheet(motions, titles, folder / f"failing_{page + 1}.png")
