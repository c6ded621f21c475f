# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found about captions as a page of Markdown and as JSON."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from motion_engine.formats.atomic import replacing
from training.evaluate.caption_report import CaptionFindings
from training.evaluate.caption_tables import (
    ablation_table,
    beside_real_table,
    caption_table,
    retrieval_table,
    source_table,
    text_to_motion_rows,
)
from training.evaluate.report_page import cpu_name, git_commit

PAGE, DATA = "captions.md", "captions.json"


def write_caption_page(findings: CaptionFindings, clips: str, out: Path, command: str, threads: int) -> None:
    """``captions.md`` and ``captions.json`` in ``out``.

    Parameters
    ----------
    clips : the section with the pictures, see `caption_sheet.clips_part`.
    """
    commit, machine = git_commit(), f"{cpu_name()}, {threads} thread{'' if threads == 1 else 's'}"
    date = datetime.date.today().isoformat()
    text = _text(findings, clips, command, commit, machine, date)
    with replacing(out / PAGE) as file:
        file.write(text.encode("utf-8"))
    told = {
        "bundle": findings.bundle,
        "command": command,
        "commit": commit,
        "machine": machine,
        "date": date,
        "sources": findings.sources,
        "windows": findings.windows,
        "evaluator": findings.evaluator,
        "rows": [row.as_json() for row in findings.rows],
        "retrieval": {
            space: {
                protocol: {way: scores.as_json() for way, scores in ways.items()}
                for protocol, ways in protocols.items()
            }
            for space, protocols in findings.retrievals.items()
        },
        "text_to_motion": findings.motion_rows,
        "ablation": findings.ablation,
        "notes": findings.notes,
    }
    with replacing(out / DATA) as file:
        file.write((json.dumps(told, indent=1) + "\n").encode("utf-8"))


def _text(findings: CaptionFindings, clips: str, command: str, commit: str, machine: str, date: str) -> str:
    parts = [
        f"# Captions by the bundle {findings.bundle}",
        f"Made on {date} from commit `{commit}` on {machine} by\n\n    {command}\n\n"
        f"{findings.windows} windows of the test split ({', '.join(findings.sources)}).",
        "## Scores in the papers' layout\n\n" + caption_table(findings.rows),
        _legend(findings),
        "Against the same references as the real row:\n\n" + beside_real_table(findings.rows),
        "BLEU-4 / ROUGE-L / CIDEr by source:\n\n" + source_table(findings.rows),
    ]
    if findings.retrievals:
        parts.append(
            "## Retrieval\n\n"
            + retrieval_table(findings.retrievals)
            + "\n\nShare of questions, in per cent, whose answer is among the first k, and the median rank. "
            "One human caption a window, drawn several times. Means and 95 % intervals."
        )
    if findings.motion_rows:
        parts.append("## Text to motion\n\n" + text_to_motion_rows(findings.motion_rows))
    if findings.ablation:
        parts.append(
            "## Size of the motion's latent, and the interaction of motion and text\n\n"
            + ablation_table(findings.ablation)
        )
    parts.append(clips)
    if findings.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in findings.notes))
    return "\n\n".join(parts) + "\n"


def _legend(findings: CaptionFindings) -> str:
    lines = (
        f'R-precision and MM-Dist are those of the evaluator "{findings.evaluator}": the measured motion of a window '
        f"among 32, found by the caption made of it. {findings.runs} runs draw groups anew, the same for every row: "
        "mean and 95 % interval. Groups of 32 never hold two windows that share a sentence.",
        "The scores of words are times 100. References are all human captions of a window; a real caption is scored "
        "against the others of its window, each left out in turn, and so has one reference less.",
        "Words are the same for every metric: lower case, letters and digits, no lemmas.",
        f"BERTScore: {findings.bert_note}",
        "Repeated trigrams: captions in which three words in a row come twice. Distinct: different captions, of all. "
        "Known: captions that are word for word those of a training window or of its mirror image.",
        "Time: one clip at a time, from the motion to the sentence.",
        "Published figures are of other data and mostly of lemmatised references: compare rows of this table.",
    )
    return "\n".join(f"- {line}" for line in lines)
