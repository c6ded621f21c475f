# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences for armatures that fit no map, naming the bones that are missing or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import names
from .matching import Fit, Parents

_LEG, _ARM = {"hip", "knee", "ankle"}, {"shoulder", "elbow", "wrist"}
_FRONT = {"front", "fore", "hind", "rear", "back"}
_PAWS = {"leg", "legs", "thigh", "shin", "foot", "feet", "paw", "hoof", "foreleg", "hindleg", "femur", "hock"}


def some(bones: Iterable[str], limit: int = 4) -> str:
    """``'A', 'B' and 3 more``."""
    listed = list(bones)
    text = ", ".join(f"'{bone}'" for bone in listed[:limit])
    return text if len(listed) <= limit else f"{text} and {len(listed) - limit} more"


def front_legs(parents: Parents) -> list[str]:
    """Bones named after the front or the hind legs of an animal."""
    found = []
    for bone in parents:
        tokens = set(names.parse(bone).tokens)
        whole = {
            "foreleg",
            "hindleg",
            "frontleg",
            "backleg",
            "forepaw",
            "hindpaw",
            "frontpaw",
            "paw",
            "hoof",
        } & tokens
        if whole or (_FRONT & tokens and _PAWS & tokens):
            found.append(bone)
    return found


def quadruped(parents: Parents) -> str | None:
    """A sentence when the names are those of an animal on four legs."""
    found = front_legs(parents)
    sides = {names.parse(bone).side for bone in found}
    if len(found) < 2 or not {"left", "right"} <= sides:
        return None
    return f"This armature stands on four legs ({some(found)}). Motions are for bodies with two legs and two arms."


def duplicates(fit: Fit) -> str:
    """Which bones go by the same name."""
    pairs = "; ".join(
        f"{' and '.join(repr(bone) for bone in bones[:3])} for the {joint.replace('_', ' ')}"
        for joint, bones in list(fit.duplicates.items())[:3]
    )
    return (
        f"Several bones of this {fit.family.title} rig go by the same name: {pairs}. "
        "Rename or remove those that do not carry the body."
    )


def missing(fit: Fit) -> str:
    """What a family's rig lacks, or where it hangs wrongly."""
    lost = fit.missing
    family = fit.family
    arms = [joint for joint in lost if joint.split("_")[-1] in _ARM]
    legs = [joint for joint in lost if joint.split("_")[-1] in _LEG]
    one_arm = _one_side(arms, _ARM)
    one_leg = _one_side(legs, _LEG)
    if len(legs) == 6 and len(arms) == 6:
        what = "has neither arms nor legs"
    elif len(legs) == 6:
        what = "has no legs"
    elif len(arms) == 6:
        what = "has no arms"
    elif one_arm and len(lost) == 3:
        what = f"has only one arm, the {one_arm} one is missing"
    elif one_leg and len(lost) == 3:
        what = f"has only one leg, the {one_leg} one is missing"
    else:
        what = "lacks the " + ", ".join(joint.replace("_", " ") for joint in lost)
    shown = [fit.misplaced.get(joint, family.bones[joint][0]) for joint in lost[:4] if joint in family.bones]
    reason = "bones that hang from the wrong parent" if fit.misplaced else "bones looked for"
    return f"This looks like a {family.title} rig that {what} ({reason}: {', '.join(shown)})."


def _one_side(joints: Sequence[str], parts: set[str]) -> str | None:
    for side in ("left", "right"):
        if {f"{side}_{part}" for part in parts} == set(joints):
            return side
    return None


def unknown(parents: Parents, titles: Sequence[str], shape: str | None) -> str:
    """No names, and what the shape says."""
    example = ", ".join(list(parents)[:3])
    why = f" Their shape does not tell either: {shape}" if shape else ""
    return (
        f"The bones of this armature ({example} ...) have names of no known rig.{why} "
        f"Known rigs: {', '.join(titles)}."
    )
