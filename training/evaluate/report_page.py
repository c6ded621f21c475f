# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings as a page of Markdown and as JSON."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motion_engine.formats.atomic import replacing
from training.evaluate.metrics import Estimate
from training.evaluate.motion_quality import MEASURES
from training.evaluate.report import REAL, VAE, Findings, ReportSizes
from training.evaluate.scores import RowScores

PAGE, DATA = "report.md", "report.json"
COLUMNS = ("AITS ms", "R top 1", "R top 2", "R top 3", "FID", "MM-Dist", "Diversity", "MultiModality")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cells(scores: RowScores, milliseconds: float | None) -> list[str]:
    """A row's figures in the order of `COLUMNS`."""

    def shown(value: Estimate | None) -> str:
        return "-" if value is None else str(value)

    precision: Sequence[Estimate | None] = scores.r_precision or (None, None, None)
    return [
        "-" if milliseconds is None else f"{milliseconds:.0f}",
        *map(shown, precision),
        *map(shown, (scores.fid, scores.mm_dist, scores.diversity, scores.multimodality)),
    ]


def bars(findings: Findings) -> list[tuple[str, float, str, float]]:
    """What was promised: its name, the measured figure, ``<=`` or ``>=``, and the bar."""
    found: list[tuple[str, float, str, float]] = []
    for evaluator, scores in findings.evaluators.items():
        fids = {
            (row.sampler, row.steps): fid.mean
            for name, row in findings.model_rows.items()
            if (fid := scores[name].fid) is not None
        }
        teacher = max((steps for sampler, steps in fids if sampler == "mld"), default=None)
        for steps, bar in ((1, 1.05), (4, 1.0)):
            if teacher and ("motionlcm", steps) in fids:
                ratio = fids["motionlcm", steps] / max(fids["mld", teacher], 1e-9)
                plural = "" if steps == 1 else "s"
                found.append((f"FID, {steps} step{plural} over teacher ({evaluator})", ratio, "<=", bar))
        made, real = scores[findings.default_row].r_precision, scores[REAL].r_precision
        if made and real:
            ratio = made[2].mean / max(real[2].mean, 1e-9)
            found.append((f"R-precision top 3 over real ({evaluator})", ratio, ">=", 0.95))
    real_quality, made_quality = findings.quality[REAL], findings.quality[findings.default_row]
    for name in ("foot_skate", "jerk"):
        ratio = made_quality[name] / max(real_quality[name], 1e-9)
        found.append((f"{MEASURES[name].split(',')[0]} over real", ratio, "<=", 1.3))
    for evaluator, (free, bound) in findings.control_precision.items():
        ratio = bound / max(free, 1e-9)
        found.append((f"R-precision top 3, controlled over uncontrolled ({evaluator})", ratio, ">=", 0.9))
    if findings.vae_error:
        found.append(("VAE reconstruction, mean joint error, mm", findings.vae_error["mpjpe_mm"], "<=", 20.0))
    return found


def write_page(findings: Findings, out: Path, command: str, threads: int, sizes: ReportSizes) -> None:
    """``report.md`` and ``report.json`` in ``out``."""
    commit, machine = git_commit(), f"{cpu_name()}, {threads} thread{'' if threads == 1 else 's'}"
    date = datetime.date.today().isoformat()
    text = _text(findings, sizes, command, commit, machine, date)
    with replacing(out / PAGE) as file:
        file.write(text.encode("utf-8"))
    with replacing(out / DATA) as file:
        file.write(json.dumps(as_json(findings, command, commit, machine, date), indent=1).encode("utf-8"))


def as_json(findings: Findings, command: str, commit: str, machine: str, date: str) -> dict[str, Any]:
    """All figures for other programs, and for `training.evaluate.compare`."""
    return {
        "bundle": findings.bundle,
        "command": command,
        "commit": commit,
        "machine": machine,
        "date": date,
        "sources": findings.sources,
        "windows": findings.windows,
        "default_row": findings.default_row,
        "evaluators": {
            name: {row: scores.as_json() for row, scores in rows.items()}
            for name, rows in findings.evaluators.items()
        },
        "milliseconds": findings.milliseconds,
        "quality": findings.quality,
        "vae": findings.vae_error,
        "bars": [list(bar) for bar in bars(findings)],
        "suite_share": None if findings.suite is None else float(findings.suite.share),
        "first_draws_share": None if findings.first_draws is None else float(findings.first_draws.share),
        "control": findings.control_rows,
        "control_precision": findings.control_precision,
    }


def _suite_part(findings: Findings) -> str:
    text = (
        f"## Prompt suite\n\n{100 * findings.suite.share:.1f} % of prompts and seeds show what they ask for"
    )
    if findings.first_draws is not None:
        text += f", {100 * findings.first_draws.share:.1f} % where each take is drawn once"
    return f"{text}.\n\n{findings.suite.markdown()}"


