# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the page on captions in the papers' layout, text to motion beside it, and the ablation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluate.caption_metrics import CaptionScores
from training.evaluate.caption_report import CaptionRow
from training.evaluate.metrics import Estimate
from training.evaluate.report_page import table
from training.evaluate.retrieval import RECALLS, Retrieval

CAPTION_COLUMNS = (
    "R top 1", "R top 2", "R top 3", "MM-Dist", "BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr", "BERTScore",
    "repeated trigrams %", "distinct %", "known %", "ms a clip",
)  # fmt: skip

MOTION_COLUMNS = {
    "ms": "AITS ms", "r1": "R top 1", "r2": "R top 2", "r3": "R top 3", "fid": "FID", "mm_dist": "MM-Dist",
    "diversity": "Diversity", "multimodality": "MultiModality",
}  # fmt: skip

ABLATION_COLUMNS = {
    "r1": "R top 1", "r3": "R top 3", "bleu1": "BLEU-1", "bleu4": "BLEU-4", "rouge": "ROUGE-L", "cider": "CIDEr",
    "fid": "FID", "parameters": "parameters, M", "ms": "ms",
}  # fmt: skip

_LESS_IS_BETTER = {"fid", "parameters", "ms"}


def caption_table(rows: Sequence[CaptionRow]) -> str:
    """Every captioner against all references."""
    return table(("", *CAPTION_COLUMNS), [[row.name, *_caption_cells(row)] for row in rows])


def _caption_cells(row: CaptionRow) -> list[str]:
    precision: Sequence[Estimate | None] = row.fit.r_precision or (None, None, None)
    fit = ["-" if value is None else str(value) for value in (*precision, row.fit.mm_dist)]
    scores = row.scores
    if scores is None:
        words = ["-"] * 7
    else:
        words = [
            *_text_cells(scores), _number(scores.bert, 1), f"{scores.repeated:.1f}", f"{scores.distinct:.1f}"
        ]  # fmt: skip
    return [*fit, *words, f"{row.known:.1f}", _number(row.milliseconds, 0)]


def _text_cells(scores: CaptionScores) -> list[str]:
    return [f"{value:.1f}" for value in (scores.bleu1, scores.bleu4, scores.rouge, scores.cider)]


def beside_real_table(rows: Sequence[CaptionRow]) -> str:
    """The scores of words of every row against the same references."""
    return table(
        ("", "BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr"),
        [
            [row.name, *(["-"] * 4 if row.beside_real is None else _text_cells(row.beside_real))]
            for row in rows
        ],
    )


def source_table(rows: Sequence[CaptionRow]) -> str:
    """BLEU-4, ROUGE-L and CIDEr of every row, source by source."""
    sources = sorted({source for row in rows for source in row.by_source})
    lines = [
        [row.name, *(_slashed(row.by_source[s]) if s in row.by_source else "-" for s in sources)]
        for row in rows
    ]
    return table(("", *sources), lines)


def _slashed(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def retrieval_table(found: Mapping[str, Mapping[str, Mapping[str, Retrieval]]]) -> str:
    """From space, protocol and direction to R@k and the median rank."""
    rows = [
        [
            space, protocol, direction,
            *(_one_digit(scores.recall[k]) for k in RECALLS), _one_digit(scores.median_rank),
        ]
        for space, protocols in found.items()
        for protocol, directions in protocols.items()
        for direction, scores in directions.items()
    ]  # fmt: skip
    return table(("space", "among", "", *(f"R@{k}" for k in RECALLS), "median rank"), rows)


def text_to_motion_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Text to motion by several models in one table, for FID of one beside that of another.

    Parameters
    ----------
    rows : ``name`` and any of the keys of `MOTION_COLUMNS`: a number, a pair of mean and half interval as
        `RowScores.as_json` has them, or None. Only columns that some row has are shown.
    """
    shown = [key for key in MOTION_COLUMNS if any(row.get(key) is not None for row in rows)]
    return table(
        ("", *(MOTION_COLUMNS[key] for key in shown)),
        [
            [str(row["name"]), *(_pair(row.get(key), 0 if key == "ms" else 3) for key in shown)]
            for row in rows
        ],
    )


def ablation_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Size l of the motion's latent, and how motion and text interact; the best figure of a column is bold.

    Parameters
    ----------
    rows : see `read_ablation`; a figure may be None where a variant was not measured for it.
    """
    best = {}
    for key in ABLATION_COLUMNS:
        values = [row[key] for row in rows if row[key] is not None]
        if values:
            best[key] = min(values) if key in _LESS_IS_BETTER else max(values)
    lines = []
    for row in sorted(rows, key=lambda row: (str(row["interaction"]), row["l"])):
        cells = [str(row["name"]), str(row["l"]), str(row["interaction"])]
        for key in ABLATION_COLUMNS:
            value = row[key]
            text = _ablation_cell(key, value)
            cells.append(
                f"**{text}**" if len(rows) > 1 and value is not None and value == best[key] else text
            )
        lines.append(cells)
    return table(("", "l", "interaction", *ABLATION_COLUMNS.values()), lines)


def _ablation_cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    if key == "parameters":
        return f"{value / 1e6:.2f}"
    return f"{value:.3f}" if key in ("r1", "r3", "fid") else f"{value:.1f}"


def read_ablation(file: Path) -> list[dict[str, Any]]:
    """Rows of ``ablation.jsonl``: {name, l, interaction, r1, r3, bleu1, bleu4, rouge, cider, fid, parameters, ms}.

    ``parameters`` is their number, R-precision a share, the scores of words times 100. Of two lines with one name the
    later one counts.

    Raises
    ------
    ValueError
        If a line is damaged or lacks a key.
    """
    rows = read_rows(file, ("l", "interaction", *ABLATION_COLUMNS))
    return list({row["name"]: row for row in rows}.values())


def read_rows(file: Path, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Lines of JSON, each with ``name`` and ``keys``.

    Raises
    ------
    ValueError
        If a line is damaged or lacks a key.
    """
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{file}, line {number}, is not JSON: {error}.") from error
        missing = [key for key in ("name", *keys) if not isinstance(row, dict) or key not in row]
        if missing:
            raise ValueError(f"{file}, line {number}, lacks {', '.join(missing)}.")
        rows.append(row)
    return rows


def _pair(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    mean, interval = value if isinstance(value, list | tuple) else (value, None)
    return f"{mean:.{digits}f}" + ("" if interval is None else f" ±{interval:.{digits}f}")


def _one_digit(value: Estimate) -> str:
    return _pair((value.mean, value.interval), 1)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
