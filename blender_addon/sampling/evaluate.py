# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a rig with constraints, drivers or a stack of strips, evaluated by Blender on a copy in a scene of its own.

The user's scene, frame, selection, Action and pose are not touched, and no handler of a change of frame is called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..preserve import as_they_were, needed_by

Array = NDArray[np.floating]

MARK = "motion_prompt_stage"
"""Custom property by which the parts of a stage are known again."""


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
    stage = Stage(target, prepare)
    try:
        return stage.read(wanted, frames)
    finally:
        stage.close()


class Stage:
    """A scene with nothing but a copy of an armature, gone when it is closed; its frame rate is the file's.

    Parameters
    ----------
    target : the armature.
    prepare : gives the copy the Action to play.
    """

    def __init__(self, target: bpy.types.Object, prepare: Callable[[bpy.types.Object], None]) -> None:
        own = bpy.context.scene
        self._parts: list[bpy.types.ID] = []
        try:
            self.scene = self._keep(bpy.data.scenes.new("Motion Prompt Sampling"))
            self.scene.render.fps, self.scene.render.fps_base = own.render.fps, own.render.fps_base
            # its constraints and drivers on itself follow along, those of the armature do not
            self.actor = self._keep(target.copy())
            data = self._keep(target.data.copy())
            data.pose_position = "POSE"
            for driver in data.animation_data.drivers if data.animation_data is not None else ():
                for variable in driver.driver.variables:
                    for aim in variable.targets:
                        if aim.id == target:
                            aim.id = self.actor
            self.actor.data = data
            self.scene.collection.objects.link(self.actor)
            # with no other object at work Blender writes into the copy alone
            needed = needed_by(target)
            self._others = needed if len(needed) > 1 else []
            prepare(self.actor)
        except BaseException:
            self.close()
            raise

    def _keep(self, part: bpy.types.ID) -> bpy.types.ID:
        self._parts.append(part)
        part[MARK] = True
        return part

    def read(self, wanted: Sequence[str], frames: Array) -> tuple[dict[str, Array], Array]:
        """Matrices (T, 4, 4) of bones in armature space, and of the object in the world, at frames (T,)."""
        found = {name: np.empty((len(frames), 4, 4)) for name in wanted}
        world = np.empty((len(frames), 4, 4))
        layer = self.scene.view_layers[0]
        with as_they_were(self._others):
            for at, frame in enumerate(frames):
                whole = int(np.floor(frame))
                # unlike frame_set this calls no handlers
                self.scene.frame_current = whole
                self.scene.frame_subframe = float(frame - whole)
                layer.update()
                evaluated = self.actor.evaluated_get(layer.depsgraph)
                world[at] = evaluated.matrix_world
                for name, matrices in found.items():
                    matrices[at] = evaluated.pose.bones[name].matrix
        return found, world

    def close(self) -> None:
        """Remove it from the file."""
        for part in self._parts[1:] + self._parts[:1]:
            with contextlib.suppress(ReferenceError):  # undo or another file has taken it away
                _remove(part)
        self._parts = []


def _remove(part: bpy.types.ID) -> None:
    {"SCENE": bpy.data.scenes, "OBJECT": bpy.data.objects, "ARMATURE": bpy.data.armatures}[
        part.id_type
    ].remove(part)


def clear_stages() -> None:
    """Remove what an undo step, or a file saved on its own by Blender, has brought back of a closed stage."""
    for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes):
        for part in [part for part in kind if part.get(MARK)]:
            if part.library is None and not (kind == bpy.data.scenes and len(kind) == 1):
                _remove(part)
