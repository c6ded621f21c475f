# SPDX-License-Identifier: GPL-3.0-or-later
"""The phrase bank of `training.data.describe`."""

from __future__ import annotations

NEUTRAL = (
    "a person", "a person", "someone", "somebody", "the person", "a figure", "an individual", "one person",
    "this person", "a human",
)  # fmt: skip
MALE = ("a man", "the man", "he", "a guy")
FEMALE = ("a woman", "the woman", "she", "a lady")

PHRASES: dict[str, tuple[str, ...]] = {
    "walk": (
        "walks forward", "walks ahead", "strolls forward", "moves forward on foot", "goes forward at a walk",
        "paces ahead", "is walking forward", "heads forward step by step", "strides ahead", "ambles forward",
    ),
    "walk_slow": (
        "walks forward slowly", "slowly walks ahead", "walks at a slow pace", "strolls along slowly",
        "takes slow steps forward", "ambles forward without haste", "moves ahead slowly", "is walking slowly",
    ),
    "walk_fast": (
        "walks forward quickly", "walks fast", "walks briskly ahead", "strides forward at a fast pace",
        "hurries forward at a walk", "is walking quickly", "marches off briskly",
    ),
    "walk_backward": (
        "walks backward", "walks backwards", "steps backward", "moves back step by step", "goes backward",
        "backs up", "backs away on foot", "is walking backwards", "retreats at a walk",
    ),
    "side_step": (
        "steps sideways to the {side}", "side steps to the {side}", "moves sideways to the {side}",
        "sidesteps {side}", "goes to the {side} without turning", "walks sideways toward the {side}",
    ),
    "jog": (
        "jogs forward", "jogs ahead", "runs forward slowly", "runs at an easy pace", "trots forward",
        "is jogging", "runs along slowly",
    ),
    "run": (
        "runs forward", "runs ahead", "runs along", "is running forward", "goes forward at a run",
        "runs straight on",
    ),
    "run_fast": (
        "runs fast", "sprints forward", "runs forward at high speed", "dashes ahead", "races forward",
        "runs very quickly", "is sprinting",
    ),
    "steps": ("takes {count} steps {side}", "makes {count} steps {side}", "steps {side} {count} times"),
    "turn": ("turns to the {side}", "turns {side}", "makes a turn to the {side}", "rotates to the {side}"),
    "turn_45": (
        "turns slightly to the {side}", "turns about forty-five degrees to the {side}",
        "turns a little to the {side}", "makes a slight {side} turn",
    ),
    "turn_90": (
        "turns {side} by about ninety degrees", "turns ninety degrees to the {side}", "makes a {side} turn",
        "makes a quarter turn to the {side}", "turns to the {side}",
    ),
    "turn_180": (
        "turns around", "turns around to the {side}", "makes a half turn to the {side}",
        "turns to face the other way", "turns about over the {side} side", "turns 180 degrees to the {side}",
    ),
    "turn_360": (
        "turns all the way around to the {side}", "makes a full turn to the {side}",
        "turns a full circle to the {side}", "turns 360 degrees to the {side}",
    ),
    "wave": (
        "waves with the {side} hand", "waves the {side} hand", "greets someone with the {side} hand",
        "holds up the {side} hand and waves it", "says hello with the {side} hand", "waves the {side} arm",
        "waves to someone with the {side} hand",
    ),
    "wave_both": (
        "waves with both hands", "waves both arms in the air", "holds up both hands and waves them",
        "swings both raised arms", "waves with both arms held up",
    ),
    "raise": (
        "raises the {side} hand", "lifts the {side} arm", "raises the {side} arm", "puts up the {side} hand",
        "lifts the {side} hand", "brings the {side} hand up",
    ),
    "raise_high": (
        "raises the {side} hand above the head", "lifts the {side} arm over the head",
        "reaches up with the {side} hand", "stretches the {side} arm up high", "raises the {side} arm high",
    ),
    "held_up": (
        "keeps the {side} hand up", "holds the {side} arm up", "has the {side} hand raised",
    ),
    "raise_both": (
        "raises both hands", "lifts both arms", "raises both arms", "puts up both hands",
        "brings both hands up",
    ),
    "raise_both_high": (
        "raises both hands above the head", "lifts both arms over the head", "reaches up with both hands",
        "stretches both arms up high", "throws up both arms",
    ),
    "punch": (
        "punches with the {side} hand", "throws a punch with the {side} fist", "strikes with the {side} fist",
        "punches once with the {side} hand",
    ),
    "punch_both": (
        "punches with both hands in turn", "throws punches with the left and the right fist",
        "punches left and right", "boxes with both fists",
    ),
    "throw": (
        "throws something with the {side} hand", "throws with the {side} arm",
        "swings the {side} arm in a throw",
    ),
    "clap": (
        "claps", "claps the hands", "claps both hands together", "applauds", "is clapping",
        "keeps clapping the hands",
    ),
    "kick": (
        "kicks with the {side} leg", "kicks with the {side} foot", "does a kick with the {side} leg",
        "swings the {side} leg in a kick", "strikes with the {side} foot",
    ),
    "kick_high": (
        "kicks high with the {side} leg", "does a high kick with the {side} foot",
        "swings the {side} leg up in a high kick", "kicks with the {side} leg",
    ),
    "knee": (
        "lifts the {side} knee", "raises the {side} knee", "lifts the {side} leg with the knee bent",
        "brings the {side} knee up", "raises the {side} leg",
    ),
    "leg": (
        "raises the {side} leg", "lifts the {side} leg", "lifts the {side} foot off the floor",
        "lifts the straight {side} leg",
    ),
    "jump": ("jumps {times}", "jumps up {times}", "leaves the ground {times}"),
    "jump_in_place": ("jumps {times} in place", "jumps up {times} on the spot", "jumps straight up {times}"),
    "jump_forward": ("jumps forward {times}", "leaps forward {times}", "jumps ahead {times}"),
    "jump_high": ("jumps high", "jumps up high into the air", "leaps high off the ground"),
    "jacks": ("does jumping jacks", "jumps the legs apart and together", "jumps with the arms going up and down"),
    "sit_down": ("sits down", "takes a seat", "lowers the body to sit", "is sitting down"),
    "crouch_down": ("crouches down", "squats down", "goes down into a squat", "sinks into a crouch"),
    "lower": ("gets down low", "bends the knees and goes down", "lowers the body"),
    "stand_up": ("stands up", "gets up", "rises to standing", "comes up to stand", "straightens up to stand"),
    "sit_and_stand": (
        "sits down and stands up {times}", "goes from standing to sitting and back {times}",
        "takes a seat and gets up again {times}",
    ),
    "squat": ("squats {times}", "does a squat {times}", "bends the knees deeply {times} and comes up again"),
    "sit_and_stand_once": (
        "sits down and stands up again", "takes a seat and gets up again", "sits and then rises",
    ),
    "squat_once": (
        "does a squat", "bends the knees deeply and comes up again", "goes down and up again",
    ),
    "bow": ("bows", "takes a bow", "bows forward from the waist", "bends forward in a bow"),
    "bend_forward": ("bends forward", "bends over at the waist", "leans far forward", "bends the upper body down"),
    "bend_aside": (
        "leans to the {side}", "bends sideways to the {side}", "leans the upper body over to the {side}",
    ),
    "still": (
        "stands still", "stands without moving", "stays in place", "does not move", "is standing quietly",
        "waits motionless",
    ),
}  # fmt: skip
"""Predicates of each fact; ``{side}``, ``{count}`` and ``{times}`` are filled in."""

WHILE: dict[str, tuple[str, ...]] = {
    "wave": (
        "while waving with the {side} hand", "while waving the {side} hand", "and waves the {side} hand",
        "waving the {side} arm at the same time",
    ),
    "wave_both": ("while waving both hands", "waving both arms", "and waves with both hands"),
    "raise": (
        "while raising the {side} hand", "with the {side} hand raised", "while holding up the {side} arm",
        "with the {side} arm up",
    ),
    "raise_high": (
        "while raising the {side} hand", "with the {side} hand above the head",
        "with the {side} arm held high",
    ),
    "held_up": (
        "with the {side} hand up", "with the {side} arm raised", "while holding the {side} hand up",
    ),
    "raise_both": ("with both hands raised", "while holding up both arms", "with both arms up"),
    "raise_both_high": ("with both hands above the head", "while holding both arms up high"),
    "clap": ("while clapping", "clapping the hands", "and claps at the same time"),
}  # fmt: skip
"""What follows another predicate when both happen at once."""
