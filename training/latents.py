# SPDX-License-Identifier: GPL-3.0-or-later
"""The captioned windows as latents of the VAE: what both diffusion stages train on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motion_engine.runtime.torch.vae import MotionVAE
from training.config import Config
from training.data.loader import BalancedSampler, Normaliser
from training.data.motion_set import Item
from training.data.rarity import rarity_weights
from training.data.sentences import holds_for_parts
from training.text import CaptionFeatures

CROP_SHARE = 0.3
"""How often a window is cut shorter, so that a sentence that allows it is learned at several lengths."""

SHORTEST_CROP = 0.6
BUCKET = 8
"""Batches that are drawn together and sorted by length, so that little is padded."""


@dataclass
class LatentWindow:
    """Latents of one window: normalised mean and standard deviation (L, C), its captions and source."""

    mean: Tensor
    deviation: Tensor
    captions: tuple[str, ...]
    source: str


@dataclass
class Batch:
    """Clean latents (B, L, C), their mask (B, L), text (B, S, width) and its mask (B, S).

    ``sentences`` are the captions in words, ``windows`` (B,) the index of the window that each clip is cut from.
    """

    latents: Tensor
    mask: Tensor
    text: Tensor
    text_mask: Tensor
    sentences: tuple[str, ...]
    windows: Tensor

    def chunk(self, parts: int) -> list[Batch]:
        """The batch in ``parts`` smaller ones."""
        return [
            Batch(
                self.latents[rows],
                self.mask[rows],
                self.text[rows],
                self.text_mask[rows],
                tuple(self.sentences[i] for i in rows),
                self.windows[rows],
            )
            for rows in torch.arange(len(self.mask)).chunk(parts)
        ]

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        latents, mask, text, text_mask = (
            tensor.to(device) for tensor in (self.latents, self.mask, self.text, self.text_mask)
        )
        return Batch(latents, mask, text, text_mask, self.sentences, self.windows)


@torch.no_grad()
def encode_windows(
    vae: MotionVAE, normaliser: Normaliser, windows: Sequence[Item], max_frames: int
) -> tuple[list[LatentWindow], np.ndarray, np.ndarray]:
    """Latents of every window, scaled to zero mean and unit variance a channel, and that mean and deviation (C,).

    Frames side by side have one deviation for all channels: the normaliser has weighed them, and a number that hardly
    moves shall not count as much as the others.
    """
    device = next(vae.parameters(), torch.empty(0)).device
    encoded: list[LatentWindow] = []
    for item in windows:
        length = min(len(item.features), max_frames) // vae.downsampling * vae.downsampling
        if length < 2 * vae.downsampling:
            continue
        rows = torch.from_numpy(normaliser.apply(item.features[:length])).to(device)[None]
        mean, log_variance = vae.encode(rows)
        # frames are many gigabytes: no number of them is kept twice
        deviation = torch.zeros(()).expand_as(mean[0]) if vae.motion_space else (0.5 * log_variance[0]).exp()
        encoded.append(LatentWindow(mean[0].cpu().clone(), deviation.cpu(), item.captions, item.source))
    count = sum(len(window.mean) for window in encoded)
    sums = torch.stack([window.mean.sum(dim=0, dtype=torch.float64) for window in encoded])
    centre = (sums.sum(dim=0) / count).float()
    squares = torch.stack([(w.mean - centre).square().sum(dim=0, dtype=torch.float64) for w in encoded])
    scale = (squares.sum(dim=0) / (count - 1)).sqrt().float()
    if vae.motion_space:
        scale = scale.square().mean().sqrt().expand_as(scale).clone()
    for window in encoded:
        window.mean.sub_(centre).div_(scale)
        window.deviation = window.deviation if vae.motion_space else window.deviation / scale
    return encoded, centre.numpy(), scale.numpy()


def batches(
    windows: Sequence[LatentWindow],
    captions: CaptionFeatures,
    config: Config,
    batch: int,
    caption_drop: float,
    seed: int = 0,
    first: int = 0,
) -> Iterator[Batch]:
    """Endless batches balanced over sources, from number ``first`` on.

    A share ``caption_drop`` of the captions is replaced by the empty prompt. Batch i is the same in every run.
    """
    sources = [window.source for window in windows]
    rare = rarity_weights([window.captions[0] for window in windows], sources, config.data.rarity)
    sampler = BalancedSampler(sources, config.data.shares, rare)
    skipped = first % BUCKET
    for bucket in itertools.count(first // BUCKET):
        random = np.random.default_rng((seed, bucket))
        parts = []
        for index in sampler.draw(batch * BUCKET, random):
            window = windows[index]
            noise = random.standard_normal(window.mean.shape, dtype=np.float32)
            latents = window.mean + window.deviation * torch.from_numpy(noise)
            length = len(latents)
            caption = "" if random.random() < caption_drop else str(random.choice(window.captions))
            if random.random() < CROP_SHARE and holds_for_parts(caption):
                length = max(2, round(length * random.uniform(SHORTEST_CROP, 1.0)))
            start = random.integers(0, len(latents) - length + 1)
            parts.append((latents[start : start + length], caption, int(index)))
        parts.sort(key=lambda part: len(part[0]))
        for group in random.permutation(BUCKET)[skipped:]:
            yield _collate(parts[group * batch : (group + 1) * batch], captions)
        skipped = 0


def _collate(parts: Sequence[tuple[Tensor, str, int]], captions: CaptionFeatures) -> Batch:
    longest = max(len(latents) for latents, _, _ in parts)
    padded = torch.zeros(len(parts), longest, parts[0][0].shape[1])
    mask = torch.zeros(padded.shape[:2], dtype=torch.bool)
    for i, (latents, _, _) in enumerate(parts):
        padded[i, : len(latents)], mask[i, : len(latents)] = latents, True
    sentences = [caption for _, caption, _ in parts]
    text, text_mask = captions.batch(sentences)
    windows = torch.tensor([window for _, _, window in parts])
    return Batch(padded, mask, text, text_mask, tuple(sentences), windows)
