# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty held-out clips of five kinds as pictures, with what people and captioners say of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from motion_engine.formats.atomic import replacing
from training.contact_sheet import contact_sheet
from training.data.motion_set import Window
from training.evaluate.caption_sets import CaptionSet
from training.evaluate.held_out import HeldOut
from training.evaluate.report_figures import COLOURS

SHOWN = 20
POSES = 8

KINDS = {
    "Jumping and kicking": r"jump|leap|hop|kick|skip",
    "Sitting, squatting, bending": r"sit|squat|kneel|lie|lying|crouch|lunge|bend|bow|seat|stand(s|ing)? up",
    "Turning, dancing, swaying": r"turn|spin|twist|danc|sway|balanc|lean|circl",
    "Arms and hands": r"wav|throw|punch|clap|raise|lift|hand|arm|reach|catch|push|pull|stretch|shoulder",
    "Walking and running": r"walk|run|jog|step|stride|march|stroll|pac(e|ing)",
}
"""Words that tell a kind, the more telling kinds first."""


def kind_of(window: Window) -> str:
    """The kind that most of a window's captions speak of; the more telling one where two are equal."""
    votes = {
        kind: sum(
            bool(re.search(rf"\b({stems})", caption, re.IGNORECASE))
            for caption in window.captions
        )
        for kind, stems in KINDS.items()
    }  # fmt: skip
    return max(votes, key=lambda kind: votes[kind])


def shown_windows(held_out: HeldOut, count: int = SHOWN) -> list[tuple[str, int]]:
    """Kind and index of the windows that are shown, kind by kind: the same ones for the same set.

    Each kind has its share; where a kind has too few windows, others fill up. No two show the same sentence, as long
    as there are enough others.
    """
    labels = held_out.labels()
    order = np.random.default_rng(7).permutation(len(labels)).tolist()
    queues: dict[str, list[int]] = {kind: [] for kind in KINDS}
    again: dict[str, list[int]] = {kind: [] for kind in KINDS}
    seen: set[str] = set()
    for index in order:
        kind = kind_of(held_out.windows[index])
        (again if labels[index] & seen else queues)[kind].append(index)
        seen |= labels[index]
    chosen: list[tuple[str, int]] = []
    for waiting in (queues, again):
        while len(chosen) < count and any(waiting.values()):
            for kind, queue in waiting.items():
                if queue and len(chosen) < count:
                    chosen.append((kind, queue.pop(0)))
    names = list(KINDS)
    return sorted(chosen, key=lambda pair: names.index(pair[0]))


def draw_clips(held_out: HeldOut, shown: Sequence[tuple[str, int]], folder: Path) -> list[str]:
    """A picture ``clip_NN.png`` of every window shown; their names."""
    names = []
    for number, (kind, index) in enumerate(shown, 1):
        motion = held_out.motions[index]
        title = f"{number}. {kind}: {held_out.windows[index].clip}, {motion.duration:.1f} s"
        sheet = contact_sheet([motion], [title], n_poses=POSES)
        small = sheet.resize((sheet.width * 3 // 4, sheet.height * 3 // 4), Image.Resampling.LANCZOS)
        name = f"clip_{number:02d}.png"
        with replacing(folder / name) as file:
            small.quantize(COLOURS, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
        names.append(name)
    return names


def clips_part(
    held_out: HeldOut,
    shown: Sequence[tuple[str, int]],
    pictures: Sequence[str],
    made: Sequence[CaptionSet],
) -> str:
    """The section of the page: of each clip its picture, what people said, what each captioner says."""
    parts = [
        f"## {len(shown)} held-out clips\n\nDrawn by chance, kind by kind, not by what captioners make of them."
    ]
    heading = ""
    for (kind, index), picture in zip(shown, pictures, strict=True):
        if kind != heading:
            parts.append(f"### {kind}")
            heading = kind
        lines = [f"![{picture}]({picture})", "", "- people: " + "; ".join(held_out.windows[index].captions)]
        lines += [f"- **{captions.name}: {captions.sentences[index] or '(nothing)'}**" for captions in made]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
