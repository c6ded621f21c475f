# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a family of rigs: the true names of its bones, and how a control rig is driven."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from motion_engine import skeleton

SIDES = ("left", "right")
PARTS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
"""Joints that exist on both sides."""

REQUIRED = frozenset(
    {"pelvis"}
    | {f"{side}_{part}" for side in SIDES for part in PARTS if part not in {"foot", "collar"}}
)  # fmt: skip
"""Joints without which a motion cannot be put on a rig; the others may be missing."""

OPTIONAL = frozenset(skeleton.JOINT_NAMES) - REQUIRED

Names = str | tuple[str, ...]


@lru_cache(maxsize=64)
def _beginning(prefix: str) -> re.Pattern[str]:
    return re.compile(prefix)


@dataclass(frozen=True)
class Switch:
    """A custom property that chooses between FK and IK for one limb.

    Attributes
    ----------
    limb : "left_arm", "right_arm", "left_leg" or "right_leg".
    bone, prop : the pose bone that holds the property, and its name.
    fk, ik : its values.
    """

    limb: str
    bone: str
    prop: str
    fk: float
    ik: float


@dataclass(frozen=True)
class Setting:
    """A property that has to have a certain value while controls are keyed, where the rig has it.

    Attributes
    ----------
    bone, prop : the pose bone, and the name of its custom property; with a dot before it, of one of Blender's own.
    value : what it is set to.
    controls : "FK" or "IK" when it matters to these controls only, else empty.
    """

    bone: str
    prop: str
    value: float
    controls: Literal["", "FK", "IK"] = "IK"


@dataclass(frozen=True)
class Hints:
    """How to drive a control rig, as plain data; names may be of several versions of the rig.

    Attributes
    ----------
    switches : what to key so that the FK controls have an effect.
    ik : joint -> its IK control; elbows and knees name the pole.
    settings : what else to key, so that IK limbs do what the FK limbs did: no stretch, poles on, parents still.
    root : control that carries the whole character.
    ignore : beginnings of the names of bones that are no controls.
    note : what else a solver has to know.
    """

    switches: tuple[Switch, ...] = ()
    ik: dict[str, tuple[str, ...]] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    root: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    note: str = ""

    def on(self, bones: Collection[str]) -> Hints:
        """Only what this rig has."""
        return Hints(
            tuple(switch for switch in self.switches if switch.bone in bones),
            {
                joint: found
                for joint, names in self.ik.items()
                if (found := tuple(name for name in names if name in bones))
            },
            tuple(setting for setting in self.settings if setting.bone in bones),
            tuple(name for name in self.root if name in bones),
            self.ignore,
            self.note,
        )


@dataclass(frozen=True)
class RigFamily:
    """The naming of one family of rigs.

    Attributes
    ----------
    title : what the user calls it.
    bones : SMPL-22 joint -> true names of its bone, the likeliest first.
    kind : "control" when the bones are the animator's controls, else "deform".
    prefix : regular expression of what may stand before the names or be missing.
    needs : names of which a rig of the family has at least one; nothing is asked when empty.
    excludes : names that no rig of the family has.
    helpers : regular expression of bones that carry no joint (twists, fingers, IK).
    rank : the more specific family wins a tie.
    hints : how to drive a control rig.
    """

    title: str
    bones: dict[str, tuple[str, ...]]
    kind: Literal["deform", "control"] = "deform"
    prefix: str = ""
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    helpers: str = r"(?i)twist|roll|finger|thumb|index|middle|ring|pinky|little|(^|[_.\-\s])ik|_end$"
    rank: int = 0
    hints: Hints | None = None

    def without_prefix(self, name: str) -> str:
        """The name with the family's prefix taken away, if it is there."""
        found = _beginning(self.prefix).match(name) if self.prefix else None
        return name[found.end() :] if found is not None else name

    def is_helper(self, name: str) -> bool:
        """Whether a bone of this name carries no joint in this family."""
        return re.search(self.helpers, name) is not None


def body(sides: tuple[str, str] = ("Left", "Right"), **names: Names) -> dict[str, tuple[str, ...]]:
    """Joint -> names from one line a part; ``{}`` in a name of a sided part stands for the side.

    >>> body(("l", "r"), pelvis="pelvis", hip="thigh_{}")["right_hip"]
    ('thigh_r',)
    """
    bones = {}
    for part, given in names.items():
        found = (given,) if isinstance(given, str) else given
        if part in PARTS:
            for joint_side, side in zip(SIDES, sides, strict=True):
                bones[f"{joint_side}_{part}"] = tuple(name.replace("{}", side) for name in found)
        else:
            bones[part] = found
    return {joint: bones[joint] for joint in skeleton.JOINT_NAMES if joint in bones}


def sided(pattern: dict[str, Names], sides: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """The same for IK controls: part -> names to joint -> names."""
    return body(sides, **pattern)


def switches(
    sides: tuple[str, str], *, arm: str, leg: str, arm_prop: str, leg_prop: str, fk: float, ik: float
) -> tuple[Switch, ...]:
    """The four limbs' switches; ``{}`` stands for the side in bones' and properties' names."""
    found = []
    for joint_side, side in zip(SIDES, sides, strict=True):
        for limb, bone, prop in (("arm", arm, arm_prop), ("leg", leg, leg_prop)):
            found.append(
                Switch(f"{joint_side}_{limb}", bone.replace("{}", side), prop.replace("{}", side), fk, ik)
            )
    return tuple(found)


def settings(sides: tuple[str, str], bone: str, **values: float) -> tuple[Setting, ...]:
    """Both sides' settings for IK controls; ``{}`` in the bone's name stands for the side."""
    return tuple(
        Setting(bone.replace("{}", side), prop, value) for side in sides for prop, value in values.items()
    )
