# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the body off the shape of a skeleton when its names say nothing, in any language.

The mirror plane gives two halves; of the pairs of mirrored limbs, the legs point away from the trunk and the arms
hang at its other end. Along a limb, joints are where its two long bones are of like length; what lies between, as
twist bones do, is skipped. Left is told from right by the toes, which point to the front.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from . import mirror
from .limbs import Limb, arm_joints, leg_joints
from .matching import Parents
from .posture import Array, Rest

TITLE = "Read off its shape"

_DOWN = -0.55
"""Cosine between legs and trunk above which they do not make a standing body."""

_ALONE = 0.035
"""Share of the skeleton's size within which a bone of both sides has its mirror image."""

_RIVAL = 0.35
"""Length of a second pair of limbs at the same place, over that of the arms, from which on it could be the arms."""

_STACKED = 2
"""Bones at the very place of a knee and an elbow above which a rig is a control rig with layers of chains."""


@dataclass
class Shape:
    """What the shape says.

    Attributes
    ----------
    bones : joint -> bone; empty when no body was found.
    problems : sentences; a map with problems must not be used unasked.
    """

    bones: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def sure(self) -> bool:
        """Whether the map may be used without asking."""
        return bool(self.bones) and not self.problems


class Tree:
    """An armature as arrays: heads and tails (n, 3), parents, children, side of every bone."""

    def __init__(self, parents: Parents, rest: Rest) -> None:
        self.names = [bone for bone in parents if bone in rest and np.isfinite(rest[bone]).all()]
        index = {bone: i for i, bone in enumerate(self.names)}
        n = len(self.names)
        ends = np.array([rest[bone] for bone in self.names], dtype=float).reshape(n, 2, 3)
        self.heads, self.tails = ends[:, 0], ends[:, 1]
        self.parent = [index.get(parents[bone] or "", -1) for bone in self.names]
        self.children: list[list[int]] = [[] for _ in range(n + 1)]
        for i, above in enumerate(self.parent):
            self.children[above].append(i)  # the roots are the last list
        self.order: list[int] = []
        stack = list(reversed(self.children[n]))
        while stack:
            bone = stack.pop()
            self.order.append(bone)
            stack += reversed(self.children[bone])
        self.counts = np.ones(n, dtype=int)
        for bone in reversed(self.order):
            if self.parent[bone] >= 0:
                self.counts[self.parent[bone]] += self.counts[bone]
        self.extent = mirror.size(self.heads) if n else 0.0
        self.plane = mirror.find(self.heads, self.children, self.counts) if n else None
        self.reach = np.zeros(n)
        self.side = np.zeros(n, dtype=int)
        if self.plane is not None:
            self._prune()
            for bone in reversed(self.order):
                above = self.parent[bone]
                if above >= 0:
                    step = float(np.linalg.norm(self.heads[bone] - self.heads[above]))
                    self.reach[above] = max(self.reach[above], self.reach[bone] + step)
            self._split()

    def _prune(self) -> None:
        """Leave out what is on one side only, such as a sword in a hand, and all that hangs from it."""
        assert self.plane is not None
        images = self.plane.reflect(self.heads)
        gone: set[int] = set()
        for bone in self.order:
            if (
                self.parent[bone] in gone
                or float(np.linalg.norm(self.heads - images[bone], axis=-1).min()) > _ALONE * self.extent
            ):
                gone.add(bone)
        # never so much that a limb is lost because the plane is a little off
        if len(gone) <= 0.3 * len(self.order):
            self.order = [bone for bone in self.order if bone not in gone]
            self.children = [[child for child in below if child not in gone] for below in self.children]

    def _split(self) -> None:
        """A bone is on a side when all that hangs from it is."""
        assert self.plane is not None
        away = self.plane.distance(self.heads) / self.extent
        low, high = away.copy(), away.copy()
        for bone in reversed(self.order):
            above = self.parent[bone]
            if above >= 0:
                low[above], high[above] = min(low[above], low[bone]), max(high[above], high[bone])
        edge = mirror.CLOSE / 2
        self.side[(low > -edge) & (high > edge)] = 1
        self.side[(high < edge) & (low < -edge)] = -1

    def path_up(self, bone: int) -> list[int]:
        """The bone and all above it."""
        found = []
        while bone >= 0:
            found.append(bone)
            bone = self.parent[bone]
        return found

    def longest(self, bone: int) -> list[int]:
        """Down from a bone along the longest way."""
        path = [bone]
        while self.children[path[-1]]:
            here = self.heads[path[-1]]
            path.append(
                max(
                    self.children[path[-1]],
                    key=lambda child: self.reach[child] + float(np.linalg.norm(self.heads[child] - here)),
                )
            )
        return path


