# SPDX-License-Identifier: GPL-3.0-or-later
"""What on a rig would keep keys from having their effect: constraints, locked channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import bpy

LIMITS = frozenset({"LIMIT_ROTATION", "LIMIT_LOCATION", "LIMIT_SCALE", "LIMIT_DISTANCE", "FLOOR"})
"""Constraints that hold a pose within bounds that its rigger wanted; the others put another pose in its place."""

HARMLESS = frozenset({"MAINTAIN_VOLUME", "COPY_SCALE", "SHRINKWRAP", "TRANSFORM_CACHE"})

_NAMED = 3


def overriding(target: bpy.types.Object, bones: Collection[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Constraints that act on some of the named bones.

    Returns
    -------
    muted : (bone, constraint) of those that would put another pose in place of the keys: their influence is to be
        keyed to 0 in the new Action, which leaves the rig itself as it is.
    limited : names of bones that are held within bounds.
    """
    muted, limited = [], []
    for bone in target.pose.bones:
        for constraint in bone.constraints:
            if constraint.mute or constraint.influence == 0.0 or constraint.type in HARMLESS:
                continue
            if not any(name in bones for name in _moved(bone, constraint)):
                continue
            if constraint.type in LIMITS:
                limited.append(bone.name)
            else:
                muted.append((bone.name, constraint.name))
    return muted, list(dict.fromkeys(limited))


def _moved(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[str]:
    """Names of the bones that a constraint of ``bone`` moves."""
    if constraint.type not in {"IK", "SPLINE_IK"}:
        return [bone.name]
    chain = [bone, *bone.parent_recursive]
    if constraint.type == "IK" and not constraint.use_tail:
        chain = chain[1:]
    count = constraint.chain_count
    return [link.name for link in (chain[:count] if count > 0 else chain)]


def notes(muted: Iterable[tuple[str, str]], limited: list[str], locked: list[str]) -> tuple[str, ...]:
    """One sentence for each kind of obstacle that was met."""
    sentences = []
    switched = [f"'{constraint}' on {bone}" for bone, constraint in muted]
    if switched:
        sentences.append(f"The action switches off what would override it: {listed(switched)}.")
    if limited:
        sentences.append(f"Limits hold back {listed(limited)}.")
    if locked:
        sentences.append(f"Locked channels were not keyed: {listed(locked)}.")
    return tuple(sentences)


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
