# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of a rig with constraints, drivers or a stack of strips, evaluated by Blender on a copy in a scene of its own.

The user's scene, frame, selection, Action and pose are not touched, and no handler of a change of frame is called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..preserve import as_they_were, needed_by
from .needed_bones import bones_in, needed_bones

Array = NDArray[np.floating]

MARK = "motion_prompt_stage"
"""Custom property by which the parts of a stage are known again."""


FEW_FRAMES = 10
"""So few are read sooner than unneeded bones are taken away."""


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
    stage = Stage(target, wanted if len(frames) > FEW_FRAMES else None)
    try:
        stage.play(prepare)
        with stage.others_unchanged():
            return stage.read(wanted, frames)
    finally:
        stage.close()


class Stage:
    """A scene with nothing but a copy of an armature, for one animation after the other; gone when it is closed.

    Of the armature's bones only those are there that the wanted ones depend on, and none has a custom shape: what
    Blender need not evaluate costs no time.

    Parameters
    ----------
    target : the armature.
    wanted : bones to be read; None keeps all.
    """

    def __init__(self, target: bpy.types.Object, wanted: Sequence[str] | None = None) -> None:
        self._parts: list[bpy.types.ID] = []
        self.actor: bpy.types.Object | None = None
        try:
            self.scene = self._keep(bpy.data.scenes.new("Motion Prompt Sampling"))
            # its constraints and drivers on itself follow along, those of the armature do not
            self._mould = self._keep(target.copy())
            data = self._keep(target.data.copy())
            data.pose_position = "POSE"
            self._mould.data = data
            self._aim_from(target, self._mould)
            needed = needed_bones(target, wanted) if wanted is not None else None
            if needed is not None and len(needed) < len(data.bones):
                self._cut(needed)
            for bone in self._mould.pose.bones:
                bone.custom_shape = None
            # with no other object at work Blender writes into the copy alone
            self._others = [item for item in needed_by(self._mould) if item != self._mould]
        except BaseException:
            self.close()
            raise

    def _keep(self, part: bpy.types.ID) -> bpy.types.ID:
        self._parts.append(part)
        part[MARK] = True
        return part

    def _aim_from(self, old: bpy.types.Object, new: bpy.types.Object) -> None:
        """Have the drivers of the armature's data read another object."""
        data = self._mould.data.animation_data
        for driver in data.drivers if data is not None else ():
            for variable in driver.driver.variables:
                for aim in variable.targets:
                    if aim.id == old:
                        aim.id = new

    def _cut(self, needed: set[str]) -> None:
        """Take all bones but the needed ones away, and what drives them; where Blender will not, they stay."""
        mould, layer = self._mould, self.scene.view_layers[0]
        for owner in (mould.animation_data, mould.data.animation_data):
            for driver in list(owner.drivers) if owner is not None else ():
                if any(name not in needed for name in bones_in(driver.data_path)[:1]):
                    owner.drivers.remove(driver)
        self.scene.collection.objects.link(mould)
        layer.objects.active = mould
        here = {
            "scene": self.scene, "view_layer": layer, "object": mould, "active_object": mould,
            "selected_objects": [mould],
        }  # fmt: skip
        try:
            # the user may be editing an object in the window
            with bpy.context.temp_override(**here, edit_object=None):
                bpy.ops.object.mode_set(mode="EDIT")
            try:
                bones = mould.data.edit_bones
                for bone in [bone for bone in bones if bone.name not in needed]:
                    bones.remove(bone)
            finally:
                with bpy.context.temp_override(**here, edit_object=mould):
                    bpy.ops.object.mode_set(mode="OBJECT")
        except RuntimeError:
            return
        finally:
            self.scene.collection.objects.unlink(mould)

    def play(self, prepare: Callable[[bpy.types.Object], None]) -> None:
        """Have a fresh copy play an animation, in the frame rate that the file has now.

        Parameters
        ----------
        prepare : gives the copy the Action to play.
        """
        own = bpy.context.scene.render
        self.scene.render.fps, self.scene.render.fps_base = own.fps, own.fps_base
        actor = self._mould.copy()
        self._aim_from(self.actor or self._mould, actor)
        self._dismiss()
        self.actor = actor
        self.actor[MARK] = True
        self.scene.collection.objects.link(self.actor)
        prepare(self.actor)

    @contextlib.contextmanager
    def others_unchanged(self) -> Iterator[None]:
        """Objects that the armature depends on are as before afterwards."""
        with as_they_were(self._others):
            yield

    def read(self, wanted: Sequence[str], frames: Array) -> tuple[dict[str, Array], Array]:
        """Matrices (T, 4, 4) of bones in armature space, and of the object in the world, at frames (T,)."""
        found = {name: np.empty((len(frames), 4, 4)) for name in wanted}
        world = np.empty((len(frames), 4, 4))
        layer = self.scene.view_layers[0]
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

    def _dismiss(self) -> None:
        if self.actor is not None:
            with contextlib.suppress(ReferenceError):
                _remove(self.actor)
            self.actor = None

    def close(self) -> None:
        """Remove it from the file."""
        self._dismiss()
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
