# SPDX-License-Identifier: GPL-3.0-or-later
"""The same said with other words.

A few hundred people wrote the captions, in a language of their own: nobody "trots", "sidles" or "makes a U-turn".
This thesaurus of everyday words for motions gives each caption a few variants, so that animators need not guess which
word the data used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_BACK = r"(?: (?:backwards?|back))"

_VERB = "(?:" + "|".join(
    rf"(?<=\b{word} )" for word in (
        "person", "someone", "somebody", "figure", "man", "woman", "one", "human", "individual", "dancer", "girl",
        "boy", "lady", "guy", "and", "then", "he", "she", "slowly", "quickly",
    )
) + ")"  # fmt: skip
"""What stands before a verb: "three punches" and "karate kicks" are none."""

# (pattern, options): groups are kept where the option says {0} and {1}
_VERBS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (rf"\bwalks{_BACK}\b", ("backs away", "steps back", "walks in reverse", "retreats", "backs off", "goes backward")),
    (r"\bwalks slowly( forward| ahead)?\b", (
        "ambles along", "strolls along", "walks without haste", "walks at a leisurely pace", "saunters along",
        "plods along", "takes a slow walk",
    )),
    (r"\b(?:walks (?:quickly|fast|briskly)|quickly walks)( forward| ahead)?\b", (
        "hurries along", "hurries ahead", "walks at a brisk pace", "walks in a hurry", "strides along quickly",
        "rushes along on foot", "power walks", "walks rapidly",
    )),
    (r"\bwalks (?:forward|forwards|ahead|straight|straight ahead)\b", (
        "strolls along", "goes forward on foot", "paces ahead", "advances at a walk", "wanders forward",
        "takes a walk straight on", "moves along on foot", "strides ahead", "goes for a walk", "marches along",
    )),
    (r"\bwalks\b", ("strolls", "strides", "goes on foot", "paces", "wanders", "treads")),
    (r"\bjogs(?: forward| ahead)?\b", (
        "trots along", "goes at a trot", "jogs along", "runs slowly", "runs at an easy pace", "goes for a jog", "trots",
    )),
    (r"\bruns (?:fast|quickly)\b", ("sprints", "dashes ahead", "races along", "bolts ahead", "rushes ahead")),
    (r"\bruns (?:forward|forwards|ahead)\b", (
        "dashes forward", "runs along", "takes a run", "hurries along at a run", "races ahead", "goes running",
    )),
    (r"\bsprints\b", ("dashes", "races", "runs at full speed", "runs as fast as possible")),
    (r"\b(?:side ?steps|steps sideways|walks sideways|moves sideways)(?: to)?(?: the)? (left|right)\b", (
        "sidles to the {0}", "shuffles to the {0}", "moves {0}ward with side steps", "edges to the {0}",
        "steps aside to the {0}", "goes {0}ward sideways",
    )),
    (r"\bturns around\b", (
        "makes a U-turn", "makes an about-turn", "turns back", "reverses direction", "swings round", "faces about",
        "does a one-eighty",
    )),
    (r"\bturns (?:to the )?(left|right)\b", (
        "veers {0}", "goes around a corner on the {0}", "takes a {0} turn", "swings round to the {0}", "makes a {0}",
        "heads off to the {0}", "rounds a corner to the {0}", "bends off to the {0}",
    )),
    (r"\bwaves hello\b", ("says hello", "greets somebody", "gives a friendly wave", "waves to a friend")),
    (r"\bwaves(?: goodbye)? (?:with )?(?:the |his |her |their |one )?(left|right) (?:hand|arm)\b", (
        "says hello with the {0} hand", "waves goodbye with the {0} hand", "greets someone with the {0} hand",
        "gives a wave with the {0} hand", "says farewell with the {0} hand", "signals with the raised {0} hand",
    )),
    (r"\bwaves\b(?! (?:the|both|one|his|her|a|with)\b)", (
        "says goodbye with a wave", "gives a wave", "waves goodbye", "waves farewell", "waves hello",
    )),
    (r"\bclaps(?: (?:the |both |his |her )?hands)?\b", ("applauds", "gives applause", "claps the hands together")),
    (r"\bsits down\b", ("takes a seat", "has a seat", "settles onto a seat", "sits")),
    (r"\bstands up\b", ("gets up", "rises", "gets to the feet", "rises to a stand", "comes up to standing")),
    (r"\bgets up\b", ("stands up", "rises", "gets to the feet")),
    (r"\bstands still\b", ("waits", "stays put", "stands motionless", "remains in place", "holds still")),
    (r"\bsquats(?: down)?\b", ("does a knee bend", "does a squat", "drops into a squat")),
    (r"\bcrouches(?: down)?\b", ("ducks down", "hunkers down", "gets down low", "cowers", "squats low")),
    (r"\bducks\b", ("crouches under something", "stoops", "bobs down")),
    (r"\bbows\b", ("takes a bow", "folds at the waist", "bows politely", "bends over in greeting")),
    (r"\bbends (?:forward|over|down)\b", (
        "folds forward at the waist", "stoops", "leans over", "bows down", "bends at the hips",
    )),
    (r"\bjumping jacks\b", ("star jumps", "side-straddle hops")),
    (r"\bjumps up and down\b", ("hops up and down", "bounces up and down", "bounces on the spot")),
    (r"\bjumps up\b", ("leaps up", "springs up", "hops up", "bounds up into the air", "takes off from the ground")),
    (r"\bjumps forward\b", ("leaps ahead", "bounds forward", "makes a leap forward", "hops ahead", "does a long jump")),
    (r"\bjumps\b", ("leaps", "hops", "springs", "makes a jump")),
    (r"\bthrows (?:a|the|an) (?:\w+ )?(?:ball|object)\b", (
        "hurls a ball", "tosses a ball", "pitches a ball", "throws a stone", "flings something away",
        "throws something",
        "hurls an object",
    )),
    (r"\bthrows a (left|right) (jab|hook|uppercut|cross)\b", (
        "hits with a {0} {1}", "does a {0} {1}", "delivers a {0} {1}", "strikes with a {0} {1}", "lands a {0} {1}",
    )),
    (r"\bpunches\b", ("strikes with the fist", "throws punches", "hits out", "boxes")),
    (r"\b(?:shadow ?boxes|boxes)\b", ("spars in the air", "throws punches", "practises boxing", "fights like a boxer")),
    (r"\bkicks (?:a|the) (?:soccer ?)?ball\b", (
        "shoots a ball with the foot", "plays football", "takes a shot at goal", "strikes a ball with the foot",
        "passes a football",
    )),
    (r"\bkicks\b", ("strikes with the foot", "lashes out with the foot", "does a kick", "swings a kick")),
    (r"\braises (?:the |his |her )?(left|right) (?:hand|arm)\b", (
        "puts up the {0} hand", "holds up the {0} hand", "lifts the {0} arm", "sticks up the {0} arm",
        "brings the {0} arm up",
    )),
    (r"\braises both (?:arms|hands)\b", (
        "throws up both arms", "puts both hands up", "lifts the arms", "cheers with both arms up", "holds up both arms",
    )),
    (r"\blifts\b", ("raises", "brings up")),
    (r"\bpicks up\b", ("lifts", "takes", "grabs", "collects")),
    (r"\bdances\b(?! \w*salsa)", ("shows some dance moves", "does a dance", "performs a dance")),
    (r"\bspins\b", ("twirls", "whirls around", "rotates", "pirouettes")),
    (r"\bstumbles\b", ("trips", "loses balance for a moment", "staggers")),
    (r"\bcrawls\b", ("creeps on hands and knees", "goes on all fours", "moves along on hands and knees")),
)  # fmt: skip

_OTHERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\bslowly\b", ("at a slow pace", "without haste", "leisurely", "unhurriedly", "gently")),
    (r"\b(?:quickly|rapidly)\b", ("fast", "swiftly", "briskly", "in a hurry", "speedily", "rapidly")),
    (r"\bbackwards?\b", ("backward", "backwards", "to the back", "in reverse")),
    (r"\bto the (left|right)\b(?! side)", ("to the {0} side", "{0}ward", "towards the {0}", "to one's {0}")),
    (r"\bin place\b", ("on the spot", "without going anywhere", "in place")),
)  # fmt: skip

_PEOPLE = (
    "a person", "someone", "somebody", "the actor", "a young man", "a woman", "a kid", "an athlete", "the character",
    "a human figure", "a child", "the performer", "a pedestrian", "a pupil", "the player",
)  # fmt: skip
_ANYBODY = re.compile(r"^(?:a|the|this|one) (?:person|figure|human|individual)\b|^(?:someone|somebody)\b")
_COMPILED = tuple((re.compile(_VERB + pattern), options) for pattern, options in _VERBS) + tuple(
    (re.compile(pattern), options) for pattern, options in _OTHERS
)


def reword(caption: str, random: np.random.Generator) -> str | None:
    """``caption`` with one or two of its words for motions, and perhaps the person, said differently; None where the
    thesaurus knows none of them."""
    found = [(match, options) for pattern, options in _COMPILED if (match := pattern.search(caption))]
    if not found:
        return None
    # the first match of the table is the most specific one for its verb; a second one may not overlap with it
    chosen = [found[0]]
    rest = [
        (m, o) for m, o in found[1:] if m.start() >= chosen[0][0].end() or m.end() <= chosen[0][0].start()
    ]
    if rest and random.random() < 0.5:
        chosen.append(rest[int(random.integers(len(rest)))])
    for match, options in sorted(chosen, key=lambda pair: -pair[0].start()):
        words = _pick(options, random).format(*(match.groups(default="")))
        caption = caption[: match.start()] + words + caption[match.end() :]
    if random.random() < 0.5:
        caption = _ANYBODY.sub(_pick(_PEOPLE, random), caption)
    return caption


def reworded(captions: Sequence[str], most: int, random: np.random.Generator) -> list[str]:
    """Up to ``most`` variants of sentences drawn from ``captions``."""
    order = random.permutation(len(captions))[: 2 * most]
    made = [reword(captions[i], random) for i in order]
    return list(dict.fromkeys(filter(None, made)))[:most]


def _pick(options: Sequence[str], random: np.random.Generator) -> str:
    return options[int(random.integers(len(options)))]