def _text(findings: Findings, sizes: ReportSizes, command: str, commit: str, machine: str, date: str) -> str:
    parts = [f"# Report on the bundle {findings.bundle}"]
    parts.append(
        f"Made on {date} from commit `{commit}` on {machine} in {findings.minutes:.0f} minutes by\n\n"
        f"    {command}\n\n"
        f"{findings.windows} windows of the test split ({', '.join(findings.sources)}); each caption is given the "
        "length of its measured clip. Generated rows are what the product hands out, clean-up included; so is the "
        f"row of the VAE. The bundle's preset is **{findings.default_row}**."
    )
    parts += [_scores_part(findings, sizes), _bars_part(findings), _quality_part(findings)]
    if findings.figures:
        parts.append("## Figures\n\n" + "\n\n".join(f"![{n}]({n})" for n in findings.figures))
    parts.append(
        "## Measured against generated\n\nTwenty fixed held-out prompts. The upper row of a pair is the measured clip, "
        "the lower one what the preset made of the same sentence.\n\n"
        + "\n\n".join(f"![{n}]({n})" for n in findings.sheets)
    )
    if findings.suite is not None:
        parts.append(_suite_part(findings))
    if findings.control_table:
        parts.append(_control_part(findings))
    if findings.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in findings.notes))
    return "\n\n".join(parts) + "\n"


def _scores_part(findings: Findings, sizes: ReportSizes) -> str:
    lines = ["## Scores in the papers' layout"]
    for evaluator, rows in findings.evaluators.items():
        held_out = findings.evaluator_scores.get(evaluator, {}).get("test", {})
        precision = (
            f" Held-out R-precision top 3 of measured motions: {held_out['r3']:.3f}." if held_out else ""
        )
        floor = findings.floors[evaluator]
        lines.append(
            f"**Evaluator: {evaluator}.**{precision} FID between random halves of the measured motions: {floor}.\n\n"
            + table(
                ("", *COLUMNS),
                [[name, *cells(scores, findings.milliseconds.get(name))] for name, scores in rows.items()],
            )
        )
    lines.append(
        f"Means and 95 % intervals (1.96 std / √n). R-precision, MM-Dist, Diversity and MultiModality: {sizes.runs} "
        f"runs that draw groups and pairs anew and go through the generated sets in turn: {sizes.sets} sets a row, "
        f"{sizes.slow_sets} for rows of more than ten steps, each with other captions and seeds. FID: mean over these "
        "sets, with an interval over sets where there are several. Groups of 32 never hold two windows that share a "
        f"sentence. MultiModality: {sizes.texts} texts, {sizes.repeats} motions each, 10 pairs. AITS: milliseconds a "
        "sentence with batch 1 from the prompt to the finished motion, text encoder, decoder and clean-up included. "
        "FID grows when windows are few: compare rows of one table, not with the papers."
    )
    return "\n\n".join(lines)


def _bars_part(findings: Findings) -> str:
    rows = [
        [name, f"{value:.3f}", f"{sign} {bar:g}", "met" if _met(value, sign, bar) else "missed"]
        for name, value, sign, bar in bars(findings)
    ]
    return "## Bars\n\n" + table(("what", "measured", "bar", ""), rows)


def _met(value: float, sign: str, bar: float) -> bool:
    return value <= bar if sign == "<=" else value >= bar


def _quality_part(findings: Findings) -> str:
    rows = [
        [name, *(f"{values[key]:.3f}" if values[key] < 10 else f"{values[key]:.1f}" for key in MEASURES)]
        for name, values in findings.quality.items()
    ]
    text = "## Motion quality beside measured motions\n\n" + table(("", *MEASURES.values()), rows)
    if VAE in findings.quality and findings.vae_error:
        text += (
            f"\n\nVAE: mean joint error {findings.vae_error['mpjpe_mm']:.1f} mm with the pelvis aligned, "
            f"{findings.vae_error['mpjpe_world_mm']:.1f} mm in the world, clean-up included."
        )
    effects = []
    for name, classes in findings.lengths.items():
        effects += [
            [
                name, f"{part.shortest:.1f} to {part.longest:.1f}", str(part.count), f"{part.speed:.2f}",
                f"{part.spread:.2f}", f"{part.still:.2f}",
            ]
            for part in classes
        ]  # fmt: skip
    head = ("", "length, s", "clips", "joint speed, m/s", "spread of it", "still frames")
    return text + "\n\nWhat the length of a clip does:\n\n" + table(head, effects)


def _control_part(findings: Findings) -> str:
    rows = [
        [name, f"{free:.3f}", f"{bound:.3f}", f"{bound / max(free, 1e-9):.3f}"]
        for name, (free, bound) in findings.control_precision.items()
    ]
    text = "## Control\n\n" + findings.control_table
    if rows:
        text += "\n\nThe prompt under control, R-precision top 3 of the same prompts and seeds:\n\n"
        text += table(("evaluator", "without controls", "with controls", "ratio"), rows)
    return text


def git_commit() -> str:
    """The commit of the working tree, with a mark where it has changes; ``unknown`` outside a repository."""

    def ask(*words: str) -> str:
        here = Path(__file__).resolve().parent
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        changed = ask("status", "--porcelain", "--untracked-files=no")
        return ask("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def cpu_name() -> str:
    """What the processor calls itself, and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name} ({cores} cores)"


def read_report(folder: Path) -> Mapping[str, Any]:
    """``report.json`` of a report's folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    file = folder / DATA if folder.is_dir() else folder
    if not file.exists():
        raise FileNotFoundError(f"{folder} holds no report: make one with `python -m training report`.")
    return json.loads(file.read_text(encoding="utf-8"))
