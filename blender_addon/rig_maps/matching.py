# SPDX-License-Identifier: GPL-3.0-or-later
"""Match bone names against rig families and check that the tree is a body's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from motion_engine import skeleton

REQUIRED = frozenset(
    {"pelvis"}
    | {f"{side}_{part}" for side in ("left", "right")
       for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")}
)  # fmt: skip
"""Joints without which a motion cannot be put on a rig; the others may be missing."""


@dataclass(frozen=True)
class RigFamily:
    """The naming of one family of rigs.

    Attributes
    ----------
    title : what the user calls it.
    bones : SMPL-22 joint -> names of its bone, as `key` returns them, the likeliest first.
    key : brings a bone's name into the form used in ``bones`` (drops prefixes, case).
    """

    title: str
    bones: dict[str, tuple[str, ...]]
    key: Callable[[str], str] = str.lower


@dataclass(frozen=True)
class Mapping:
    """Which bone is which joint.

    Attributes
    ----------
    family : title of the rig family.
    bones : SMPL-22 joint name -> bone name.
    """

    family: str
    bones: dict[str, str]


class RigError(ValueError):
    """An armature that no rig map fits; the message is for the user."""


def best_match(families: Sequence[RigFamily], parents: dict[str, str | None]) -> Mapping:
    """The family with the most joints in a right order; see `rig_maps.map_bones`."""
    if not parents:
        raise RigError("This armature has no bones.")
    found = [(family, *match(family, parents)) for family in families]
    family, bones, misplaced = max(found, key=lambda candidate: len(candidate[1]))
    missing = [joint for joint in skeleton.JOINT_NAMES if joint in REQUIRED and joint not in bones]
    if not missing:
        return Mapping(family.title, bones)
    if len(bones) < 5:
        known = ", ".join(family.title for family in families)
        example = ", ".join(list(parents)[:3])
        raise RigError(
            f"The bones of this armature ({example} ...) have names of no known rig. Known rigs: {known}."
        )
    raise RigError(_explain(family, missing, misplaced))


def match(family: RigFamily, parents: dict[str, str | None]) -> tuple[dict[str, str], dict[str, str]]:
    """Joint -> bone for every joint of the family that is there and hangs below the right one.

    Returns
    -------
    bones : the joints in order.
    misplaced : joint -> bone of the joints whose name is there but whose parents are not a body's.
    """
    by_key: dict[str, str] = {}
    for bone in parents:
        by_key.setdefault(family.key(bone), bone)
    named = {}
    for joint, names in family.bones.items():
        there = next((by_key[name] for name in names if name in by_key), None)
        if there is not None:
            named[joint] = there
    bones: dict[str, str] = {}
    misplaced: dict[str, str] = {}
    joint_of = {bone: joint for joint, bone in named.items()}
    for joint in skeleton.JOINT_NAMES:
        if joint not in named:
            continue
        above = next((joint_of[bone] for bone in _ancestors(named[joint], parents) if bone in joint_of), None)
        expected = next((other for other in _joints_above(joint) if other in bones), None)
        if above == expected:
            bones[joint] = named[joint]
        else:
            misplaced[joint] = named[joint]
            del joint_of[named[joint]]
    return bones, misplaced


def _ancestors(bone: str, parents: dict[str, str | None]) -> Iterator[str]:
    above = parents[bone]
    while above is not None:
        yield above
        above = parents[above]


def _joints_above(joint: str) -> Iterator[str]:
    index = int(skeleton.PARENTS[skeleton.JOINT[joint]])
    while index >= 0:
        yield skeleton.JOINT_NAMES[index]
        index = int(skeleton.PARENTS[index])


def _explain(family: RigFamily, missing: list[str], misplaced: dict[str, str]) -> str:
    legs = [joint for joint in missing if joint.split("_")[-1] in {"hip", "knee", "ankle"}]
    arms = [joint for joint in missing if joint.split("_")[-1] in {"shoulder", "elbow", "wrist"}]
    if len(legs) == 6:
        what = "has no legs"
    elif len(arms) == 6:
        what = "has no arms"
    else:
        what = "lacks the " + ", ".join(joint.replace("_", " ") for joint in missing)
    names = [misplaced.get(joint, family.bones[joint][0]) for joint in missing[:4]]
    reason = "bones that hang from the wrong parent" if misplaced else "bones looked for"
    return f"This looks like a {family.title} rig that {what} ({reason}: {', '.join(names)})."
