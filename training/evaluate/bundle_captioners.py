# SPDX-License-Identifier: GPL-3.0-or-later
"""The captioners of a bundle as the tables compare them: plain, by MoTe, and as it ships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.bundle import Bundle
from motion_engine.captioning.canonical import Clip
from motion_engine.captioning.captioner import Caption
from motion_engine.captioning.limits import MAX_COUNT
from motion_engine.captioning.parts import latents_of
from motion_engine.captioning.readers import Memory, read_motions, text_of_motion
from motion_engine.engine import Engine
from motion_engine.motion import Motion
from training.evaluate.caption_sets import Captioner, Spoken

Array = NDArray[np.floating]

PLAIN, SHIPPED = "plain captioner", "as shipped"

TOGETHER = 32
"""Motions whose vectors are computed together."""


class JointSpace:
    """The joint space of a bundle, as an `Evaluator`."""

    def __init__(self, engine: Engine) -> None:
        engine.bundle.require("embed")
        self.name = f"joint space of {engine.bundle.name}"
        self._engine = engine

    def embed_motions(self, motions: Sequence[Motion]) -> Array:
        """Unit vectors (N, E); motions are taken as they are, whole, and long ones are not cut."""
        return np.concatenate(
            [
                read_motions(self._engine, _latents(self._engine, motions[first : first + TOGETHER]))[0]
                for first in range(0, len(motions), TOGETHER)
            ]
        )

    def embed_texts(self, captions: Sequence[str]) -> Array:
        """Unit vectors (N, E)."""
        return self._engine.joint_space.texts(list(captions))


def bundle_captioners(engine: Engine, mote_steps: Sequence[int] = ()) -> dict[str, Captioner]:
    """Captioners of a bundle with the task ``motion_to_text``, by the name of their row.

    The plain captioner and MoTe say the likeliest sentence of the beam, what ships the one that fits the motion best
    in the joint space. MoTe is there where the bundle has its networks.

    Parameters
    ----------
    mote_steps : of MoTe's sampler, one row each; those of the bundle when empty.
    """
    bundle = engine.bundle
    settings = bundle.manifest["captions"]
    found: dict[str, Captioner] = {
        PLAIN: lambda motions: _likeliest(engine, read_motions(engine, _latents(engine, motions))[1])
    }
    if has_network(bundle, "mote"):
        for steps in mote_steps or [int(settings["steps"])]:
            found[mote_name(steps)] = _through_mote(engine, steps, float(settings["guidance"]))
    found[shipped_name(settings)] = lambda motions: _as_shipped(engine, motions)
    return found


def has_network(bundle: Bundle, name: str) -> bool:
    """Whether the bundle has the files of a network."""
    return f"{name}.onnx" in bundle.files


def mote_name(steps: int) -> str:
    """A row's name."""
    return f"MoTe, {steps} step{'' if steps == 1 else 's'}"


def shipped_name(settings: dict[str, Any]) -> str:
    """A row's name, from the bundle's settings of captions."""
    which = mote_name(int(settings["steps"])) if settings["captioner"] == "mote" else PLAIN
    return f"{SHIPPED}: {which}, reranked"


def _latents(engine: Engine, motions: Sequence[Motion]) -> list[Array]:
    fps = engine.bundle.fps
    rows = [features.encode(motion.resample(fps)).astype(np.float32) for motion in motions]
    return latents_of(rows, engine.bundle, engine.network("encoder"))


def _through_mote(engine: Engine, steps: int, guidance: float) -> Captioner:
    def captions(motions: Sequence[Motion]) -> list[Spoken]:
        read = text_of_motion(engine, _latents(engine, motions), steps, guidance, _never)
        return _likeliest(engine, read)

    return captions


def _likeliest(engine: Engine, read: Memory) -> list[Spoken]:
    spoken = engine.captioner.sentences(read, _never)
    return [(best.text, [other.text for other in others]) for best, *others in spoken]


def _as_shipped(engine: Engine, motions: Sequence[Motion]) -> list[Spoken]:
    """By `Engine.caption`; of a clip that it cuts the summary, of one that it refuses nothing."""
    found: list[Spoken] = [("", ())] * len(motions)
    for result in engine.caption([Clip.of(motion) for motion in motions], count=MAX_COUNT):
        if isinstance(result, Caption):
            # the summary of a clip in several parts comes last
            found[result.clip] = result.text, [other.text for other in result.alternatives]
    return found


def _never() -> None:
    """Nobody cancels a measurement."""
