# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of a clip for an asset browser: from the words of its sentence and from what the body measurably does.

Each line of `TAGS` names a tag, the words that stand for it (each also with the endings -s, -es, -ed, -ing), when the
measures alone are enough, and when they speak against it whatever the words say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from motion_engine.kinematics_values import Arm, Kinematics

Measured = Callable[[Kinematics], bool]


@dataclass(frozen=True)
class Tag:
    """One tag.

    Attributes
    ----------
    name : as shown.
    words : regular expressions; an ending of a verb may follow each.
    surely : measures that are enough without any word.
    never : measures that speak against the words.
    """

    name: str
    words: tuple[str, ...]
    surely: Measured = lambda k: False
    never: Measured = lambda k: False


def _running(k: Kinematics) -> bool:
    return k.travel.moving_speed > 1.9 and k.air.flights >= 2


def _walking(k: Kinematics) -> bool:
    return k.steps >= 3 and k.travel.path > 1.2 and 0.3 < k.travel.moving_speed < 1.9


def _left_arm_only(k: Kinematics) -> bool:
    return _busy(k.left_arm) and k.left_arm.energy > 2.5 * k.right_arm.energy


def _right_arm_only(k: Kinematics) -> bool:
    return _busy(k.right_arm) and k.right_arm.energy > 2.5 * k.left_arm.energy


def _busy(arm: Arm) -> bool:
    return arm.energy > 0.35


