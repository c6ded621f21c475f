# SPDX-License-Identifier: GPL-3.0-or-later
"""The losses of a stage as a picture; for a GAN also whether generator and discriminator keep step."""

from __future__ import annotations

import json
from pathlib import Path

from motion_engine.formats.atomic import replacing

PANELS = {"logit_": "mean logit", "right_": "share recognised"}
"""Figures whose names begin so have a panel of their own; all others are losses."""

_NO_FIGURE = ("step", "seconds")


def read_log(file: Path) -> list[dict[str, float]]:
    """Lines of a stage's ``NAME.jsonl``, in the order of their steps; of a step told twice the later line counts.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or nothing can be read in it.
    """
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: a stage writes it as it trains.")
    rows: dict[float, dict[str, float]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            rows[row["step"]] = row
        except (ValueError, KeyError, TypeError):
            continue  # cut short by an interruption
    if not rows:
        raise ValueError(f"{file} holds no line of losses yet.")
    return [rows[step] for step in sorted(rows)]


def draw_curves(file: Path, out: Path) -> None:
    """Draw every figure of a log over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_log(file)
    names = [n for n in dict.fromkeys(key for row in rows for key in row) if n not in _NO_FIGURE]
    panels: dict[str, list[str]] = {}
    for name in names:
        label = next((text for prefix, text in PANELS.items() if name.startswith(prefix)), "loss")
        panels.setdefault(label, []).append(name)
    figure = Figure(figsize=(7.0, 3.0 * len(panels)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for number, (label, members) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(len(panels), 1, number)
        for name in members:
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "", label=name)
        if label == "loss" and all(row[n] > 0 for row in rows for n in members if n in row):
            axes.set_yscale("log")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel(f"step of {file.stem}")
    with replacing(out) as stream:
        figure.savefig(stream, format="png")
