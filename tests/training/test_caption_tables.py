# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of text to motion and of the ablation are written from rows, and damaged rows are named."""

from __future__ import annotations

import json

import pytest

from training.evaluate.caption_tables import (
    ABLATION_COLUMNS,
    ablation_table,
    read_ablation,
    text_to_motion_rows,
)


def variant(name, size, interaction, **figures):
    return {"name": name, "l": size, "interaction": interaction, **dict.fromkeys(ABLATION_COLUMNS), **figures}


def test_text_to_motion():
    text = text_to_motion_rows(
        [
            {"name": "MotionLCM, 1 step", "ms": 31.4, "fid": [0.0712, 0.001], "r3": [0.81, 0.002]},
            {"name": "MoTe, 10 steps", "fid": 0.09, "r3": None},
        ]
    )
    head, _, first, second = text.splitlines()
    assert head == "|  | AITS ms | R top 3 | FID |"
    assert first == "| MotionLCM, 1 step | 31 | 0.810 ±0.002 | 0.071 ±0.001 |"
    assert second == "| MoTe, 10 steps | - | - | 0.090 |"


def test_ablation(tmp_path):
    rows = [
        variant("in context, 4", 4, "in context", r3=0.85, fid=0.08, cider=31.5, parameters=8_210_000, ms=20),
        variant("in context, 2", 2, "in context", r3=0.84, fid=0.07, cider=29.0, parameters=8_200_000),
        variant("AdaLN, 4", 4, "AdaLN", r3=0.80, fid=0.2, cider=20.0, parameters=16_000_000),
    ]
    file = tmp_path / "ablation.jsonl"
    old = variant("AdaLN, 4", 4, "AdaLN", r3=0.1)
    file.write_text("\n".join(json.dumps(row) for row in [old, *rows]) + "\n\n")
    lines = ablation_table(read_ablation(file)).splitlines()[2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == [
        "AdaLN, 4", "in context, 2", "in context, 4"
    ]  # fmt: skip
    adaln, two, four = lines
    assert "**0.850**" in four and "**31.5**" in four, "the best of a column is bold"
    assert "**0.070**" in two and "**8.20**" in two, "less is better of FID and size"
    assert "**" not in adaln and "0.800" in adaln and "16.00" in adaln, "the later line of a name counts"


def test_damaged_rows_are_named(tmp_path):
    file = tmp_path / "ablation.jsonl"
    file.write_text('{"name": "x", "l": 2}\n')
    with pytest.raises(ValueError, match=r"line 1, lacks interaction, r1"):
        read_ablation(file)
    file.write_text("\n{broken\n")
    with pytest.raises(ValueError, match=r"line 2, is not JSON"):
        read_ablation(file)
    file.write_text("[1]\n")
    with pytest.raises(ValueError, match=r"line 1, lacks name"):
        read_ablation(file)