@dataclass(frozen=True)
class Pair:
    """Two mirrored limbs: positive side, negative side, and the bones between the halves that they hang from."""

    limbs: tuple[Limb, Limb]
    hangs_from: tuple[int, int]

    @property
    def root(self) -> Array:
        """(3,) middle between both beginnings."""
        return (self.limbs[0].points[0] + self.limbs[1].points[0]) / 2

    @property
    def tip(self) -> Array:
        """(3,) middle between both ends."""
        return (self.limbs[0].points[-1] + self.limbs[1].points[-1]) / 2

    @property
    def length(self) -> float:
        """Length of the shorter one."""
        return min(limb.length for limb in self.limbs)


def read(parents: Parents, rest: Rest) -> Shape:
    """Joint -> bone by positions and parents alone; says what it could not find."""
    tree = Tree(parents, rest)
    if tree.plane is None:
        return Shape(problems=["there are no two halves that mirror each other."])
    pairs = _pairs(tree)
    if not pairs:
        return Shape(problems=["there are no mirrored limbs of three bones."])
    legs, arms = _legs_and_arms(tree, pairs)
    if legs is None or arms is None:
        return Shape(problems=[_why_not(tree, pairs)])
    shape = _joints(tree, legs, arms)
    rival = _rival(tree, pairs, legs, arms)
    if rival is not None and shape.bones:
        first, second = (tree.names[pair.limbs[0].bones[0]] for pair in (arms, rival))
        shape.problems.append(f"both '{first}' and '{second}' begin limbs that could be its arms.")
    return shape


def _pairs(tree: Tree) -> list[Pair]:
    """Mirrored limbs that hang from the bones between the halves."""
    assert tree.plane is not None
    roots: dict[int, list[int]] = {1: [], -1: []}
    for bone in tree.order:
        above = tree.parent[bone]
        if tree.side[bone] and (above < 0 or tree.side[above] == 0):
            roots[int(tree.side[bone])].append(bone)
    found = []
    free = set(roots[-1])
    for bone in sorted(roots[1], key=lambda one: -tree.reach[one]):
        path = tree.longest(bone)
        if tree.reach[bone] < 0.05 * tree.extent or len(path) < 3 or tree.parent[bone] < 0:
            continue
        images = tree.plane.reflect(tree.heads[[bone, path[-1]]])
        best, gap = -1, 0.05 * tree.extent
        for other in free:
            end = tree.longest(other)[-1]
            apart = float(np.abs(tree.heads[[other, end]] - images).max())
            if apart < gap and tree.parent[other] >= 0:
                best, gap = other, apart
        if best >= 0:
            free.discard(best)
            limbs = (Limb.of(tree, path), Limb.of(tree, tree.longest(best)))
            if min(len(limb.points) for limb in limbs) >= 3:
                found.append(Pair(limbs, (tree.parent[bone], tree.parent[best])))
    return found


def _legs_and_arms(tree: Tree, pairs: list[Pair]) -> tuple[Pair | None, Pair | None]:
    """The two pairs that make the best body: legs that reach far down, arms that reach far out."""
    assert tree.plane is not None
    best: tuple[Pair | None, Pair | None] = (None, None)
    best_score = 0.0
    for legs in pairs:
        for arms in pairs:
            if arms is legs or not 0.25 < arms.length / legs.length < 2.5:
                continue
            trunk = arms.root - legs.root
            height = float(np.linalg.norm(trunk))
            if height < 0.1 * legs.length:
                continue
            down = legs.tip - legs.root
            depth = float(down @ -trunk) / height
            if float(down @ trunk) > _DOWN * height * float(np.linalg.norm(down)):
                continue
            out = float(np.abs(tree.plane.distance(arms.limbs[0].points)).max())
            score = depth + out + 0.3 * arms.length + 1.5 * legs.length * arms.limbs[0].has_hand
            if score > best_score:
                best, best_score = (legs, arms), score
    return best


