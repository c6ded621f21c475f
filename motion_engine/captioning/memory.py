# SPDX-License-Identifier: GPL-3.0-or-later
"""What the text decoder reads of motions: the memory of the captioner that a bundle names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def direct(engine: Engine, latents: Sequence[Array]) -> tuple[Array, Mask]:
    """Memory (B, L, M) and mask (B, L) of normalised latents (L, C): one token a latent."""
    together, mask = padded(latents)
    return engine.network("caption_encoder")({"latents": together, "mask": mask})[0], mask


def through_mote(
    engine: Engine, latents: Sequence[Array], steps: int, guidance: float, check: Callable[[], None]
) -> tuple[Array, Mask]:
    """Memory (B, s, M): the text that MoTe samples given the motion; ``check`` is called before each step."""
    together, mask = padded(latents)
    motion = engine.network("motion_encoder")({"latents": together, "mask": mask})[0]
    random = np.random.default_rng(NOISE_SEED)
    noise = random.standard_normal(text_shape(engine), dtype=np.float32)
    unknown = random.standard_normal(motion.shape[1:], dtype=np.float32)

    def repeat(tokens: Array) -> Array:
        return np.repeat(tokens[None], len(latents), axis=0)

    _, text = mote.sample(
        network(engine, check),
        mote.Side(motion, is_given=True, open=repeat(unknown)),
        mote.Side(repeat(noise), is_sampled=True, scale=guidance),
        steps,
    )
    return text, np.ones(text.shape[:2], dtype=bool)


def network(engine: Engine, check: Callable[[], None]) -> mote.Network:
    """MoTe of an engine as `motion_engine.samplers.mote` calls it; ``check`` is called before each run."""
    run = engine.network("mote")

    def call(motion: Array, text: Array, motion_time: int, text_time: int) -> tuple[Array, Array]:
        check()
        count = len(motion)
        of_motion, of_text = run(
            {
                "motion": motion.astype(np.float32),
                "text": text.astype(np.float32),
                "motion_time": np.full(count, motion_time, dtype=np.float32),
                "text_time": np.full(count, text_time, dtype=np.float32),
            }
        )
        return of_motion, of_text

    return call


def text_shape(engine: Engine) -> tuple[int, int]:
    """Number and width (s, M) of the text tokens of a bundle's MoTe."""
    tokens, mask = padded(engine.text_encoder.encode_tokens(["a person walks"]))
    text = engine.network("text_encoder_latent")({"text": tokens, "text_mask": mask})[0]
    return text.shape[1], text.shape[2]


def motion_shape(engine: Engine, length: int) -> tuple[int, int]:
    """Number and width (l, d) of the motion tokens of a clip of ``length`` latents."""
    latents = np.zeros((1, length, engine.bundle.manifest["latent_channels"]), dtype=np.float32)
    mask = np.ones((1, length), dtype=bool)
    tokens = engine.network("motion_encoder")({"latents": latents, "mask": mask})[0]
    return tokens.shape[1], tokens.shape[2]
