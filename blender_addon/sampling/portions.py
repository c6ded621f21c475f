# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one animation in portions of a few milliseconds, so that the window goes on between them.

Nothing of Blender's is held from one portion to the next but a `Stage`: what is read is looked up again each time,
since the user may undo or delete it meanwhile. The last step, from poses to a motion, is numpy alone and may be done
by any thread.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from .. import rig
from ..retarget.inverse import to_motion
from ..status import UserError
from . import clip, curves, evaluate

Array = NDArray[np.floating]

_open: list[evaluate.Stage] = []


class Readers:
    """A `Reader` for each armature, made when it is first needed and again after an undo; one `Stage` at a time."""

    def __init__(self) -> None:
        self._made: dict[int, clip.Reader] = {}
        self._refused: dict[int, str] = {}
        self._stage: evaluate.Stage | None = None
        self._on_stage = 0

    def of(self, target: bpy.types.Object) -> clip.Reader:
        """The reader of an armature.

        Raises
        ------
        UserError
            If the rig is unknown or is being edited; it is not looked at twice.
        """
        key = target.session_uid
        if key in self._refused:
            raise UserError(self._refused[key])
        reader = self._made.get(key)
        with contextlib.suppress(ReferenceError):
            if reader is not None and reader.target == target and reader.scene == bpy.context.scene:
                return reader
        try:
            reader = self._made[key] = clip.Reader(target)
        except UserError as error:
            self._refused[key] = error.text
            raise
        return reader

    def stage(self, target: bpy.types.Object, wanted: Sequence[str]) -> evaluate.Stage:
        """Where an armature is evaluated; the same one for all its animations, unless it had to be taken down."""
        if self._stage is None or self._stage not in _open or self._on_stage != target.session_uid:
            self.close()
            self._stage = evaluate.Stage(target, wanted)
            self._on_stage = target.session_uid
            _open.append(self._stage)
        return self._stage

    def close(self) -> None:
        """Leave nothing behind in the file."""
        if self._stage is not None:
            self._stage.close()
            if self._stage in _open:
                _open.remove(self._stage)
            self._stage = None


class Portions:
    """One animation on its way into a `Clip`.

    Parameters
    ----------
    readers : shared by the animations of a run.
    target : the armature.
    find : the Action or strip as it is now; None when it is gone.
    title : its name, for sentences.
    frames : chooses the frames to read among those that the animation has; all by default.
    """

    def __init__(
        self,
        readers: Readers,
        target: rig.Handle,
        find: Callable[[], Any],
        title: str,
        frames: Callable[[Array, float], Array] = lambda times, rate: times,
    ) -> None:
        self._readers, self._target, self._find, self._title = readers, target, find, title
        self._frames = frames
        self._stage: evaluate.Stage | None = None
        self._started = False
        self.fraction = 0.0

    @property
    def frames(self) -> int:
        """How many frames are read."""
        return len(self._times) if self._started else 0

    def step(self, seconds: float) -> bool:
        """Read on for about so long; True when all is read.

        Raises
        ------
        UserError
            If it cannot be read, or not any more.
        """
        until = time.perf_counter() + seconds
        target, source = self._target.find(), self._find()
        if target is None or source is None:
            gone = self._title if source is None else self._target.name
            raise UserError(f"'{gone}' was deleted while it was read.")
        try:
            if not self._started:
                self._start(target, source)
                return False
            return (
                self._curves(target, source, until) if self._plain else self._evaluated(target, source, until)
            )
        except ValueError as error:
            raise UserError(str(error)) from None

    def clip(self) -> clip.Clip:
        """The clip, when all is read. Not of Blender: for any thread.

        Raises
        ------
        ValueError
            If the object is mirrored or has no size.
        """
        names = self._rest.names
        if self._plain:
            matrices = curves.pose_matrices(self._plain, self._values, len(self._times))
            world = self._world
        else:
            matrices = {name: np.concatenate([found[name] for found, _ in self._read]) for name in names}
            world = np.concatenate([place for _, place in self._read])
        stacked = np.stack([matrices[name] for name in names], axis=1)
        posed = clip.posed_rig(self._rest, self._measured, stacked, world)
        return clip.Clip(*to_motion(self._measured, posed, self._rate))

    # --- on the window's thread ----------------------------------------------------------------------

    def _start(self, target: bpy.types.Object, source: clip.Source) -> None:
        reader = self._readers.of(target)
        times, rate = reader.times(source)
        chosen = self._frames(times, rate)
        self._rate = (
            rate * float(times[1] - times[0]) / float(chosen[1] - chosen[0]) if len(chosen) > 1 else rate
        )
        self._rest, self._measured = reader.rest, reader.measured
        self._times = chosen
        self._action_times = clip.action_times(source, chosen)
        what = clip.played(target, source)
        self._plain = clip.plain_rig(target, source, what, self._rest.names)
        self._keys: Sequence[curves.Key] = ()
        self._values: dict[curves.Key, Array] = {}
        self._read: list[tuple[dict[str, Array], Array]] = []
        self._done = 0
        if self._plain is not None:
            self._keys = list(curves.needed(self._plain, what.keyed))
            self._world = np.broadcast_to(clip.place(target), (len(chosen), 4, 4))
        self._started = True

    def _curves(self, target: bpy.types.Object, source: clip.Source, until: float) -> bool:
        """Read the next F-curves, each as a whole."""
        keyed = clip.played(target, source).keyed
        for key in self._keys[len(self._values) :]:
            if key not in keyed:  # the user has taken its curve away meanwhile
                raise ValueError(f"'{self._title}' was changed while it was read. Start again.")
            self._values[key] = curves.evaluate(keyed[key], self._action_times)
            if time.perf_counter() > until:
                break
        self.fraction = len(self._values) / max(len(self._keys), 1)
        return len(self._values) == len(self._keys)

    def _evaluated(self, target: bpy.types.Object, source: clip.Source, until: float) -> bool:
        """Have Blender evaluate the next frames."""
        stage = self._readers.stage(target, self._rest.names)
        if stage is not self._stage:
            what = clip.played(target, source)
            stage.play(what.clear if source is None else what.play)
            self._stage = stage
        with stage.others_unchanged():
            while self._done < len(self._times):
                at = self._action_times[self._done : self._done + 1]
                self._read.append(stage.read(self._rest.names, at))
                self._done += 1
                if time.perf_counter() > until:
                    break
        self.fraction = self._done / len(self._times)
        if self._done < len(self._times):
            return False
        self._stage = None
        return True


# --- a stage must be in no file and in no undo step that is gone back to ----------------------------


@persistent
def _strike(*_: Any) -> None:
    """Take every stage down before the file is saved, left or gone back in; reading sets it up again."""
    while _open:
        _open.pop().close()


@persistent
def _sweep(*_: Any) -> None:
    _open.clear()
    evaluate.clear_stages()


_BEFORE = ("save_pre", "load_pre", "undo_pre", "redo_pre")
_AFTER = ("load_post", "undo_post", "redo_post")


def register() -> None:
    for names, handler in ((_BEFORE, _strike), (_AFTER, _sweep)):
        for name in names:
            getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    _strike()
    for names, handler in ((_BEFORE, _strike), (_AFTER, _sweep)):
        for name in names:
            handlers = getattr(bpy.app.handlers, name)
            if handler in handlers:
                handlers.remove(handler)
