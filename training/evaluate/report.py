# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on a bundle: metrics in the papers' layout, motion quality, bars, figures, contact sheets, one command."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine.engine import Engine
from motion_engine.motion import Motion
from training.control_scores import control_scores
from training.control_scores import table as control_table
from training.data.motion_set import MotionSet
from training.evaluate import metrics
from training.evaluate.control_precision import precision_under_control
from training.evaluate.generated import (
    SEED_STRIDE,
    GeneratedSet,
    ModelRow,
    generate_set,
    model_rows,
    reconstructed,
)
from training.evaluate.held_out import HeldOut
from training.evaluate.metrics import Estimate
from training.evaluate.motion_quality import LengthEffect, length_effects, mean_measures
from training.evaluate.own_evaluator import Evaluator
from training.evaluate.report_figures import Point, draw_figures, draw_sheets, sheet_windows
from training.evaluate.scores import RowScores, fid_floor, score_row

Array = NDArray[np.floating]

REAL, VAE = "real", "VAE reconstruction"
SLOW_STEPS = 10
"""A row of more steps counts as slow: fewer sets are made of it."""

PRECISION_WINDOWS = 96
"""Windows that R-precision under control is measured on: three groups."""

_REPEATED_SEED = 500 * SEED_STRIDE


@dataclass(frozen=True)
class ReportSizes:
    """How much is made and measured.

    Attributes
    ----------
    samples : windows of the test split; all when None.
    runs : draws of groups and pairs.
    sets : generated sets of the fast rows; each draws captions and seeds anew.
    slow_sets : of rows with more than ten steps.
    texts, repeats : for MultiModality, texts and motions a text.
    raw : windows that are made again without clean-up.
    control : windows for each row of the control metrics; 0 leaves them out.
    suite_seeds : seeds of the prompt suite; 0 leaves it out.
    """

    samples: int | None = None
    runs: int = 20
    sets: int = 3
    slow_sets: int = 1
    texts: int = 12
    repeats: int = 20
    raw: int = 60
    control: int = 12
    suite_seeds: int = 5

    def sets_of(self, row: ModelRow) -> int:
        """How many sets are made of a row."""
        return self.slow_sets if row.steps > SLOW_STEPS else self.sets


@dataclass
class Findings:
    """Everything that the page shows."""

    bundle: str
    sources: list[str]
    windows: int
    default_row: str
    evaluators: dict[str, dict[str, RowScores]] = field(default_factory=dict)
    evaluator_scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    floors: dict[str, Estimate] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    lengths: dict[str, list[LengthEffect]] = field(default_factory=dict)
    model_rows: dict[str, ModelRow] = field(default_factory=dict)
    vae_error: dict[str, float] = field(default_factory=dict)
    control_table: str = ""
    control_rows: list[dict[str, Any]] = field(default_factory=list)
    control_precision: dict[str, tuple[float, float]] = field(default_factory=dict)
    suite: Any = None
    first_draws: Any = None
    figures: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    minutes: float = 0.0


def examine(
    engine: Engine,
    motion_set: MotionSet,
    run: Path,
    evaluators: Sequence[Evaluator],
    out: Path,
    sizes: ReportSizes,
    *,
    sources: Sequence[str] = (),
    steps: Mapping[str, Sequence[int]] | None = None,
) -> Findings:
    """Generate, measure and draw; generated motions are kept in ``run/report_cache`` and used again.

    Parameters
    ----------
    sources : whose test windows are used; those that the bundle was trained on when empty.
    steps : by sampler, see `model_rows`.
    """
    started = time.monotonic()
    bundle, cache = engine.bundle, run / "report_cache" / engine.bundle.name
    out.mkdir(parents=True, exist_ok=True)
    trained_on = bundle.manifest.get("training_data", {}).get("sources", [])
    chosen = list(sources) or [source for source in trained_on if source in motion_set.sources()]
    held_out = HeldOut.choose(
        motion_set, chosen, sizes.samples, shortest=bundle.min_frames, longest=bundle.max_frames
    )
    if motion_set.fps != bundle.fps:
        raise ValueError(
            f"The set has {motion_set.fps:g} frames a second and the bundle {bundle.fps:g}; import it at that rate."
        )
    rows = model_rows(bundle, steps)
    default = ModelRow(bundle.default_sampler, int(bundle.samplers[bundle.default_sampler]["steps"]))
    if default not in rows:
        default = rows[-1]
    findings = Findings(
        f"{bundle.name} {bundle.version}",
        sorted({window.source for window in held_out.windows}),
        len(held_out.windows),
        default.name,
        model_rows={row.name: row for row in rows},
    )
    lengths = [motion.n_frames for motion in held_out.motions]

    def make(row: ModelRow, draw: int, clean_up: bool = True, count: int | None = None) -> GeneratedSet:
        name = f"{row.key}_{draw}{'' if clean_up else '_raw'}.npz"
        return generate_set(
            engine, row, held_out.captions(draw)[:count], lengths[:count], cache / name,
            first_seed=draw * SEED_STRIDE, clean_up=clean_up,
        )  # fmt: skip

    def make_repeated(row: ModelRow) -> list[Motion]:
        picked = np.linspace(0, len(lengths) - 1, min(sizes.texts, len(lengths))).astype(int)
        captions = held_out.captions(0)
        return generate_set(
            engine, row, [captions[i] for i in picked for _ in range(sizes.repeats)],
            [lengths[i] for i in picked for _ in range(sizes.repeats)], cache / f"{row.key}_repeated.npz",
            first_seed=_REPEATED_SEED,
        ).motions  # fmt: skip

    made = {row.name: [make(row, draw) for draw in range(sizes.sets_of(row))] for row in rows}
    repeated = {row.name: make_repeated(row) for row in rows} if sizes.texts and sizes.repeats > 1 else {}
    recovered = _reconstruct(findings, engine, run, held_out)

    real_sets = [GeneratedSet(held_out.motions, held_out.captions(draw), []) for draw in range(sizes.sets)]
    table: dict[str, list[GeneratedSet]] = {REAL: real_sets}
    if recovered:
        table[VAE] = [GeneratedSet(recovered, part.captions, []) for part in real_sets]
    table |= made
    labels = held_out.labels()
    for evaluator in evaluators:
        findings.evaluators[evaluator.name] = _score(
            evaluator, table, repeated, sizes.repeats, labels, sizes.runs
        )
        findings.floors[evaluator.name] = fid_floor(evaluator.embed_motions(held_out.motions), sizes.runs)
        findings.evaluator_scores[evaluator.name] = dict(getattr(evaluator, "scores", {}))

    _measure(findings, table)
    raw = sizes.raw if sizes.samples is None else min(sizes.raw, sizes.samples)
    if raw:
        for row in rows:
            unfinished = make(row, 0, clean_up=False, count=raw)
            findings.quality[f"{row.name}, without clean-up"] = mean_measures(unfinished.motions)
    findings.lengths = {
        REAL: length_effects(held_out.motions),
        default.name: length_effects(made[default.name][0].motions),
    }
    if sizes.control and "control" in bundle.manifest["tasks"]:
        same = MotionSet(motion_set.motions, held_out.windows, motion_set.fps)
        findings.control_rows = control_scores(engine, same, "test", sizes.control)
        findings.control_table = control_table(findings.control_rows)
        findings.control_precision = precision_under_control(engine, held_out, evaluators, PRECISION_WINDOWS)
    findings.suite = _suite(engine, default, sizes.suite_seeds, findings.notes)
    if findings.suite is not None and findings.suite.draws[0] > 1:
        findings.first_draws = _suite(engine, default, sizes.suite_seeds, findings.notes, tries=1)
    _draw(findings, held_out, made[default.name][0], out)
    findings.minutes = (time.monotonic() - started) / 60
    return findings


