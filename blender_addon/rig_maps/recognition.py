# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rig is this, and is it sure: the families first, the shape of the skeleton when names say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import explain, posture, shape
from .family import REQUIRED, Hints, RigFamily
from .matching import Fit, Parents, best_fits
from .posture import Rest

KNOWN = 7
"""Required joints found by name below which the names count as saying nothing."""


@dataclass(frozen=True)
class Mapping:
    """Which bone is which joint.

    Attributes
    ----------
    family : title of the rig family.
    bones : SMPL-22 joint name -> bone name.
    kind : "control" when the bones are an animator's controls, else "deform".
    hints : how to drive a control rig, only what this rig has.
    """

    family: str
    bones: dict[str, str]
    kind: str = "deform"
    hints: Hints | None = None


@dataclass(frozen=True)
class Recognition:
    """What a rig is thought to be.

    Attributes
    ----------
    mapping : the best guess, or None when there is none.
    score : 0 to 1.
    sure : whether it may be used without asking.
    reasons : sentences for the guess.
    problems : sentences against it; they name bones.
    ranking : the best families with their scores.
    """

    mapping: Mapping | None
    score: float
    sure: bool
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    ranking: tuple[tuple[str, float], ...] = ()

    @property
    def sentence(self) -> str:
        """All of it for the user."""
        if self.sure and self.mapping is not None:
            return f"This is a {self.mapping.family} rig."
        return " ".join(self.problems)


class RigError(ValueError):
    """An armature that no rig map fits for sure; the message is for the user.

    Attributes
    ----------
    recognition : the guess and what speaks against it, or None.
    """

    def __init__(self, message: str, recognition: Recognition | None = None) -> None:
        super().__init__(message)
        self.recognition = recognition


def recognize(families: Sequence[RigFamily], parents: Parents, rest: Rest | None = None) -> Recognition:
    """The best guess of what a rig is, and whether it is sure.

    Parameters
    ----------
    parents : bone -> its parent or None.
    rest : bone -> (2, 3) head and tail at rest in a frame whose +Z is up; without it names decide alone.
    """
    if not parents:
        return Recognition(None, 0.0, False, (), ("This armature has no bones.",))
    fits = best_fits(families, parents, rest)
    best = fits[0]
    ranking = tuple((fit.family.title, round(fit.score, 3)) for fit in fits[:5])
    animal = explain.quadruped(parents)
    if animal is not None:
        return Recognition(None, 0.0, False, (), (animal,), ranking)
    if best.sure:
        return Recognition(_mapping(best, parents), best.score, True, _reasons(best), (), ranking)
    known = len(REQUIRED & (best.bones.keys() | best.misplaced.keys()))
    read = shape.read(parents, rest) if rest is not None and not best.problems else None
    alike = read is not None and rest is not None and not posture.lopsided(read.bones, rest)
    if read is not None and read.sure and alike and _agree(best, read, known):
        score = 0.75  # a shape is never as good as a name
        reasons = (f"{len(read.bones)} joints read off the shape of the skeleton",)
        return Recognition(Mapping(shape.TITLE, read.bones), score, True, reasons, (), ranking)
    if known < KNOWN and not best.problems:
        titles = list(dict.fromkeys(family.title.split(" (")[0] for family in families if family.rank >= 0))
        why = " ".join(read.problems) if read is not None else None
        guess = Mapping(shape.TITLE, read.bones) if read is not None and read.bones else None
        return Recognition(guess, 0.4, False, (), (explain.unknown(parents, titles, why),), ranking)
    problems = list(best.problems)
    if best.missing:
        problems.append(explain.missing(best))
    if best.duplicates:
        problems.append(explain.duplicates(best))
    return Recognition(_mapping(best, parents), best.score, False, _reasons(best), tuple(problems), ranking)


def _agree(best: Fit, read: shape.Shape, known: int) -> bool:
    """Whether names that say something say the same as the shape; duplicates and wrong parents are no such thing."""
    if known < KNOWN:
        return True
    if best.duplicates or best.misplaced:
        return False
    return all(read.bones.get(joint) == bone for joint, bone in best.bones.items() if joint in REQUIRED)


def _mapping(fit: Fit, parents: Parents) -> Mapping:
    hints = fit.family.hints.on(parents.keys()) if fit.family.hints is not None else None
    return Mapping(fit.family.title, fit.bones, fit.family.kind, hints)


def _reasons(fit: Fit) -> tuple[str, ...]:
    found = len(REQUIRED & fit.bones.keys())
    lines = [
        f"{found} of {len(REQUIRED)} joints that must be there, {len(fit.bones) - found} of 9 others",
        f"{len(fit.exact)} of {len(fit.bones)} names letter by letter",
    ]
    if fit.misplaced:
        lines.append(f"hangs from the wrong bone: {explain.some(fit.misplaced.values())}")
    return tuple(lines)
