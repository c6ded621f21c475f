# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family of rigs in every variation, three generated motions on each: one table of errors and times.

``python tests/blender_addon/rig_matrix.py`` in a Python that has bpy prints the table as Markdown; with ``--write`` it
goes into docs/rigs.md between the two markers; with ``--all`` every pair of family and variation gets its line.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from rig_measure import Figure, Score, measure, put, take_off  # noqa: E402
from rig_styles import STYLES, Style, tables  # noqa: E402
from rig_variations import AS_IT_COMES, VARIATIONS, Variation, build, rigify_human  # noqa: E402

from motion_engine.engine import Engine, GenerateRequest  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402

PROMPTS = ("a person walks forward and turns around", "a person sits down", "a person dances")
SECONDS, FPS, LONG = 4.0, 24.0, 300
PAGE = ROOT / "docs" / "rigs.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = (
    "| rig | joints, mean / max | limbs, mean / max | feet off the floor, mean / max | soles in the floor | slide "
    "| 300 frames |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Line:
    """One row: what was put on, what came of it, milliseconds for 300 frames."""

    title: str
    score: Score | None
    milliseconds: float | None = None
    note: str = ""


def clips() -> list[Motion]:
    """The engine's motions for the prompts, at the scene's frame rate."""
    engine = Engine.load()
    return [
        engine.generate(GenerateRequest(prompt=prompt, duration=SECONDS, seed=0))[0].resample(FPS)
        for prompt in PROMPTS
    ]


def long_clip(motion: Motion) -> Motion:
    """The clip at a rate that gives it `LONG` frames."""
    longer = motion.resample((LONG - 1) / ((motion.n_frames - 1) / motion.fps))
    return replace(
        longer, joints=longer.joints[:LONG], rotations=longer.rotations[:LONG], root=longer.root[:LONG],
        contacts=longer.contacts[:LONG],
    )  # fmt: skip


def play(figure: Figure, motions: Sequence[Motion]) -> Score:
    """Put each motion on the rig, measure, take it off."""
    scores = []
    for motion in motions:
        put(figure.target, motion)
        scores.append(measure(figure, motion))
        take_off(figure.target)
    return Score.together(scores)


def timed(figure: Figure, motion: Motion, repeat: int = 5) -> float:
    """Median milliseconds to read the rig, solve and write the keys of 300 frames."""
    times = []
    for _ in range(repeat):
        times.append(put(figure.target, motion))
        take_off(figure.target)
    return float(np.median(times))


def new_file() -> None:
    """An empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def try_pair(style: Style, table: object, variation: Variation, motions: Sequence[Motion]) -> Line:
    """One family in one variation; a refusal is a line too."""
    new_file()
    figure = build(style, table, variation)  # type: ignore[arg-type]
    title = f"{table.family} (`{style.table}`), {variation.title}"  # type: ignore[attr-defined]
    try:
        return Line(title, play(figure, motions))
    except (ValueError, RuntimeError) as error:
        return Line(title, None, None, getattr(error, "text", str(error)))


def family_lines(motions: Sequence[Motion], longer: Motion) -> list[Line]:
    """A row a family, as it comes, and the time that it takes."""
    rigs, lines = tables(), []
    for style in STYLES:
        line = try_pair(style, rigs[style.table], AS_IT_COMES, motions)
        title = f"{rigs[style.table].family} (`{style.table}`)"
        if line.score is None:
            lines.append(replace(line, title=title))
            continue
        new_file()
        spent = timed(build(style, rigs[style.table], AS_IT_COMES), longer)
        lines.append(replace(line, title=title, milliseconds=spent))
    return lines


def rigify_line(motions: Sequence[Motion], longer: Motion) -> Line:
    """The generated human, measured on the bones that deform the body."""
    new_file()
    figure = rigify_human()
    title = f"Rigify human, generated, {len(figure.target.data.bones)} bones, its own proportions"
    try:
        return Line(title, play(figure, motions), timed(figure, longer))
    except (ValueError, RuntimeError) as error:
        return Line(title, None, None, getattr(error, "text", str(error)))


def variation_lines(motions: Sequence[Motion]) -> tuple[list[Line], list[Line]]:
    """A row a variation, over all families together, and every pair by itself."""
    rigs, lines, pairs = tables(), [], []
    for variation in VARIATIONS:
        found = [try_pair(style, rigs[style.table], variation, motions) for style in STYLES]
        pairs += found
        scores = [line.score for line in found if line.score is not None]
        refused = [line for line in found if line.score is None]
        title = f"all families, {variation.title}"
        if refused:
            title += f" ({len(refused)} refused)"
        lines.append(Line(title, Score.together(scores) if scores else None))
        print(f"{variation.title}: done", file=sys.stderr, flush=True)
    return lines, pairs


def row(line: Line) -> str:
    """One line of the table."""
    score = line.score
    if score is None:
        return f"| {line.title} | refused: {line.note} | | | | | |"
    joints = f"{score.joints.mean():.2f} / {score.joints.max():.1f} mm" if len(score.joints) else "–"
    limbs = f"{score.angles.mean():.1f} / {score.angles.max():.1f}°"
    floor = f"{np.abs(score.floor).mean():.2f} / {np.abs(score.floor).max():.1f} mm"
    slide = f"{score.slide.mean() / score.source_slide.mean():.2f}"
    spent = f"{line.milliseconds:.0f} ms" if line.milliseconds is not None else ""
    return f"| {line.title} | {joints} | {limbs} | {floor} | {score.depth:.1f} mm | {slide} | {spent} |"


def machine() -> str:
    """Processor, number of cores and Blender's version."""
    name = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpu.read_text(encoding="utf-8"))
        name = found.group(1).strip() if found else name
    return f"{name}, {os.cpu_count()} cores, Blender {bpy.app.version_string} as a Python package"


def table(lines: Sequence[Line]) -> str:
    """The whole table with the machine above."""
    return f"Measured on {machine()}.\n\n{HEAD}\n" + "\n".join(row(line) for line in lines)


def write(text: str) -> None:
    """Put the table between the markers of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Errors and times of every rig family in every variation.")
    parser.add_argument("--write", action="store_true", help="put the table into docs/rigs.md")
    parser.add_argument("--all", action="store_true", help="a line for every pair of family and variation")
    options = parser.parse_args()
    motions = clips()
    longer = long_clip(motions[0])
    lines = [rigify_line(motions, longer), *family_lines(motions, longer)]
    together, pairs = variation_lines(motions)
    lines += together
    text = table(lines)
    print(text)
    if options.all:
        print("\n" + HEAD + "\n" + "\n".join(row(line) for line in pairs))
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender's destructors may wait for ever once a library was loaded, as Rigify does
