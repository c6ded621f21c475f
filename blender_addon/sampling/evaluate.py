# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a rig with constraints, drivers or a stack of strips, evaluated by Blender on a copy in a scene of its own.

The user's scene, frame, selection, Action and pose are not touched, and no handler of a change of frame is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from numpy.typing import NDArray

from ..preserve import as_they_were, needed_by

Array = NDArray[np.floating]


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
