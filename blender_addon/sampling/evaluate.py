# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a rig with constraints, drivers or a stack of strips, evaluated by Blender on a copy in a scene of its own.

The user's scene, frame, selection, Action and pose are not touched, and no handler of a change of frame is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .curves import PROPERTIES

Array = NDArray[np.floating]

_PLACE = (
    "location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale",
)  # fmt: skip


def pose_matrices(
    target: bpy.types.Object,
    wanted: Sequence[str],
    frames: Array,
    prepare: Callable[[bpy.types.Object], None],
) -> tuple[dict[str, Array], Array]:
    """Evaluate an armature.

    Parameters
    ----------
    wanted : names of bones.
    frames : (T,) may lie between whole frames.
    prepare : gives the copy the Action to play.

    Returns
    -------
    Matrices (T, 4, 4) of the bones in armature space, and of the object in the world.
    """
    found = {name: np.empty((len(frames), 4, 4)) for name in wanted}
    world = np.empty((len(frames), 4, 4))
    with as_they_were(needed_by(target)), _stage(target) as (scene, actor):
        prepare(actor)
        layer = scene.view_layers[0]
        for at, frame in enumerate(frames):
            whole = int(np.floor(frame))
            # unlike frame_set this calls no handlers
            scene.frame_current = whole
            scene.frame_subframe = float(frame - whole)
            layer.update()
            evaluated = actor.evaluated_get(layer.depsgraph)
            world[at] = evaluated.matrix_world
            for name, matrices in found.items():
                matrices[at] = evaluated.pose.bones[name].matrix
    return found, world


@contextmanager
def _stage(target: bpy.types.Object) -> Iterator[tuple[bpy.types.Scene, bpy.types.Object]]:
    """A scene with nothing but a copy of the armature, gone afterwards; its frame rate is the file's."""
    own = bpy.context.scene
    scene = bpy.data.scenes.new("Motion Prompt Sampling")
    actor = data = None
    try:
        scene.render.fps, scene.render.fps_base = own.render.fps, own.render.fps_base
        actor = (
            target.copy()
        )  # its constraints and drivers on itself follow along, those of the armature do not
        data = target.data.copy()
        data.pose_position = "POSE"
        for driver in data.animation_data.drivers if data.animation_data is not None else ():
            for variable in driver.driver.variables:
                for aim in variable.targets:
                    if aim.id == target:
                        aim.id = actor
        actor.data = data
        scene.collection.objects.link(actor)
        yield scene, actor
    finally:
        if actor is not None:
            bpy.data.objects.remove(actor)
        if data is not None:
            bpy.data.armatures.remove(data)
        bpy.data.scenes.remove(scene)


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
        holders = [item, *(item.pose.bones if item.pose is not None else ())]
        for constraint in (constraint for holder in holders for constraint in holder.constraints):
            open_ends += [getattr(constraint, "target", None), getattr(constraint, "pole_target", None)]
            open_ends += [aim.target for aim in getattr(constraint, "targets", ())]
        if item.animation_data is not None:
            for driver in item.animation_data.drivers:
                open_ends += [aim.id for variable in driver.driver.variables for aim in variable.targets]
    return found


@contextmanager
def as_they_were(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Put channels back: Blender writes what it animates in one scene through to objects that are in others too."""
    kept = []
    for item in objects:
        bones = item.pose.bones if item.pose is not None else ()
        kept.append((item, _read(item, _PLACE), [_read(bone, PROPERTIES) for bone in bones]))
    try:
        yield
    finally:
        for item, place, poses in kept:
            _write(item, place)
            for bone, values in zip(item.pose.bones if item.pose is not None else (), poses, strict=True):
                _write(bone, values)


def _read(holder: Any, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(getattr(holder, name)) for name in names}


def _write(holder: Any, values: dict[str, tuple[float, ...]]) -> None:
    """Only what differs, so that nothing is marked as changed for nothing."""
    for name, value in values.items():
        if tuple(getattr(holder, name)) != value:
            setattr(holder, name, value)
