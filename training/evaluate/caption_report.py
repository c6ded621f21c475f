# SPDX-License-Identifier: GPL-3.0-or-later
"""How good captioners are on held-out windows: the papers' columns, the human row, retrieval."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.evaluate.caption_metrics import (
    CaptionScores,
    known_share,
    leave_one_out,
    mean_scores,
    plain,
    score_captions,
    scores_by_source,
)
from training.evaluate.caption_sets import CaptionSet
from training.evaluate.held_out import HeldOut
from training.evaluate.own_evaluator import Evaluator
from training.evaluate.retrieval import DRAWS, RUNS, Retrieval, retrieval
from training.evaluate.scores import RowScores, score_row

REAL, NEAREST = "real", "nearest neighbour"


@dataclass(frozen=True)
class CaptionRow:
    """One captioner in the tables.

    Attributes
    ----------
    scores : against all human captions of a window; of the real row against all but the one that is scored.
    beside_real : against the same references as the real row, without BERTScore; None where no window has two.
    by_source : BLEU-4, ROUGE-L and CIDEr of the windows of each source, against the references of ``scores``.
    known : share of captions that are word for word those of a training window, in per cent.
    fit : R-precision and matching score of the captions with the measured motions, under the evaluator.
    milliseconds : a clip.
    """

    name: str
    scores: CaptionScores | None
    beside_real: CaptionScores | None
    by_source: dict[str, tuple[float, float, float]]
    known: float
    fit: RowScores
    milliseconds: float | None

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        fit = self.fit.as_json()
        return {
            "name": self.name,
            **{key: fit[key] for key in ("r1", "r2", "r3", "mm_dist")},
            **(asdict(self.scores) if self.scores else {}),
            "known": self.known,
            "by_source": {
                source: dict(zip(("bleu4", "rouge", "cider"), values, strict=True))
                for source, values in self.by_source.items()
            },
            "beside_real": asdict(self.beside_real) if self.beside_real else None,
            "ms": self.milliseconds,
        }


@dataclass
class CaptionFindings:
    """Everything that the page on captions shows."""

    bundle: str
    sources: list[str]
    windows: int
    evaluator: str
    runs: int
    bert_note: str
    rows: list[CaptionRow] = field(default_factory=list)
    retrievals: dict[str, dict[str, dict[str, Retrieval]]] = field(default_factory=dict)
    motion_rows: list[dict[str, Any]] = field(default_factory=list)
    ablation: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def caption_rows(
    made: Sequence[CaptionSet],
    held_out: HeldOut,
    evaluator: Evaluator,
    *,
    known: Collection[str] = (),
    bert: Path | None = None,
    draws: int = DRAWS,
    runs: int = RUNS,
) -> list[CaptionRow]:
    """The row of real captions, then one a captioner.

    R-precision ranks the measured motion of a window, among 32, by the caption made of it. All rows see the same
    groups; in the real row each run takes another draw of human captions.

    Parameters
    ----------
    known : captions of the training windows, see `training_sentences`.
    bert : folder of BERTScore's model; not measured when None.
    draws : human captions of a window that are left out in turn.
    runs : draws of groups.
    """
    references = [window.captions for window in held_out.windows]
    motions, labels = evaluator.embed_motions(held_out.motions), held_out.labels()
    left_out = [drawn for draw in range(draws) if (drawn := leave_one_out(references, draw))[0]]

    def fit(several: Sequence[Sequence[str]]) -> RowScores:
        sets = [(motions, evaluator.embed_texts(list(captions))) for captions in several]
        return score_row(motions, sets, labels, is_real=True, runs=runs)

    real = [score_captions(captions, others, bert) for _, captions, others in left_out]
    mean = mean_scores(real) if real else None
    sources = [window.source for window in held_out.windows]
    parts = [
        scores_by_source(captions, others, [sources[i] for i in kept]) for kept, captions, others in left_out
    ]
    rows = [
        CaptionRow(
            REAL,
            mean,
            mean,
            _mean_by_source(parts),
            known_share([caption for several in references for caption in several], known),
            fit([held_out.captions(draw) for draw in range(draws)]),
            None,
        )
    ]
    for captions in tqdm(made, desc="scores", mininterval=5):
        beside = [
            score_captions([captions.sentences[i] for i in kept], others) for kept, _, others in left_out
        ]
        rows.append(
            CaptionRow(
                captions.name,
                score_captions(captions.sentences, references, bert),
                mean_scores(beside) if beside else None,
                scores_by_source(captions.sentences, references, sources),
                known_share(captions.sentences, known),
                fit([captions.sentences]),
                captions.mean_milliseconds,
            )
        )
    return rows


def _mean_by_source(
    draws: Sequence[Mapping[str, tuple[float, float, float]]],
) -> dict[str, tuple[float, float, float]]:
    found = {}
    for source in sorted({source for draw in draws for source in draw}):
        bleu4, rouge, cider = np.mean([draw[source] for draw in draws if source in draw], axis=0)
        found[source] = (float(bleu4), float(rouge), float(cider))
    return found


def training_sentences(motion_set: MotionSet) -> set[str]:
    """Words of all captions of the training windows and of their mirror images."""
    captions = {c for window in motion_set.windows if window.split == "train" for c in window.captions}
    return {plain(caption) for caption in captions | {mirror_caption(caption) for caption in captions}}


def retrieval_rows(
    spaces: Mapping[str, Evaluator], held_out: HeldOut, runs: int = RUNS
) -> dict[str, dict[str, dict[str, Retrieval]]]:
    """`retrieval` in each space, by its name."""
    return {name: retrieval(space, held_out, runs=runs) for name, space in spaces.items()}
