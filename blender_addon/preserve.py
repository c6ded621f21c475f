# SPDX-License-Identifier: GPL-3.0-or-later
"""Put an armature, and what moves with it, back as it was after Blender has evaluated it elsewhere.

Blender writes the values that it animates in one scene through to the objects themselves, which are in others too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

_CHANNELS = (
    "location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale",
)  # fmt: skip


def needed_by(target: bpy.types.Object) -> list[bpy.types.Object]:
    """The armature and all objects that move with its evaluation: parents, aims of constraints and of drivers."""
    found: list[bpy.types.Object] = []
    open_ends: list[Any] = [target]
    while open_ends:
        item = open_ends.pop()
        if not isinstance(item, bpy.types.Object) or item in found:
            continue
        found.append(item)
        open_ends.append(item.parent)
        for constraint in (constraint for holder in _holders(item) for constraint in holder.constraints):
            open_ends += [getattr(constraint, "target", None), getattr(constraint, "pole_target", None)]
            open_ends += [aim.target for aim in getattr(constraint, "targets", ())]
        if item.animation_data is not None:
            for driver in item.animation_data.drivers:
                open_ends += [aim.id for variable in driver.driver.variables for aim in variable.targets]
    return found


@contextmanager
def as_they_were(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Channels and numbers among the custom properties of objects and their bones are put back afterwards."""
    kept = [(holder, _channels(holder), _numbers(holder)) for item in objects for holder in _holders(item)]
    try:
        yield
    finally:
        # only what differs, so that nothing is marked as changed for nothing
        for holder, channels, numbers in kept:
            for name, value in channels.items():
                if tuple(getattr(holder, name)) != value:
                    setattr(holder, name, value)
            for name, number in numbers.items():
                if holder.get(name) != number:
                    holder[name] = number


def _holders(item: bpy.types.Object) -> list[Any]:
    """An object and its pose bones."""
    return [item, *(item.pose.bones if item.pose is not None else ())]


def _channels(holder: Any) -> dict[str, tuple[float, ...]]:
    return {name: tuple(getattr(holder, name)) for name in _CHANNELS}


def _numbers(holder: Any) -> dict[str, float]:
    return {name: value for name, value in holder.items() if isinstance(value, int | float)}