TAGS = (
    # getting about
    Tag("walk", ("walk", "stroll", "strid(?:e|ing)", "pac(?:e|ing)", "wander", "march", "tread"), _walking),
    Tag("run", ("run", "running", "sprint", "dash", "rac(?:e|ing)"), _running, lambda k: k.travel.top_speed < 0.8),
    Tag("jog", ("jog", "jogging", "trot", "trotting")),
    Tag("sneak", ("sneak", "tip-?toe", "tiptoeing", "creep")),
    Tag("limp", ("limp", "hobbl(?:e|ing)")),
    Tag("sidestep", ("side-? ?step", "sideways", "shuffl(?:e|ing)"),
        lambda k: k.travel.path > 1 and max(k.travel.left_share, k.travel.right_share) > 0.7),
    Tag("forward", ("forwards?", "ahead"),
        lambda k: k.travel.forward > 1 and k.travel.forward_share > 0.7, lambda k: k.travel.forward < -0.5),
    Tag("backward", ("backwards?", "in reverse"),
        lambda k: k.travel.forward < -0.6 and k.travel.backward_share > 0.6, lambda k: k.travel.forward > 1),
    Tag("circle", ("circles?", "circling", "in a ring", "around in"),
        lambda k: abs(k.travel.turn) > 300 and k.travel.path > 2),
    Tag("stairs", ("stairs?", "steps up", "climb", "ladder")),
    # direction
    Tag("turn", ("turn", "spin", "spinning", "pivot", "rotat(?:e|ing)", "twirl", "u-turn"),
        lambda k: abs(k.travel.turn) > 70),
    Tag("left", ("left",), lambda k: k.travel.turn > 60 or k.travel.left > 0.8),
    Tag("right", ("right",), lambda k: k.travel.turn < -60 or k.travel.left < -0.8),
    # up and down
    Tag("jump", ("jump", "hop", "hopping", "hopped", "leap", "skip", "skipping"),
        lambda k: k.air.jumps > 0 and not _running(k)),
    Tag("squat", ("squat", "squatting", "knee bend"), lambda k: k.pelvis.dips > 0 and k.pelvis.lowest < 0.65),
    Tag("crouch", ("crouch", "duck")),
    Tag("sit", ("sit", "sits", "sitting", "sat", "seat", "seated"), never=lambda k: k.pelvis.lowest > 0.9),
    Tag("stand up", ("stands? up", "gets? up", "standing up", "getting up", "rises?"),
        never=lambda k: k.pelvis.rise < 0.05),
    Tag("kneel", ("kneel", "knelt"), lambda k: max(k.left_leg.on_knee, k.right_leg.on_knee) > 0.7),
    Tag("lie", ("lie", "lies", "lying", "lay", "laying"), lambda k: k.trunk.flat > 0.7,
        lambda k: k.pelvis.lowest > 0.8),
    Tag("crawl", ("crawl", "all fours"), never=lambda k: k.pelvis.lowest > 0.8),
    Tag("fall", ("fall", "fell", "collaps(?:e|ing)", "trip", "stumbl(?:e|ing)")),
    Tag("bow", ("bow", "bends? (?:over|down|forward)", "bending"),
        lambda k: k.trunk.bows > 0 and k.pelvis.lowest > 0.8),
    # hands and arms
    Tag("wave", ("wav(?:e|ing)",), lambda k: max(k.left_arm.waves, k.right_arm.waves) >= 3),
    Tag("clap", ("clap", "clapping", "applaud"), lambda k: k.hands.claps >= 2),
    Tag("punch", ("punch", "box", "boxing", "jab", "jabbing"),
        lambda k: k.left_arm.punches + k.right_arm.punches >= 3 and k.left_arm.waves + k.right_arm.waves == 0),
    Tag("throw", ("throw", "thrown", "toss", "pitch")),
    Tag("catch", ("catch", "caught")),
    Tag("pick up", ("picks? (?:\\w+ ){0,3}up", "picking (?:\\w+ ){0,3}up", "lift")),
    Tag("push", ("push",)),
    Tag("pull", ("pull",)),
    Tag("point", ("points? (?:at|to|with|towards?)", "pointing")),
    Tag("stretch", ("stretch",)),
    Tag("arms up", ("(?:arms|hands) (?:\\w+ )?(?:up|overhead|over)", "rais(?:e|es|ing) (?:\\w+ ){0,2}(?:arms|hands)"),
        lambda k: k.hands.both_above_shoulder > 0.5),
    Tag("left hand", ("left (?:hand|arm)",), _left_arm_only, _right_arm_only),
    Tag("right hand", ("right (?:hand|arm)",), _right_arm_only, _left_arm_only),
    Tag("both hands", ("both (?:\\w+ )?(?:hands|arms)", "(?:his|her|their|the) (?:hands|arms)"),
        lambda k: k.hands.both_above_shoulder > 0.5,
        lambda k: _left_arm_only(k) or _right_arm_only(k)),
    # legs
    Tag("kick", ("kick",), lambda k: k.left_leg.kicks + k.right_leg.kicks > 0 and not _running(k)),
    Tag("left leg", ("left (?:leg|foot|knee)",)),
    Tag("right leg", ("right (?:leg|foot|knee)",)),
    # kinds of motion
    Tag("dance", ("danc(?:e|ing)", "waltz", "salsa", "ballet")),
    Tag("exercise", ("exercis(?:e|ing)", "jumping jacks?", "lung(?:e|ing)", "push-? ?ups?", "sit-? ?ups?", "squat",
                     "stretch")),
    Tag("sport", ("basketball", "soccer", "football", "golf", "tennis", "baseball", "box", "boxing",
                  "dribbl(?:e|ing)")),
    Tag("swim", ("swim", "swimming")),
    Tag("balance", ("balanc(?:e|ing)",)),
    Tag("slow", ("slow", "slowly", "careful", "carefully")),
    Tag("fast", ("quick", "quickly", "fast", "rapid", "rapidly"), lambda k: k.travel.top_speed > 3.5),
    Tag("idle", ("stands? still", "standing still", "idle", "idles", "waits?", "waiting", "stays? in place"),
        lambda k: k.still > 0.85, lambda k: k.still < 0.4),
    Tag("in place", ("in place", "on the spot"), lambda k: k.steps >= 4 and k.travel.path < 0.5),
)  # fmt: skip
"""The order is that of the reply."""


def tags(sentence: str, measures: Kinematics) -> list[str]:
    """Names of the tags that fit a sentence and the measures of its motion."""
    text = sentence.lower()
    return [
        tag.name
        for tag in TAGS
        if tag.surely(measures) or (_pattern(tag).search(text) and not tag.never(measures))
    ]


@cache
def _pattern(tag: Tag) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(tag.words)})(?:s|es|ed|d|ing)?\b")