def _reconstruct(findings: Findings, engine: Engine, run: Path, held_out: HeldOut) -> list[Motion]:
    try:
        recovered = reconstructed(engine.bundle, run, held_out.motions)
    except (FileNotFoundError, ValueError) as error:
        findings.notes.append(f"No row for the VAE: {error}")
        return []
    local, world = [], []
    for found, wanted in zip(recovered, held_out.motions, strict=True):
        # features hold one frame less than the clip; both start at the origin, facing +Z
        target = wanted.joints[: found.n_frames]
        local.append(metrics.mpjpe(found.joints, target).mean())
        world.append(metrics.mpjpe(found.joints, target, aligned=False).mean())
    findings.vae_error = {
        "mpjpe_mm": 1000 * float(np.mean(local)),
        "mpjpe_world_mm": 1000 * float(np.mean(world)),
    }
    return recovered


def _measure(findings: Findings, table: Mapping[str, Sequence[GeneratedSet]]) -> None:
    for name, sets in table.items():
        times = [value for part in sets for value in part.milliseconds]
        if times:
            findings.milliseconds[name] = float(np.mean(times))
        # the measured motions are the same in every draw of captions
        counted = sets[:1] if name in (REAL, VAE) else sets
        findings.quality[name] = mean_measures([motion for part in counted for motion in part.motions])


def _score(
    evaluator: Evaluator,
    table: Mapping[str, Sequence[GeneratedSet]],
    repeated: Mapping[str, Sequence[Motion]],
    repeats: int,
    labels: Sequence[frozenset[str]],
    runs: int,
) -> dict[str, RowScores]:
    real = evaluator.embed_motions(table[REAL][0].motions)
    texts = [evaluator.embed_texts(part.captions) for part in table[REAL]]
    found = {}
    for name, sets in table.items():
        embedded = [
            (real if name == REAL else evaluator.embed_motions(part.motions), texts[draw % len(texts)])
            for draw, part in enumerate(sets)
        ]
        modes = None
        if name in repeated:
            rows = evaluator.embed_motions(repeated[name])
            modes = rows.reshape(-1, repeats, rows.shape[1])
        found[name] = score_row(real, embedded, labels, is_real=name == REAL, repeated=modes, runs=runs)
    return found


def _suite(engine: Engine, row: ModelRow, seeds: int, notes: list[str], tries: int | None = None) -> Any:
    if not seeds:
        return None
    try:
        from training.prompt_suite import score_suite
    except ImportError:
        notes.append("The prompt suite is not installed.")
        return None
    return score_suite(engine, seeds, row.sampler, row.steps, tries=tries)


def _draw(findings: Findings, held_out: HeldOut, made: GeneratedSet, out: Path) -> None:
    first = next(iter(findings.evaluators), None)
    if first is not None:
        points = []
        for name, row in findings.model_rows.items():
            found = findings.evaluators[first][name].fid
            if found is not None:
                points.append(
                    Point(
                        row.sampler,
                        row.name.split(",")[0],
                        row.steps,
                        findings.milliseconds[name],
                        found.mean,
                    )
                )
        findings.figures = draw_figures(points, out, first)
    shown = sheet_windows(held_out)
    findings.sheets = draw_sheets(
        [made.captions[i] for i in shown],
        [held_out.motions[i] for i in shown],
        [made.motions[i] for i in shown],
        out,
    )
