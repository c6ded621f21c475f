# SPDX-License-Identifier: GPL-3.0-or-later
"""The caption networks of an engine, called as the rest of this package wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motion_engine.captioning.parts import padded
from motion_engine.samplers import mote

if TYPE_CHECKING:
    from motion_engine.engine import Engine

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

NOISE_SEED = 0
"""Captions are the same every time: the text side always starts from the noise of this seed."""


@dataclass(frozen=True)
class Memory:
    """What the text decoder reads: tokens (B, K, M), and the mask (B, K) of those that are real."""

    tokens: Array
    mask: Mask

    @classmethod
    def whole(cls, tokens: Array) -> Memory:
        """All tokens are real."""
        return cls(tokens, np.ones(tokens.shape[:2], dtype=bool))


def read_motions(engine: Engine, latents: Sequence[Array]) -> tuple[Array, Memory]:
    """Unit vectors (B, E) in the joint space, and one token a latent, of normalised latents (L, C)."""
    together, mask = padded(latents)
    out = engine.network("caption_encoder")({"latents": together, "mask": mask})[0]
    return out[:, 0], Memory(out[:, 1:], mask)


def read_texts(engine: Engine, texts: Sequence[str]) -> tuple[Array, Array]:
    """Unit vectors (B, E) in the joint space, and tokens (B, s, M), of sentences."""
    words, mask = padded(engine.text_encoder.encode_tokens(texts))
    out = engine.network("text_reader")({"text": words, "text_mask": mask})[0]
    return out[:, 0], out[:, 1:]


def text_of_motion(
    engine: Engine, latents: Sequence[Array], steps: int, guidance: float, check: Callable[[], None]
) -> Memory:
    """The sentence, as tokens, that MoTe samples given motions; ``check`` is called before each run of it."""
    together, mask = padded(latents)
    motion = engine.network("motion_encoder")({"latents": together, "mask": mask})[0]
    random = np.random.default_rng(NOISE_SEED)
    noise, unknown = (
        np.repeat(random.standard_normal((1, *shape), dtype=np.float32), len(latents), axis=0)
        for shape in token_shapes(engine)[::-1]
    )
    _, text = mote.sample(
        mote_network(engine, check),
        mote.Side(motion, is_given=True, open=unknown),
        mote.Side(noise, is_sampled=True, scale=guidance),
        steps,
    )
    return Memory.whole(text)


def motion_of_text(
    engine: Engine,
    tokens: Array,
    noise: Array,
    unknown: Array,
    length: int,
    steps: int,
    guidance: float,
    progress: Callable[[int, int], None],
) -> Array:
    """Normalised latents (B, L, C) that MoTe samples given a sentence.

    Parameters
    ----------
    tokens : (S, width) features of the sentence from the text encoder.
    noise, unknown : (B, l, M) and (B, s, M) unit Gaussian: where the motion starts, and the text left open.
    length : L.
    progress : called with (steps done, steps in all) after each step; may raise to stop.
    """
    mask = np.ones((1, len(tokens)), dtype=bool)
    said = engine.network("text_reader")({"text": tokens[None], "text_mask": mask})[0][:, 1:]
    motion, _ = mote.sample(
        mote_network(engine, lambda: None),
        mote.Side(noise, is_sampled=True, scale=guidance),
        mote.Side(np.repeat(said, len(noise), axis=0), is_given=True, open=unknown),
        steps,
        progress,
    )
    every = np.ones((len(noise), length), dtype=bool)
    return np.asarray(engine.network("motion_decoder")({"tokens": motion, "mask": every})[0])


def mote_network(engine: Engine, check: Callable[[], None]) -> mote.Network:
    """MoTe of an engine as `motion_engine.samplers.mote` calls it; ``check`` is called before each run."""
    run = engine.network("mote")

    def call(motion: Array, text: Array, motion_time: int, text_time: int) -> tuple[Array, Array]:
        check()
        count = len(motion)
        out = run(
            {
                "motion": motion.astype(np.float32),
                "text": text.astype(np.float32),
                "motion_time": np.full(count, motion_time, dtype=np.float32),
                "text_time": np.full(count, text_time, dtype=np.float32),
            }
        )[0]
        return out[:, : motion.shape[1]], out[:, motion.shape[1] :]

    return call


def token_shapes(engine: Engine) -> tuple[tuple[int, int], tuple[int, int]]:
    """Number and width of MoTe's tokens: of a motion (l, M) and of a sentence (s, M)."""
    captions = engine.bundle.manifest["captions"]
    width = int(captions["embedding"])
    return (int(captions["motion_tokens"]), width), (int(captions["text_tokens"]), width)
