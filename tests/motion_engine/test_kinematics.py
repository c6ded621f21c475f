# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import acted
import numpy as np
import pytest

from motion_engine.kinematics import kinematics
from motion_engine.kinematics_signals import extrema, smooth, spans


def test_standing_still():
    measured = kinematics(acted.pose())
    assert measured.still == 1.0 and measured.travel.path == 0.0 and measured.steps == 0
    assert measured.first_foot is None and measured.air.flights == 0
    assert measured.pelvis.lowest == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("velocity", "share"),
    [
        ({"forward": 1.0}, "forward_share"),
        ({"forward": -0.8}, "backward_share"),
        ({"forward": 0.0, "left": 0.7}, "left_share"),
        ({"forward": 0.0, "left": -0.7}, "right_share"),
    ],
)
def test_direction_of_travel(velocity, share):
    travel = kinematics(acted.walk(**velocity)).travel
    assert getattr(travel, share) > 0.95
    assert travel.path == pytest.approx(4 * max(map(abs, velocity.values())), rel=0.05)


@pytest.mark.parametrize("turn", [90, -90, 180, -360])
def test_a_walk_along_a_curve_is_forward_and_turns(turn):
    travel = kinematics(acted.walk(turn=turn)).travel
    assert travel.forward_share > 0.95 and travel.forward == pytest.approx(4.0, rel=0.05)
    assert travel.turn == pytest.approx(turn, abs=12)


def test_steps_are_counted_and_begin_with_the_left_foot():
    measured = kinematics(acted.walk(seconds=4.15))
    assert measured.steps == 8 and measured.first_foot == "left"
    assert measured.air.flights == 0


@pytest.mark.parametrize(("count", "forward"), [(1, 0.0), (3, 0.0), (2, 0.8)])
def test_jumps(count, forward):
    air = kinematics(acted.jump(count, forward)).air
    assert air.jumps == count
    assert air.forward == pytest.approx(forward, abs=0.25) and air.height == pytest.approx(0.3, abs=0.03)


def test_squats_are_dips_of_the_pelvis():
    measured = kinematics(acted.squat(3))
    assert measured.pelvis.dips == 3 and measured.pelvis.lowest < 0.65
    assert measured.air.jumps == 0 and measured.pelvis.end > 0.95


@pytest.mark.parametrize("side", ["left", "right"])
def test_arms_by_side(side):
    other = "right" if side == "left" else "left"
    measured = kinematics(acted.raise_arm(side, swings=1.5, seconds=4.0))
    up, down = getattr(measured, f"{side}_arm"), getattr(measured, f"{other}_arm")
    assert up.above_shoulder > 2.0 and up.raises == 1 and up.waves >= 2
    assert down.above_shoulder == 0 and down.waves == 0 and down.highest < -0.3


def test_a_raised_hand_that_rests_does_not_wave():
    measured = kinematics(acted.raise_arm("left", degrees=170.0))
    assert measured.left_arm.above_head > 1.0 and measured.left_arm.waves == 0


def test_kick_and_knee_by_side():
    time = acted.time_of(2.0)
    swing = -95 * acted.bump(time, 0.6, 1.2)
    kick = kinematics(acted.pose(2.0, planted=False, right_hip=acted.column(swing, 0)))
    assert kick.right_leg.kicks == 1 and kick.left_leg.kicks == 0 and kick.right_leg.foot > 0.6
    slow = acted.column(-95 * acted.bump(acted.time_of(4.0), 0.2, 3.8), 0)
    raised = kinematics(acted.pose(4.0, planted=False, left_hip=slow, left_knee=-slow))
    assert raised.left_leg.knee_raises == 1 and raised.left_leg.kicks == 0 and raised.left_leg.knee > -0.05
    assert raised.right_leg.knee_raises == 0


def test_punch_and_clap():
    time = acted.time_of(2.0)
    out = acted.bump(time, 0.7, 1.1)
    # folded at the chest, then stretched forward
    shoulder = np.stack([0 * time, -80 * out, -70 * (1 - out)], axis=1)
    elbow = acted.column(-130 * (1 - out), 1)
    punch = kinematics(acted.pose(2.0, left_shoulder=shoulder, left_elbow=elbow))
    assert punch.left_arm.punches == 1 and punch.right_arm.punches == 0
    both = 62 + 24 * np.cos(2 * np.pi * 1.5 * time)
    clap = acted.pose(2.0, left_shoulder=acted.column(-both, 1), right_shoulder=acted.column(both, 1))
    assert kinematics(clap).hands.claps == 0
    both = 82 + 22 * np.cos(2 * np.pi * 1.5 * time)
    clap = acted.pose(2.0, left_shoulder=acted.column(-both, 1), right_shoulder=acted.column(both, 1))
    assert kinematics(clap).hands.claps >= 3


def test_bow_and_bend_aside():
    time = acted.time_of()
    bow = kinematics(acted.pose(spine1=acted.column(70 * acted.bump(time, 0.3, 2.7), 0)))
    assert bow.trunk.bows == 1 and bow.trunk.pitch > 40
    lean = kinematics(acted.pose(spine1=acted.column(-45 * acted.bump(time, 0.3, 2.7), 2)))
    assert lean.trunk.left_bends == 1 and lean.trunk.right_bends == 0 and lean.trunk.roll_left > 20


def test_values_by_name():
    measured = kinematics(acted.walk())
    assert measured.value("travel.forward") == measured.travel.forward
    assert measured.value("steps") == measured.steps
    for name in ("travel.nothing", "travel", "nonsense"):
        with pytest.raises(ValueError, match="no measure"):
            measured.value(name)
    assert measured.as_dict()["travel"]["forward"] == measured.travel.forward


def test_one_frame_can_be_measured():
    assert kinematics(acted.pose(0.05)).travel.path == 0.0


def test_mirrored_motions_have_mirrored_measures():
    motion = acted.walk(turn=60, left_shoulder=(0, 0, 60))
    mirrored = acted.walk(turn=-60, right_shoulder=(0, 0, -60))
    a, b = kinematics(motion), kinematics(mirrored)
    assert a.travel.turn == pytest.approx(-b.travel.turn, abs=2)
    assert a.left_arm.highest == pytest.approx(b.right_arm.highest, abs=0.03)


def test_signals():
    line = np.arange(10.0)
    assert np.allclose(smooth(line, 5), line)
    assert spans(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert extrema(np.array([0, 1, 0.9, 1.1, 0, 1.0]), 0.5) == ([3, 5], [0, 4])


@pytest.mark.parametrize("joint", ["pelvis", "spine2", "neck", "head"])
def test_the_head_sweeps_with_whatever_turns_it(joint):
    yaw = np.linspace(-100.0, 100.0, len(acted.time_of()))
    measured = kinematics(acted.pose(**{joint: acted.column(yaw, 1)}))
    assert measured.head.sweep == pytest.approx(200.0, rel=0.03)
    nodding = kinematics(acted.pose(head=acted.column(30.0 * np.sin(yaw / 20.0), 0)))
    assert nodding.head.sweep == pytest.approx(0.0, abs=0.1)
