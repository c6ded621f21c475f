# SPDX-License-Identifier: GPL-3.0-or-later
"""From a clip to what the networks read: its parts, each with its latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.bundle import Bundle
from motion_engine.captioning import segments
from motion_engine.captioning.canonical import Clip, canonical
from motion_engine.motion import Motion

Array = NDArray[np.floating]
Encoder = Callable[[dict[str, Array]], list[Array]]

MIN_LATENTS = 2
"""Fewest latents of a part: what the networks were trained on."""


@dataclass(frozen=True)
class Part:
    """A clip, or a part of a long one.

    Attributes
    ----------
    start, end : seconds of the clip.
    motion : the part alone, at the bundle's rate, canonical.
    latents : (L, C) normalised.
    """

    start: float
    end: float
    motion: Motion
    latents: Array


def parts_of(clip: Clip, bundle: Bundle, encoder: Encoder) -> list[Part]:
    """The parts of a clip, one for most clips; EngineError for a clip of which nothing can be made."""
    motion = canonical(clip, bundle.fps)
    step = int(bundle.manifest["downsampling"])
    rows = features.encode(motion).astype(np.float32)
    whole = latents_of([rows], bundle, encoder)[0]
    energy = segments.motion_energy(motion.joints, motion.fps)
    energy = np.array([energy[i * step : (i + 1) * step].mean() for i in range(len(whole))])
    cuts = segments.cut(energy, whole, bundle.fps / step)
    if len(cuts) == 1:
        return [Part(0.0, len(clip.joints) / clip.fps, motion, whole)]
    # each part is encoded by itself, as the networks know clips
    bounds = [(first * step, last * step if last < len(whole) else len(rows)) for first, last in cuts]
    latents = latents_of([rows[first:last] for first, last in bounds], bundle, encoder)
    parts = []
    for (first, last), of_part in zip(bounds, latents, strict=True):
        is_last = last == len(rows)
        end = len(clip.joints) / clip.fps if is_last else last / bundle.fps
        frames = slice(first, None if is_last else last)
        alone = Motion(
            motion.joints[frames], motion.rotations[frames], motion.root[frames], motion.contacts[frames],
            motion.fps,
        ).canonical()  # fmt: skip
        parts.append(Part(first / bundle.fps, end, alone, of_part))
    return parts


def latents_of(rows: Sequence[Array], bundle: Bundle, encoder: Encoder) -> list[Array]:
    """Normalised latents (L, C) of features (T, 263); those of one length run together.

    The frames over a multiple of the downsampling are left out; a very short clip is continued with its last frame.
    """
    step, stats = int(bundle.manifest["downsampling"]), bundle.stats
    shortest = MIN_LATENTS * step
    whole = []
    for part in rows:
        if len(part) < shortest:
            part = np.concatenate([part, np.repeat(part[-1:], shortest - len(part), axis=0)])
        part = part[: len(part) // step * step]
        whole.append(((part - stats["mean"]) / stats["std"]).astype(np.float32))
    found: list[Array] = [np.zeros((0, 0), dtype=np.float32)] * len(whole)
    for length in {len(part) for part in whole}:
        at = [i for i, part in enumerate(whole) if len(part) == length]
        latents = encoder({"features": np.stack([whole[i] for i in at])})[0]
        latents = (latents - stats["latent_mean"]) / stats["latent_std"]
        for i, of_part in zip(at, latents, strict=True):
            found[i] = of_part.astype(np.float32)
    return found


def padded(arrays: Sequence[Array]) -> tuple[Array, NDArray[np.bool_]]:
    """Arrays (n, C) of different lengths as one (B, N, C), and the mask (B, N) of what is real."""
    longest = max(len(array) for array in arrays)
    out = np.zeros((len(arrays), longest, arrays[0].shape[1]), dtype=np.float32)
    mask = np.zeros((len(arrays), longest), dtype=bool)
    for i, array in enumerate(arrays):
        out[i, : len(array)], mask[i, : len(array)] = array, True
    return out, mask
