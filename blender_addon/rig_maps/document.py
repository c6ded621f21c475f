# SPDX-License-Identifier: GPL-3.0-or-later
"""A map as data, to be corrected, shared and remembered: to JSON and back, checked against the rig it is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from motion_engine import skeleton

from . import names
from .explain import some
from .families import FAMILIES
from .family import REQUIRED
from .matching import Parents, ancestors
from .recognition import Mapping

SCHEMA = 1
"""Version of the layout; a newer one is refused, older ones will be read."""


class MapError(ValueError):
    """A map that cannot be read or does not fit the rig; the message names the bones."""


def fingerprint(bones: Iterable[str]) -> str:
    """Sixteen hexadecimal digits for a rig's bone names, whatever their order and namespaces."""
    plain = sorted(names.bare(bone) for bone in bones)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:16]


def dumps(mapping: Mapping, bones: Iterable[str]) -> str:
    """JSON of a map and of the fingerprint of the rig it was made for."""
    data = {
        "schema": SCHEMA,
        "family": mapping.family,
        "kind": mapping.kind,
        "rig": fingerprint(bones),
        "joints": {joint: mapping.bones[joint] for joint in skeleton.JOINT_NAMES if joint in mapping.bones},
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def loads(text: str, parents: Parents) -> Mapping:
    """The map in a JSON text, for an armature with these bones.

    A map made for the same rig under another namespace fits too.

    Raises
    ------
    MapError
        If it is no map, or names joints or bones that are not there, a bone twice, or bones in a wrong order.
    """
    data = _parsed(text)
    if not parents:
        raise MapError("This armature has no bones.")
    joints = {joint: bone for joint, bone in data["joints"].items() if bone}
    strange = [joint for joint in joints if joint not in skeleton.JOINT]
    if strange:
        raise MapError(f"This rig map names joints that do not exist: {some(strange)}.")
    bones = _found(joints, parents)
    check(bones, parents)
    family = next((one for one in FAMILIES if one.title == data["family"]), None)
    hints = family.hints.on(parents.keys()) if family is not None and family.hints is not None else None
    ordered = {joint: bones[joint] for joint in skeleton.JOINT_NAMES if joint in bones}
    return Mapping(data["family"], ordered, data["kind"], hints)


def check(bones: dict[str, str], parents: Parents) -> None:
    """Make sure that a corrected map can be used on an armature.

    Raises
    ------
    MapError
        Naming the bones that are missing, there twice or in a wrong order.
    """
    gone = {joint: bone for joint, bone in bones.items() if bone not in parents}
    if gone:
        listed = ", ".join(f"'{bone}' ({joint.replace('_', ' ')})" for joint, bone in list(gone.items())[:4])
        more = f" and {len(gone) - 4} more" if len(gone) > 4 else ""
        raise MapError(f"This armature has no bones {listed}{more} that the rig map names.")
    missing = [
        joint.replace("_", " ") for joint in skeleton.JOINT_NAMES if joint in REQUIRED and joint not in bones
    ]
    if missing:
        raise MapError(f"This rig map has no bone for: {', '.join(missing)}.")
    users: dict[str, list[str]] = {}
    for joint, bone in bones.items():
        users.setdefault(bone, []).append(joint.replace("_", " "))
    twice = [f"'{bone}' ({' and '.join(joints)})" for bone, joints in users.items() if len(joints) > 1]
    if twice:
        raise MapError(f"This rig map uses a bone twice: {', '.join(twice[:4])}.")
    joint_of = {bone: joint for joint, bone in bones.items()}
    for joint, bone in bones.items():
        for above in ancestors(bone, parents):
            other = joint_of.get(above)
            if other is not None and _is_above(joint, other):
                raise MapError(
                    f"'{bone}' ({joint.replace('_', ' ')}) hangs from '{above}' ({other.replace('_', ' ')}); "
                    "in a body it is the other way round."
                )


def _is_above(joint: str, other: str) -> bool:
    """Whether ``joint`` is one of those that carry ``other`` in a body."""
    index = int(skeleton.PARENTS[skeleton.JOINT[other]])
    while index >= 0:
        if skeleton.JOINT_NAMES[index] == joint:
            return True
        index = int(skeleton.PARENTS[index])
    return False


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise MapError(f"This is no rig map: line {error.lineno} is not JSON ({error.msg}).") from None
    if not isinstance(data, dict) or not isinstance(data.get("joints"), dict) or "schema" not in data:
        raise MapError("This is no rig map: it needs 'schema', 'family' and 'joints'.")
    if not isinstance(data["schema"], int) or data["schema"] < 1:
        raise MapError(f"This is no rig map: 'schema' is {data['schema']!r}.")
    if data["schema"] > SCHEMA:
        raise MapError(
            f"This rig map is of a newer version ({data['schema']}); update the add-on to read it."
        )
    family, kind = data.get("family", "Made by hand"), data.get("kind", "deform")
    if not isinstance(family, str) or kind not in ("deform", "control"):
        raise MapError("This is no rig map: 'family' has to be text and 'kind' either 'deform' or 'control'.")
    wrong = [
        joint for joint, bone in data["joints"].items() if bone is not None and not isinstance(bone, str)
    ]
    if wrong:
        raise MapError(f"In this rig map no bone's name stands for: {some(wrong)}.")
    return {**data, "family": family, "kind": kind}


def _found(joints: dict[str, str], parents: Parents) -> dict[str, str]:
    """The same joints with the armature's own names, when only namespaces differ."""
    if all(bone in parents for bone in joints.values()):
        return joints
    plain: dict[str, list[str]] = {}
    for bone in parents:
        plain.setdefault(names.bare(bone), []).append(bone)
    found = {}
    for joint, bone in joints.items():
        same = plain.get(names.bare(bone), [])
        found[joint] = bone if bone in parents or len(same) != 1 else same[0]
    return found
