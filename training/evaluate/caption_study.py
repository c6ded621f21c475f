# SPDX-License-Identifier: GPL-3.0-or-later
"""From a bundle and a set to the page on captions: the road that ``caption-scores`` takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion_engine.engine import Engine
from training.data.motion_set import MotionSet
from training.evaluate.caption_commands import ABLATION, TEXT_TO_MOTION
from training.evaluate.caption_metrics import bert_folder
from training.evaluate.caption_page import write_caption_page
from training.evaluate.caption_report import (
    NEAREST,
    CaptionFindings,
    caption_rows,
    retrieval_rows,
    training_sentences,
)
from training.evaluate.caption_sets import Captioner, caption_set, read_captions
from training.evaluate.caption_sheet import clips_part, draw_clips, shown_windows
from training.evaluate.caption_tables import read_ablation, read_rows
from training.evaluate.held_out import HeldOut
from training.evaluate.nearest_caption import NearestCaption
from training.evaluate.own_evaluator import Evaluator

BERT_MEASURED = "F1 with roberta-large, layer 17, weighted by rarity, rescaled; the best of the references."


@dataclass(frozen=True)
class CaptionSizes:
    """How much is measured.

    Attributes
    ----------
    samples : windows of the test split; all when None.
    runs : draws of groups.
    mote_steps : rows of MoTe; the bundle's own number of steps when empty.
    """

    samples: int | None = None
    runs: int = 20
    mote_steps: tuple[int, ...] = ()


def study(
    engine: Engine,
    motion_set: MotionSet,
    run: Path,
    evaluator: Evaluator,
    out: Path,
    sizes: CaptionSizes,
    *,
    sources: Sequence[str] = (),
    files: Mapping[str, Path] | None = None,
    command: str = "",
    threads: int = 1,
) -> CaptionFindings:
    """Caption, measure, draw and write; captions are kept in ``run/caption_cache`` and used again.

    A bundle without a captioner gets the rows of real captions and of the nearest neighbour alone. Nearness and
    retrieval are those of the bundle's joint space, or of the evaluator's where the bundle has none.

    Parameters
    ----------
    sources : whose test windows are used; those that the bundle was trained on when empty.
    files : captions made elsewhere, by the name of their row; see `read_captions`.
    """
    bundle = engine.bundle
    trained_on = bundle.manifest.get("training_data", {}).get("sources", [])
    chosen = list(sources) or [source for source in trained_on if source in motion_set.sources()]
    held_out = HeldOut.choose(
        motion_set, chosen, sizes.samples, shortest=bundle.min_frames, longest=bundle.max_frames
    )
    elsewhere = [read_captions(name, file, held_out) for name, file in (files or {}).items()]
    ablation = read_ablation(run / ABLATION) if (run / ABLATION).exists() else []
    motion_rows = read_rows(run / TEXT_TO_MOTION) if (run / TEXT_TO_MOTION).exists() else []
    notes = []

    spaces: dict[str, Evaluator] = {evaluator.name: evaluator}
    near = evaluator
    tasks = bundle.manifest["tasks"]
    if "embed" in tasks:
        from training.evaluate.bundle_captioners import JointSpace

        near = JointSpace(engine)
        spaces = {near.name: near, **spaces}
    else:
        notes.append(
            f"The bundle has no joint space: the nearest neighbour is that in the space of the evaluator "
            f'"{evaluator.name}", which favours its R-precision.'
        )
    captioners: dict[str, Captioner] = {
        NEAREST: NearestCaption.of_set(near.embed_motions, motion_set, bundle.max_frames)
    }
    if "motion_to_text" in tasks:
        from training.evaluate.bundle_captioners import bundle_captioners

        captioners |= bundle_captioners(engine, sizes.mote_steps)
    else:
        notes.append("The bundle has no captioner.")

    cache = run / "caption_cache" / bundle.name
    version = f"{bundle.sha256} {near.name} {len(motion_set.windows)}"
    made = [
        caption_set(name, captioner, held_out, cache / f"{_file_name(name)}.jsonl", version)
        for name, captioner in captioners.items()
    ] + elsewhere
    for captions in made:
        silent = sum(not sentence.strip() for sentence in captions.sentences)
        if silent:
            notes.append(f"{captions.name}: nothing said of {silent} of {len(held_out.windows)} clips.")
    try:
        bert, told = bert_folder(), BERT_MEASURED
    except FileNotFoundError as error:
        bert, told = None, str(error)
    findings = CaptionFindings(
        f"{bundle.name} {bundle.version}",
        sorted({window.source for window in held_out.windows}),
        len(held_out.windows),
        evaluator.name,
        sizes.runs,
        told,
        caption_rows(
            made, held_out, evaluator, known=training_sentences(motion_set), bert=bert, runs=sizes.runs
        ),
        retrieval_rows(spaces, held_out, sizes.runs),
        motion_rows,
        ablation,
        notes,
    )
    out.mkdir(parents=True, exist_ok=True)
    shown = shown_windows(held_out)
    clips = clips_part(held_out, shown, draw_clips(held_out, shown, out), made)
    write_caption_page(findings, clips, out, command, threads)
    return findings


def _file_name(row: str) -> str:
    """A row's name as a file's."""
    return re.sub(r"[^a-z0-9]+", "_", row.lower()).strip("_")
