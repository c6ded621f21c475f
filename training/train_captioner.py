# SPDX-License-Identifier: GPL-3.0-or-later
"""The caption side: joint space, direct captioner and text encoder-decoder in one stage, on the latents of the VAE.

Three losses: captions and motions are pulled together (InfoNCE); a sentence is written from the motion's tokens; and
the same decoder writes it from the sentence's own tokens, to which noise is added, so that what diffusion makes of
them can be read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motion_engine.runtime.torch.captioner import PAD, CaptionerConfig, MotionReader, TextDecoder, TextReader
from training.config import CaptionerSection, CaptionerTraining, Config
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.evaluate.train_evaluator import alike, contrast
from training.latents import Batch, LatentWindow, batches
from training.loop import EMA, autocast, load_average, pick_device, train
from training.train_mld import LatentData, latent_data
from training.vocabulary import Vocabulary

NAME = "captioner"
HUMAN_SHARE = 0.8
"""How often a window that people described is told in their words, not in measured or changed ones."""

LABEL_SMOOTHING = 0.05


class Captioner(nn.Module):
    """The three networks of the caption side."""

    def __init__(self, config: CaptionerConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.motion = MotionReader(config, channels)
        self.text = TextReader(config)
        self.decoder = TextDecoder(config)


def captioner_sections(config: Config) -> tuple[CaptionerSection, CaptionerTraining]:
    """Both sections of a configuration; ValueError if one is missing."""
    networks, training = config.captioner, config.captioner_training
    for name, section in ((NAME, networks), (f"{NAME}_training", training)):
        if section is None:
            raise ValueError(f"The configuration of {config.bundle.name} lacks the section [{name}].")
    assert networks is not None and training is not None
    return networks, training


def make_captioner(config: Config, words: int) -> Captioner:
    """An untrained caption side of the configuration."""
    networks, _ = captioner_sections(config)
    sizes = CaptionerConfig(
        width=networks.width,
        heads=networks.heads,
        motion_layers=networks.motion_layers,
        text_layers=networks.text_layers,
        decoder_layers=networks.decoder_layers,
        token_width=networks.token_width,
        text_tokens=networks.text_tokens,
        text_width=config.denoiser.text_width,
        words=words,
    )
    return Captioner(sizes, config.vae.latent_channels)


def told_by_people(windows: Sequence[LatentWindow], motion_set: MotionSet) -> list[LatentWindow]:
    """Windows whose captions are mostly those that people wrote, mirrored ones among them.

    A caption drawn at random is one of these in `HUMAN_SHARE` of the cases; composed clips keep theirs.
    """
    human = {caption for window in motion_set.windows for caption in window.captions}
    human |= {mirror_caption(caption) for caption in human}
    found = []
    for window in windows:
        told = [caption for caption in window.captions if caption in human]
        other = [caption for caption in window.captions if caption not in human]
        if told and other:
            times = max(round(HUMAN_SHARE / (1 - HUMAN_SHARE) * len(other) / len(told)), 1)
            window = replace(window, captions=(*told * times, *other))
        found.append(window)
    return found


def sentence_vectors(text: Tensor, mask: Tensor) -> Tensor:
    """(B, width) unit means of token features (B, S, width)."""
    weight = mask[..., None].to(text)
    return F.normalize((text * weight).sum(1) / weight.sum(1), dim=-1)


def next_word_loss(logits: Tensor, words: Tensor) -> Tensor:
    """Cross-entropy of ``logits`` (B, N, V) at words 0 to N - 1 with words 1 to N of (B, N + 1), padding left out."""
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        words[:, 1:].flatten(),
        ignore_index=PAD,
        label_smoothing=LABEL_SMOOTHING,
    )


def caption_data(config: Config, motion_set: MotionSet, folder: Path) -> LatentData:
    """The latent windows, told mostly in the words of people."""
    data = latent_data(config, motion_set, folder)
    return replace(data, windows=told_by_people(data.windows, motion_set))


def without_some(words: Tensor, share: float) -> Tensor:
    """``words`` (B, N) with a share of them, never the first, replaced by padding."""
    dropped = torch.rand(words.shape, device=words.device) < share
    dropped[:, 0] = False
    return words.masked_fill(dropped, PAD)


def train_captioner(config: Config, data: LatentData, folder: Path, start_from: Path | None = None) -> None:
    """Train all three networks; writes ``captioner.pt`` and ``words.json``.

    Parameters
    ----------
    data : of `caption_data`.
    start_from : folder of another run whose caption side, over the same words, is trained further.
    """
    _, settings = captioner_sections(config)
    device = pick_device()
    torch.manual_seed(0)
    vocabulary = Vocabulary.of(
        (caption for window in data.windows for caption in window.captions), config.bundle.text_encoder
    )
    vocabulary.save(folder)
    networks = make_captioner(config, len(vocabulary))
    if start_from is not None:
        load_average(networks, start_from / f"{NAME}.pt").train()
    networks = networks.to(device)

    def losses(batch: Batch) -> dict[str, Tensor]:
        words = vocabulary.batch(batch.sentences)
        items = batch.windows.numpy()
        pairs = alike(batch.sentences, sentence_vectors(batch.text, batch.text_mask), items)
        batch, words = batch.to(device), words.to(device)
        with autocast(device):
            motion = networks.motion(batch.latents, batch.mask)
            text = networks.text(batch.text, batch.text_mask)
            noise = settings.text_noise * torch.rand(len(words), 1, 1, device=device)
            tokens = text[:, 1:] + noise * torch.randn_like(text[:, 1:])
            heard = without_some(words[:, :-1], settings.word_drop)
            told = networks.decoder.every(motion[:, 1:], batch.mask, heard)
            again = networks.decoder.every(tokens, None, heard)
        parts = {
            "contrast": contrast(text[:, 0].float(), motion[:, 0].float(), pairs),
            "caption": next_word_loss(told, words),
            "text": next_word_loss(again, words),
        }
        parts["loss"] = settings.contrast * parts["contrast"] + parts["caption"] + parts["text"]
        return parts

    def drawn(first: int) -> Iterator[Batch]:
        return batches(data.windows, data.captions, config, settings.batch, 0.0, seed=3, first=first)

    train(
        networks,
        drawn,
        losses,
        folder=folder,
        name=NAME,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=0.05,
        ema=EMA(networks, 0.998),
    )


def load_captioner(config: Config, folder: Path) -> tuple[Captioner, Vocabulary]:
    """The trained networks with averaged weights, and their words."""
    vocabulary = Vocabulary.load(folder, config.bundle.text_encoder)
    networks = make_captioner(config, len(vocabulary))
    load_average(networks, folder / f"{NAME}.pt")
    return networks, vocabulary
