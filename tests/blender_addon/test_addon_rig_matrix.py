# SPDX-License-Identifier: GPL-3.0-or-later
"""A light version of the matrix (`rig_matrix`): generated motions on rigs of many kinds keep the project's bars."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bpy")

from rig_bodies import RestPose, posed, proportioned, reference
from rig_matrix import BEGIN, END, FPS, PAGE, Line, play, row
from rig_measure import put
from rig_styles import STYLES, tables
from rig_variations import CHILD, GIANT, VARIATIONS, build, rigify_human

from blender_addon import compat
from motion_engine.bundle import list_bundles
from motion_engine.engine import Engine, GenerateRequest

JOINTS, FLOOR = 5.0, 5.0
"""Millimetres: mean error of the joints on the source's proportions, largest error of standing feet on any."""
STYLE = {style.table: style for style in STYLES}
LIGHT = ("mixamo", "ue5", "cmu", "daz_g8", "biped", "mmd")
TABLES = tables()


@pytest.fixture(scope="module")
def motions():
    if not any(bundle.ok for bundle in list_bundles()):
        pytest.skip("no model bundle here")
    engine = Engine.load()
    prompts = ("a person walks forward and turns around", "a person sits down")
    return [
        engine.generate(GenerateRequest(prompt=p, duration=2.0, seed=0))[0].resample(FPS) for p in prompts
    ]


def paths(target):
    return [curve.data_path for curve in compat.action_curves(target.animation_data.action)]


def within_bars(score):
    assert len(score.floor) > 10, "the clips have to stand on the floor now and then"
    assert np.abs(score.floor).max() <= FLOOR
    assert score.slide.mean() <= 1.05 * score.source_slide.mean() + 0.005
    if len(score.joints):
        assert score.joints.mean() <= JOINTS


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.table)
def test_every_family_as_it_comes(scene, motions, style):
    within_bars(play(build(style, TABLES[style.table], VARIATIONS[0]), motions[:1]))


@pytest.mark.parametrize("variation", VARIATIONS[1:], ids=lambda variation: variation.title)
def test_every_variation(scene, motions, variation):
    for name in LIGHT:
        score = play(build(STYLE[name], TABLES[name], variation), motions)
        within_bars(score)


def test_toes_with_bones_of_their_own_do_not_go_through_the_floor(scene, motions):
    """Five toes a foot bend as the one toe of other families does."""
    one, five = (
        play(build(STYLE[name], TABLES[name], VARIATIONS[-1]), motions) for name in ("mixamo", "mpfb_default")
    )
    assert five.depth <= one.depth + 1.0
    figure = build(STYLE["mpfb_default"], TABLES["mpfb_default"], VARIATIONS[0])
    put(figure.target, motions[0])
    keyed = {channel.split('"')[1] for channel in paths(figure.target)}
    assert {f"toe{n}-1.{side}" for n in range(1, 6) for side in "LR"} <= keyed
    assert not {f"toe{n}-2.L" for n in range(1, 6)} & keyed


def test_a_foot_without_toes_stands_on_its_tip(scene, motions):
    """A stiff foot whose heel rises does not put its tip into the floor."""
    stiff, bending = (
        play(build(STYLE[name], TABLES[name], VARIATIONS[0]), motions) for name in ("mpfb_no_toes", "mixamo")
    )
    assert stiff.depth <= bending.depth + 1.0


def test_the_rigify_human_that_blender_generates(scene, motions):
    score = play(rigify_human(), motions)
    within_bars(score)
    assert score.angles.mean() < 5.0


@pytest.mark.parametrize(("shape", "height"), [(CHILD, 0.9), (GIANT, 2.4)])
def test_a_child_and_a_giant_stand_on_the_floor_and_have_their_height(shape, height):
    body = posed(proportioned(reference(TABLES["ue5"]), shape), RestPose(arms=45, legs=4))
    assert np.abs(body.soles[..., 2]).max() < 1e-3
    head = body.rig.rest["head"]
    assert head[0, 2] < height < head[0, 2] + 0.25 * height
    legs = np.diff(body.heads()[[1, 4, 7]], axis=0)
    assert np.linalg.norm(legs, axis=-1).sum() == pytest.approx(
        np.linalg.norm(np.diff(body.heads()[[2, 5, 8]], axis=0), axis=-1).sum(), rel=0.02
    )


def test_a_wrong_pose_is_measured_as_wrong(scene, motions):
    """The measure itself: a rig whose keys are taken off again fails the bars."""
    figure = build(STYLE["mixamo"], TABLES["mixamo"], VARIATIONS[0])
    score = play(figure, motions[:1])
    figure.bones["left_wrist"], figure.bones["right_wrist"] = (
        figure.bones["right_wrist"], figure.bones["left_wrist"],
    )  # fmt: skip
    assert play(figure, motions[:1]).joints.max() > 100 > score.joints.max()


def test_a_line_of_the_table_and_the_page_that_it_goes_to(scene, motions):
    assert row(Line("a rig", None, None, "has no legs")).startswith("| a rig | refused: has no legs |")
    text = row(Line("a rig", play(build(STYLE["smplx"], TABLES["smplx"], VARIATIONS[0]), motions[:1]), 12.0))
    assert text.count("|") == 8
    assert "12 ms" in text
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
