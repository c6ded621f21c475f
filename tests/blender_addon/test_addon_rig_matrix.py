# SPDX-License-Identifier: GPL-3.0-or-later
"""The bars of the rig matrix on some of its pairs: joints on bodies of the same proportions, feet on any."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import rig_matrix  # noqa: E402
from addon_rigs import walk  # noqa: E402
from rig_measure import measure, put  # noqa: E402
from rig_styles import STYLES, tables  # noqa: E402
from rig_variations import VARIATIONS, build  # noqa: E402

PAIRS = (
    ("mixamo", "as the family comes"),
    ("ue5", "armature in centimetres, object scaled by 0.01"),
    ("daz_g8", "A-pose, arms 45° down"),
    ("mpfb_default", "T-pose"),
    ("vroid", "object moved, turned and tilted"),
    ("biped", "random rolls"),
    ("cmu", "a different rotation mode for every bone"),
    ("smplx", "character 100 times as large"),
    ("cc", "character 0.01 times as large"),
    ("mixamo", "child, 0.9 m"),
    ("ue5", "giant, 2.4 m"),
    ("mixamo", "object stretched (1.1, 0.9, 1.2)"),
)


@pytest.mark.parametrize(("name", "title"), PAIRS)
def test_the_bars_hold(scene, name, title):
    style = next(one for one in STYLES if one.table == name)
    variation = next(one for one in VARIATIONS if one.title == title)
    figure = build(style, tables()[name], variation)
    motion = walk(40).canonical().resample(rig_matrix.FPS)
    put(figure.target, motion)
    score = measure(figure, motion)
    if figure.same:
        assert score.joints.mean() <= 5.0
    assert np.abs(score.floor).max() <= 5.0
    assert score.slide.mean() <= 1.3 * score.source_slide.mean() + 0.01
