# SPDX-License-Identifier: GPL-3.0-or-later
"""The public prompt suite: does a motion do what its prompt says, measured?

``assets/prompts/suite.json`` holds prompts with expectations as data, in terms of the measures of
`motion_engine.kinematics`::

    {"id": "walk_back", "prompt": "a person walks backward", "duration": 4, "group": "locomotion", "contained": true,
     "expect": [{"measure": "travel.forward", "below": -0.8}], "like": "walks backward$"}

An expectation has bounds ``above`` and ``below`` (both included), or compares with the mean of another prompt
(``more_than`` or ``less_than`` an id, ``by`` a factor), and may look at a ``part`` of the clip only; ``any`` holds
alternatives. ``contained``: the freely usable mocap shows the act; ``styles``: the one with styles does. ``like`` and
``unlike`` are patterns of captions of real windows on which the expectations were checked
(`training.prompt_suite_check`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion_engine.engine import Engine, GenerateRequest
from motion_engine.kinematics import Kinematics, kinematics
from motion_engine.motion import Motion

SUITE = Path(__file__).resolve().parents[1] / "assets" / "prompts" / "suite.json"

PARTS = {
    "first_quarter": (0.0, 0.25), "last_quarter": (0.75, 1.0),
    "first_half": (0.0, 0.5), "second_half": (0.5, 1.0),
}  # fmt: skip
"""Parts of a clip that an expectation may look at, as shares of its length."""

STYLE_SOURCES = frozenset({"bandai"})
"""Training sources that hold the styles."""

Measured = Mapping[str, Kinematics]
"""Measures of a motion by part; the whole clip is ``""``."""


@dataclass(frozen=True)
class Prompt:
    """One prompt of the suite; see the module's text."""

    id: str
    prompt: str
    duration: float
    group: str
    contained: bool
    expect: tuple[dict[str, Any], ...]
    styles: bool = False
    like: str | None = None
    unlike: str | None = None


@dataclass(frozen=True)
class Row:
    """A prompt's outcome.

    ``score``: share of seeds that meet every expectation; ``passed``: the same seed by seed; ``misses``: the
    expectations that some seed missed, in words, with the values of all seeds; ``counted``: whether the bundle's
    data shows the act.
    """

    prompt: Prompt
    passed: tuple[bool, ...]
    misses: tuple[str, ...]
    counted: bool

    @property
    def score(self) -> float:
        """Share of seeds that pass."""
        return float(np.mean(self.passed))


@dataclass(frozen=True)
class SuiteResult:
    """Outcome of `score_suite`.

    ``motions`` are the takes by prompt id where they were asked for; ``draws``: how often a take was drawn, at most and
    in the mean.
    """

    bundle: str
    sampler: str
    seeds: int
    rows: tuple[Row, ...]
    motions: dict[str, list[Motion]] = field(default_factory=dict, repr=False)
    draws: tuple[int, float] = (1, 1.0)

    @property
    def share(self) -> float:
        """Mean score of the prompts whose act the bundle's training data shows."""
        scores = [row.score for row in self.rows if row.counted]
        return float(np.mean(scores)) if scores else 0.0

    @property
    def groups(self) -> dict[str, tuple[float, float, int, int]]:
        """By group: mean score of the counted prompts, of all prompts, and how many of each; NaN without any."""
        found = {}
        for name in dict.fromkeys(row.prompt.group for row in self.rows):
            rows = [row for row in self.rows if row.prompt.group == name]
            counted = [row.score for row in rows if row.counted]
            share = float(np.mean(counted)) if counted else float("nan")
            found[name] = (share, float(np.mean([row.score for row in rows])), len(counted), len(rows))
        return found

    def failing(self, below: float = 0.5) -> list[Row]:
        """Rows with a score under ``below``, the worst first."""
        return sorted((row for row in self.rows if row.score < below), key=lambda row: row.score)

    def markdown(self) -> str:
        """Tables by group and of the prompts that fail."""
        most, mean = self.draws
        drawn = "each drawn once" if most == 1 else f"each drawn up to {most} times, {mean:.2f} in the mean"
        lines = [
            f"Prompt suite on {self.bundle}, {self.sampler}, {self.seeds} takes a prompt, {drawn}: "
            f"**{100 * self.share:.1f} %** of takes do what the prompt says "
            f"({sum(row.counted for row in self.rows)} prompts whose act is in the training data).",
            "",
            "| group | contained | share | all | share |",
            "|---|---|---|---|---|",
        ]
        for name, (share, every, counted, count) in self.groups.items():
            shown = "" if np.isnan(share) else f"{100 * share:.0f} %"
            lines.append(f"| {name} | {counted} | {shown} | {count} | {100 * every:.0f} % |")
        lines += ["", "| failing prompt | contained | takes that pass | missed |", "|---|---|---|---|"]
        for row in self.failing():
            lines.append(
                f"| {row.prompt.prompt} | {'yes' if row.counted else 'no'} | {sum(row.passed)} of {len(row.passed)} "
                f"| {'; '.join(row.misses)} |"
            )
        return "\n".join(lines) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bundle": self.bundle, "sampler": self.sampler, "seeds": self.seeds, "tries": self.draws[0],
            "draws": round(self.draws[1], 3), "share": round(self.share, 4),
            "groups": {name: round(found[1], 4) for name, found in self.groups.items()},
            "prompts": [
                {
                    "id": row.prompt.id, "prompt": row.prompt.prompt, "group": row.prompt.group,
                    "counted": row.counted, "score": round(row.score, 4), "misses": list(row.misses),
                }
                for row in self.rows
            ],
        }  # fmt: skip


