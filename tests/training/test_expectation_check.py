# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for words, checked on windows with captions."""

from __future__ import annotations

import acted
import pytest

from training.data.motion_set import MotionSet, Window
from training.evaluate.expectation_check import EVERY, agreement, agreement_table


def motion_set(*told) -> MotionSet:
    motions, windows = {}, []
    for number, (motion, *captions) in enumerate(told):
        clip = f"acted/{number}"
        motions[clip] = motion
        windows.append(Window(clip, 0.0, motion.duration, "test", tuple(captions)))
    return MotionSet(motions, windows, told[0][0].fps)


def test_shares_are_of_those_clips_whose_captions_say_it():
    rows = agreement(
        motion_set(
            (acted.walk(), "a person walks forward"),
            (acted.walk(), "a person walks forward", "somebody does something"),
            (acted.pose(), "a person walks forward"),
            (acted.jump(2), "a person jumps twice"),
        ),
        ["test"],
    )
    found = {row.name: row for row in rows}
    assert found["goes forward"].said == 3 and found["goes forward"].met == pytest.approx(2 / 3)
    assert found["jumps twice"].met == 1.0
    assert rows[-1].name == EVERY and rows[-1].said == sum(row.said for row in rows[:-1])
    table = agreement_table(rows, least=3)
    assert "| goes forward | 3 | 67 |" in table and "jumps twice" not in table


def test_captions_without_anything_measurable_are_named():
    silent = motion_set((acted.pose(), "a person is there"))
    with pytest.raises(ValueError, match="says anything that can be measured"):
        agreement(silent, ["test"])