def _rival(tree: Tree, pairs: list[Pair], legs: Pair, arms: Pair) -> Pair | None:
    """Another pair that could be the arms: wings, say, or a second pair of arms. Hair hangs higher up."""
    for pair in pairs:
        if pair in (legs, arms) or pair.length < _RIVAL * arms.length:
            continue
        if arms.limbs[0].has_hand and not pair.limbs[0].has_hand:
            continue
        same_place = pair.hangs_from[0] == arms.hangs_from[0]
        below = pair.hangs_from[0] in tree.path_up(arms.hangs_from[0]) and pair.hangs_from[
            0
        ] not in tree.path_up(legs.hangs_from[0])
        if same_place or below:
            return pair
    return None


def _why_not(tree: Tree, pairs: list[Pair]) -> str:
    longest = sorted(pairs, key=lambda pair: -pair.length)
    for i, first in enumerate(longest):
        for second in longest[i + 1 :]:
            a, b = first.tip - first.root, second.tip - second.root
            lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
            between = second.root - first.root
            gap = float(np.linalg.norm(between))
            if min(lengths) < 0.5 * max(lengths) or gap < 0.2 * max(lengths):
                continue
            if (
                float(a @ b) > 0.8 * lengths[0] * lengths[1]
                and abs(float(a @ between)) < 0.5 * lengths[0] * gap
            ):
                names = [tree.names[pair.limbs[0].bones[0]] for pair in (first, second)]
                return (
                    f"it stands on four legs ('{names[0]}' and '{names[1]}' point the same way). "
                    "Motions are for bodies on two legs."
                )
    only = tree.names[longest[0].limbs[0].bones[0]]
    if len(longest) == 1:
        return f"there is one pair of mirrored limbs only (at '{only}'), not two legs and two arms."
    return f"none of its mirrored limbs (the longest at '{only}') point away from a trunk as legs do."


def _joints(tree: Tree, legs: Pair, arms: Pair) -> Shape:
    assert tree.plane is not None
    up = arms.root - legs.root
    up /= np.linalg.norm(up)
    found: dict[str, int] = {}
    shape = Shape()
    for half, name in enumerate(("plus", "minus")):  # which of them is the left one is found out below
        leg = leg_joints(legs.limbs[half], tree)
        arm = arm_joints(arms.limbs[half], tree)
        if leg is None or arm is None:
            what = "legs" if leg is None else "arms"
            limb = (legs if leg is None else arms).limbs[half]
            shape.problems.append(
                f"the {what} at '{tree.names[limb.bones[0]]}' have no two long bones of like length."
            )
            return shape
        joints, doubt = arm
        found |= {f"{name}_{part}": bone for part, bone in (*leg.items(), *joints.items())}
        if doubt:
            shape.problems.append(
                f"it cannot be seen whether '{tree.names[joints['shoulder']]}' or another bone of that arm is the "
                "upper arm."
            )
    common = set(tree.path_up(legs.hangs_from[0])) & set(tree.path_up(legs.hangs_from[1]))
    common &= set(tree.path_up(arms.hangs_from[0])) & set(tree.path_up(arms.hangs_from[1]))
    pelvis = next((bone for bone in tree.path_up(legs.hangs_from[0]) if bone in common), None)
    if pelvis is None:
        shape.problems.append("legs and arms hang from no common bone.")
        return shape
    trunk = (
        {"pelvis": pelvis} | _spine(tree, pelvis, arms.hangs_from[0]) | _neck(tree, arms.hangs_from[0], up)
    )
    left = _left_half(tree, found, up)
    sides = ("plus", "minus") if left >= 0 else ("minus", "plus")
    renamed = {
        joint.replace(sides[0], "left").replace(sides[1], "right"): bone for joint, bone in found.items()
    }
    shape.bones = {joint: tree.names[bone] for joint, bone in (trunk | renamed).items()}
    if left == 0:
        shape.problems.append(
            "it has no toes, so its front cannot be told from its back, nor its left from its right."
        )
    stacked = min(_stacked(tree, found["plus_knee"]), _stacked(tree, found["plus_elbow"]))
    if stacked >= _STACKED:
        shape.problems.append(
            f"{stacked} more bones lie where '{tree.names[found['plus_knee']]}' is; "
            "it is a control rig, and which of its chains are the controls cannot be seen."
        )
    return shape


