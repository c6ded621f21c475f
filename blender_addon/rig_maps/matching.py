# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an armature fits a rig family: names, order of the parents, sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from motion_engine import skeleton

from . import names, posture
from .family import OPTIONAL, REQUIRED, RigFamily
from .posture import Rest

Parents = Mapping[str, str | None]

WEIGHTS = {"required": 0.5, "optional": 0.2, "exact": 0.15, "order": 0.1, "symmetry": 0.05}
"""Shares of the score: joints found of those that must and may be there, names letter by letter, order, symmetry."""

_INNER = frozenset({"knee", "ankle", "foot", "elbow", "wrist"})
_ANY_TRUNK = frozenset({"spine1", "spine2", "spine3"})


@dataclass
class Fit:
    """One family held against one armature.

    Attributes
    ----------
    bones : joint -> bone, those that hang from the right ones.
    exact : joints whose bone has the family's very name.
    misplaced : joint -> bone with the right name that hangs from the wrong one.
    duplicates : joint -> bones that go by the same name.
    score : 0 to 1.
    problems : sentences that forbid to use it unasked.
    """

    family: RigFamily
    bones: dict[str, str]
    exact: set[str]
    misplaced: dict[str, str]
    duplicates: dict[str, list[str]]
    score: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Joints without which nothing can be done, in the skeleton's order."""
        return [joint for joint in skeleton.JOINT_NAMES if joint in REQUIRED and joint not in self.bones]

    @property
    def sure(self) -> bool:
        """Whether the map may be used without asking."""
        return not (self.missing or self.duplicates or self.problems or REQUIRED & self.misplaced.keys())


class Index:
    """The names of an armature's bones, looked at from all sides once."""

    def __init__(self, parents: Parents) -> None:
        self.parents = parents
        self.bare = {bone: names.bare(bone) for bone in parents}
        self.present = set(self.bare.values())
        self._keys = {bone: names.parse(bare).key for bone, bare in self.bare.items()}
        self._stripped: dict[str, tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]] = {}

    def tables(self, family: RigFamily) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
        """Plain name -> bones and canonical key -> bones, without the family's prefix."""
        if family.prefix not in self._stripped:
            plain: dict[str, list[str]] = {}
            keys: dict[tuple[str, str], list[str]] = {}
            for bone, bare in self.bare.items():
                short = family.without_prefix(bare)
                key = self._keys[bone] if short == bare else names.parse(short).key
                plain.setdefault(short, []).append(bone)
                keys.setdefault(key, []).append(bone)
            self._stripped[family.prefix] = plain, keys
        return self._stripped[family.prefix]


def fit(family: RigFamily, index: Index, rest: Rest | None = None) -> Fit | None:
    """Hold a family against an armature; None when a bone says that it is not of this family."""
    if family.needs and not any(name in index.present for name in family.needs):
        return None
    if any(name in index.present for name in family.excludes):
        return None
    named, exact, duplicates = _by_name(family, index)
    bones, misplaced = in_order(named, index.parents, loose=family.kind == "control")
    found = Fit(family, bones, exact & bones.keys(), misplaced, duplicates)
    symmetry = 1.0
    if rest is not None and not found.missing:
        symmetry, problem = posture.check(bones, rest)
        found.problems += [problem] if problem else []
    n_named = len(named) or 1
    shares = {
        "required": len(REQUIRED & bones.keys()) / len(REQUIRED),
        "optional": len(OPTIONAL & bones.keys()) / len(OPTIONAL),
        "exact": len(found.exact) / n_named,
        "order": len(bones) / n_named,
        "symmetry": symmetry,
    }
    weight = 1.0 if bones else 0.0
    found.score = weight * sum(WEIGHTS[part] * share for part, share in shares.items())
    return found


def _by_name(family: RigFamily, index: Index) -> tuple[dict[str, str], set[str], dict[str, list[str]]]:
    """Joint -> bone by its name alone, the joints named letter by letter, and names that several bones have."""
    plain, keys = index.tables(family)
    named: dict[str, str] = {}
    exact: set[str] = set()
    duplicates: dict[str, list[str]] = {}
    used: set[str] = set()
    for joint, candidates in family.bones.items():
        short = [family.without_prefix(names.bare(name)) for name in candidates]
        ways = [(plain.get(name, []), True) for name in short]
        ways += [(keys.get(names.parse(name).key, []), False) for name in short]
        for bones, letter_by_letter in ways:
            free = [bone for bone in bones if bone not in used]
            if not free:
                continue
            named[joint] = free[0]
            used.add(free[0])
            if letter_by_letter:
                exact.add(joint)
            if len(free) > 1:
                duplicates[joint] = free
            break
    return named, exact, duplicates


def in_order(
    named: Mapping[str, str], parents: Parents, *, loose: bool = False
) -> tuple[dict[str, str], dict[str, str]]:
    """Split joints into those that hang below the right one and those that do not.

    The nearest mapped bone above a joint has to be one of the body's above it; within an arm or a leg the next one.
    With ``loose``, as control rigs have it, a limb, its toes or the head may hang from nothing mapped at all.
    """
    bones: dict[str, str] = {}
    misplaced: dict[str, str] = {}
    joint_of = {bone: joint for joint, bone in named.items()}
    for joint in skeleton.JOINT_NAMES:
        if joint not in named:
            continue
        above = next((joint_of[bone] for bone in ancestors(named[joint], parents) if bone in joint_of), None)
        chain = [other for other in _joints_above(joint) if other in bones]
        part = joint.split("_")[-1]
        if part in _INNER and not (loose and part == "foot" and above is None):
            right = above == (chain[0] if chain else None)
        elif above is None:
            right = not chain or loose
        else:
            right = above in chain or (above in _ANY_TRUNK and joint != "pelvis" and joint not in _ANY_TRUNK)
        if right:
            bones[joint] = named[joint]
        else:
            misplaced[joint] = named[joint]
            del joint_of[named[joint]]
    return bones, misplaced


def ancestors(bone: str, parents: Parents) -> Iterator[str]:
    """The bones above a bone, nearest first."""
    above = parents.get(bone)
    while above is not None:
        yield above
        above = parents.get(above)


def _joints_above(joint: str) -> Iterator[str]:
    index = int(skeleton.PARENTS[skeleton.JOINT[joint]])
    while index >= 0:
        yield skeleton.JOINT_NAMES[index]
        index = int(skeleton.PARENTS[index])


def best_fits(families: Sequence[RigFamily], parents: Parents, rest: Rest | None = None) -> list[Fit]:
    """Every family that is possible at all, the best first; the more specific one wins a tie."""
    index = Index(parents)
    fits = [found for family in families if (found := fit(family, index, rest)) is not None]
    return sorted(fits, key=_goodness, reverse=True)


def _goodness(found: Fit) -> tuple[bool, float, int]:
    # a family that fits worse must not win because it does not see what is wrong with the better one
    return not found.missing, round(found.score, 3), found.family.rank