def load_suite(path: Path = SUITE) -> tuple[Prompt, ...]:
    """Read the prompts.

    Raises
    ------
    ValueError
        If an id comes twice, an expectation has no bound, or compares with a prompt that is not there.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    prompts = tuple(Prompt(**{**entry, "expect": tuple(entry["expect"])}) for entry in data["prompts"])
    ids = {prompt.id for prompt in prompts}
    if len(ids) != len(prompts):
        raise ValueError(f"{path}: an id comes twice.")
    for prompt in prompts:
        for expected in prompt.expect:
            for part in expected.get("any", [expected]):
                _check(part, ids, f"{path}, {prompt.id}")
    return prompts


def _check(expected: Mapping[str, Any], ids: set[str], where: str) -> None:
    known = {"measure", "above", "below", "part", "more_than", "less_than", "by"}
    if unknown := set(expected) - known:
        raise ValueError(f"{where}: unknown key {sorted(unknown)[0]!r} in an expectation.")
    if not {"above", "below", "more_than", "less_than"} & set(expected):
        raise ValueError(f"{where}: an expectation of {expected.get('measure')!r} has no bound.")
    if expected.get("part", "first_half") not in PARTS:
        raise ValueError(f"{where}: {expected['part']!r} is no part; the parts are {', '.join(PARTS)}.")
    for key in ("more_than", "less_than"):
        if expected.get(key, next(iter(ids))) not in ids:
            raise ValueError(f"{where}: there is no prompt {expected[key]!r} to compare with.")


def parts_of(prompt: Prompt) -> set[str]:
    """Parts of the clip that a prompt's expectations look at; the whole is ``""``."""
    every = [e for expected in prompt.expect for e in expected.get("any", [expected])]
    return {e.get("part", "") for e in every}


def measure(motion: Motion, parts: Sequence[str] | set[str] = ("",)) -> dict[str, Kinematics]:
    """Measures of a motion and of parts of it."""
    found = {"": kinematics(motion)}
    for part in parts:
        if part:
            start, end = PARTS[part]
            frames = motion.n_frames
            first, last = round(start * frames), max(round(end * frames), round(start * frames) + 1)
            found[part] = kinematics(motion.trim(first / motion.fps, min(last, frames) / motion.fps))
    return found