def _spine(tree: Tree, pelvis: int, chest: int) -> dict[str, int]:
    """The bones from the pelvis up to the one that the arms hang from, spread over three joints."""
    chain = []
    for bone in tree.path_up(chest):
        if bone == pelvis:
            break
        chain.append(bone)
    chain.reverse()
    if not chain:
        return {}
    if len(chain) == 1:
        return {"spine3": chain[0]}
    if len(chain) == 2:
        return {"spine1": chain[0], "spine3": chain[1]}
    return {"spine1": chain[0], "spine2": chain[len(chain) // 2], "spine3": chain[-1]}


def _neck(tree: Tree, chest: int, up: Array) -> dict[str, int]:
    """Neck and head: the bones in the middle above the chest; the head carries the face, or ends the chain."""

    assert tree.plane is not None
    away = tree.plane.distance(tree.heads)

    def rises(bone: int, child: int) -> bool:
        step = tree.heads[child] - tree.heads[bone]
        return float(step @ up) > 0.65 * float(np.linalg.norm(step))

    def highest(bone: int) -> int | None:
        above = [child for child in tree.children[bone] if rises(bone, child)]
        middle = [child for child in above if tree.side[child] == 0]
        if not middle:  # a body that is not quite alike on both sides
            middle = [child for child in above if abs(float(away[child])) < 1.5 * mirror.CLOSE * tree.extent]
            middle = middle if len(middle) == 1 else []
        return max(middle, key=lambda child: float(tree.heads[child] @ up) + tree.reach[child], default=None)

    chain: list[int] = []
    bone = highest(chest)
    while bone is not None:
        chain.append(bone)
        if {1, -1} <= {int(tree.side[child]) for child in tree.children[bone]}:  # eyes, ears, hair
            break
        bone = highest(bone)
    if len(chain) >= 3:
        steps = [float(np.linalg.norm(tree.heads[b] - tree.heads[a])) for a, b in pairwise(chain)]
        if not tree.children[chain[-1]] and steps[-1] > 1.25 * steps[-2]:
            chain.pop()  # the crown, which only marks the end
    if not chain:
        return {}
    if len(chain) == 1:
        return {"head": chain[0]}
    return {"neck": chain[0], "head": chain[-1]}


def _left_half(tree: Tree, found: dict[str, int], up: Array) -> int:
    """1 when the plane's positive half is the left one, -1 when the other is, 0 when nothing tells."""
    assert tree.plane is not None
    front = np.zeros(3)
    length = 0.0
    for name in ("plus", "minus"):
        foot = tree.longest(found[f"{name}_ankle"])
        toes = tree.heads[foot[-1]] - tree.heads[foot[0]]
        front += toes
        length += float(np.linalg.norm(toes))
    if length < 0.02 * tree.extent:
        return 0
    along = float(np.cross(up, front) @ tree.plane.normal)
    return int(np.sign(along)) if abs(along) > 0.25 * length else 0


def _stacked(tree: Tree, bone: int) -> int:
    """Bones at the very place of a bone, in chains of their own."""
    near = np.flatnonzero(np.linalg.norm(tree.heads - tree.heads[bone], axis=-1) < 0.003 * tree.extent)
    above = set(tree.path_up(bone))
    return sum(
        1 for other in near if other not in above and tree.parent[other] != bone and tree.children[other]
    )
