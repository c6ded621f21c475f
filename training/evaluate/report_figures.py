# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and contact sheets of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion
from training.contact_sheet import contact_sheet
from training.evaluate.held_out import HeldOut

SHEET_PROMPTS = 20
PROMPTS_A_SHEET = 10
COLOURS = 24
"""Of a sheet: stick figures need few, and the file becomes a third as large."""


@dataclass(frozen=True)
class Point:
    """A row of the table as a figure shows it."""

    sampler: str
    name: str
    steps: int
    milliseconds: float
    fid: float


def draw_figures(points: Sequence[Point], folder: Path, evaluator: str) -> list[str]:
    """``fid_milliseconds.png`` and ``fid_steps.png`` in ``folder``; their names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = []
    for name, label, log in (
        ("fid_milliseconds", "milliseconds a sentence, text encoder to motion", True),
        ("fid_steps", "network steps", True),
    ):
        figure = Figure(figsize=(6.0, 3.8), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for sampler in dict.fromkeys(point.sampler for point in points):
            own = sorted((p for p in points if p.sampler == sampler), key=lambda p: p.steps)
            across = [p.milliseconds if name == "fid_milliseconds" else p.steps for p in own]
            axes.plot(across, [p.fid for p in own], marker="o", label=own[0].name)
            for x, point in zip(across, own, strict=True):
                axes.annotate(
                    str(point.steps), (x, point.fid), textcoords="offset points", xytext=(5, 5), fontsize=8
                )
        if log:
            axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.set_ylabel(f"FID ({evaluator})")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        with replacing(folder / f"{name}.png") as file:
            figure.savefig(file, format="png")
        names.append(f"{name}.png")
    return names


def sheet_windows(held_out: HeldOut, count: int = SHEET_PROMPTS) -> list[int]:
    """Indices of the windows that sheets show: the same ones for the same set, in turn from the sources."""
    random = np.random.default_rng(7)
    order = random.permutation(len(held_out.windows))
    by_source: dict[str, list[int]] = {}
    for index in order:
        by_source.setdefault(held_out.windows[index].source, []).append(int(index))
    queues = [by_source[source] for source in sorted(by_source)]
    chosen: list[int] = []
    while len(chosen) < min(count, len(order)):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen


def draw_sheets(
    prompts: Sequence[str], real: Sequence[Motion], made: Sequence[Motion], folder: Path
) -> list[str]:
    """Contact sheets ``sheet_N.png``: each prompt's measured motion above the generated one; their names."""
    names = []
    for number, start in enumerate(range(0, len(prompts), PROMPTS_A_SHEET), 1):
        rows, titles = [], []
        for i in range(start, min(start + PROMPTS_A_SHEET, len(prompts))):
            rows += [real[i], made[i]]
            titles += [f"{i + 1}. measured: {prompts[i]}"[:190], f"{i + 1}. generated"]
        sheet = contact_sheet(rows, titles, n_poses=8)
        small = sheet.resize((sheet.width * 3 // 4, sheet.height * 3 // 4), Image.Resampling.LANCZOS)
        name = f"sheet_{number}.png"
        with replacing(folder / name) as file:
            small.quantize(COLOURS, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
        names.append(name)
    return names