def is_met(
    expected: Mapping[str, Any], measured: Measured, others: Mapping[str, Sequence[Measured]] | None = None
) -> bool:
    """Whether a motion meets one expectation.

    Parameters
    ----------
    others : measures of the takes of other prompts by id, for comparisons; without them comparisons count as met.
    """
    if "any" in expected:
        return any(is_met(part, measured, others) for part in expected["any"])
    part, name = expected.get("part", ""), expected["measure"]
    value = measured[part].value(name)
    met = expected.get("above", -np.inf) <= value <= expected.get("below", np.inf)
    for key, sign in (("more_than", 1), ("less_than", -1)):
        if key in expected and others is not None:
            other = float(np.mean([m[""].value(name) for m in others[expected[key]]]))
            met = met and sign * value >= sign * other * expected.get("by", 1.0)
    return bool(met)


def in_words(expected: Mapping[str, Any]) -> str:
    """An expectation for a table, as ``travel.forward >= 1``."""
    if "any" in expected:
        return " or ".join(map(in_words, expected["any"]))
    where = f" ({expected['part'].replace('_', ' ')})" if "part" in expected else ""
    low, high = expected.get("above"), expected.get("below")
    if low is not None and low == high:
        bounds = [f"= {low:g}"]
    else:
        bounds = [f">= {low:g}"] if low is not None else []
        bounds += [f"<= {high:g}"] if high is not None else []
    for key in ("more_than", "less_than"):
        if key in expected:
            bounds.append(f"{key.replace('_', ' ')} {expected.get('by', 1):g} x {expected[key]}")
    return f"{expected['measure']}{where} {' and '.join(bounds)}"


def score_motions(
    prompt: Prompt, takes: Sequence[Measured], others: Mapping[str, Sequence[Measured]] | None, counted: bool
) -> Row:
    """Judge the takes of one prompt."""
    met = [[is_met(expected, measured, others) for expected in prompt.expect] for measured in takes]
    misses = []
    for expected, fine in zip(prompt.expect, zip(*met, strict=True), strict=True):
        if not all(fine):
            found = ", ".join(_values(expected, measured) for measured in takes)
            misses.append(f"{in_words(expected)} [{found}]")
    return Row(prompt, tuple(map(all, met)), tuple(misses), counted)


def _values(expected: Mapping[str, Any], measured: Measured) -> str:
    parts = expected.get("any", [expected])
    return "/".join(f"{measured[p.get('part', '')].value(p['measure']):.2g}" for p in parts)


def score_suite(
    engine: Engine,
    seeds: int = 5,
    sampler: str | None = None,
    steps: int | None = None,
    suite: Sequence[Prompt] | None = None,
    keep_motions: bool = False,
    tries: int | None = None,
) -> SuiteResult:
    """Generate ``seeds`` takes of every prompt, of seeds 0, 1, ..., and judge them.

    A preset may draw a take again that misses its words (`motion_engine.redraw`). What it goes by are the same
    measures, but rules of its own for words of any prompt; ``tries`` of 1 scores the first draws.

    Raises
    ------
    EngineError
        If the bundle has no such sampler, or cannot make the number of steps.
    """
    suite = load_suite() if suite is None else suite
    has_styles = bool(STYLE_SOURCES & set(engine.bundle.manifest.get("training_data", {}).get("sources", [])))
    takes: dict[str, list[Measured]] = {}
    motions: dict[str, list[Motion]] = {}
    draws: list[int] = []
    for prompt in suite:
        request = GenerateRequest(
            prompt.prompt,
            duration=prompt.duration,
            seed=0,
            count=seeds,
            sampler=sampler,
            steps=steps,
            tries=tries,
        )
        made = engine.generate(request)
        draws += [motion.provenance.get("draws", 1) for motion in made]
        takes[prompt.id] = [measure(motion, parts_of(prompt)) for motion in made]
        if keep_motions:
            motions[prompt.id] = made
    rows = tuple(
        score_motions(p, takes[p.id], takes, p.contained or (p.styles and has_styles)) for p in suite
    )
    used = made[0].provenance
    name = f"{used['sampler']}, {used['steps']} steps"
    draw = engine.plan(request).tries, float(np.mean(draws))
    return SuiteResult(f"{engine.bundle.name} {engine.bundle.version}", name, seeds, rows, motions, draw)
