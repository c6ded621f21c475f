# SPDX-License-Identifier: GPL-3.0-or-later
"""Several reports as one table: what was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluate.report import REAL
from training.evaluate.report_page import read_report, table

HEAD = (
    "report", "bundle", "row", "AITS ms", "R top 3", "R over real", "FID", "skate over real", "jerk over real",
    "VAE mm", "suite %",
)  # fmt: skip


def comparison(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown with the preset's row of every report, by the first evaluator of each.

    Parameters
    ----------
    reports : by the name that the table shows, what `read_report` returns.
    """
    rows = []
    windows = set()
    for name, report in reports.items():
        row = report["default_row"]
        scores: Mapping[str, Any] = next(iter(report["evaluators"].values()), {})
        made, real = scores.get(row, {}), scores.get(REAL, {})
        quality, measured = report["quality"][row], report["quality"][REAL]
        windows.add((report["windows"], tuple(report["sources"])))
        rows.append(
            [
                name, report["bundle"], row, _number(report["milliseconds"].get(row), 0),
                _number(_mean(made.get("r3")), 3), _ratio(_mean(made.get("r3")), _mean(real.get("r3"))),
                _number(_mean(made.get("fid")), 4), _ratio(quality["foot_skate"], measured["foot_skate"]),
                _ratio(quality["jerk"], measured["jerk"]), _number(report["vae"].get("mpjpe_mm"), 1),
                _number(None if report["suite_share"] is None else 100 * report["suite_share"], 1),
            ]
        )  # fmt: skip
    text = table(HEAD, rows)
    if len(windows) > 1:
        text += "\n\nThe reports were made on different windows: FID and R-precision are not comparable across them."
    return text


def compare(folders: Sequence[Path]) -> str:
    """See `comparison`; reads the folders of reports."""
    return comparison({folder.name: read_report(folder) for folder in folders})


def _mean(pair: Sequence[float] | None) -> float | None:
    return pair[0] if pair else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ratio(value: float | None, reference: float | None) -> str:
    return "-" if value is None or not reference else f"{value / reference:.3f}"
