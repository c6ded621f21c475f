# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-critical training of the caption decoder (Rennie et al. 2017): on the score of what it says.

Likelihood teaches the next word of a sentence that somebody else began. Here the decoder draws whole sentences of a
clip; those that people's captions and the joint space find better than its others become likelier, the worse ones less
likely. What a sentence is measured against is the mean of the clip's other samples (Luo 2020), so that nothing but the
policy gradient is needed::

    loss = -(r(k) - mean of r(j), j != k) log p(sentence k)

That alone shortens sentences and leaves some of them garbled. Beside CIDEr-D the reward r has a part for length and a
price for words in a row that nobody says, and people's captions may be kept likely by their cross-entropy.

The reader of motions stays as it is, and with it the joint space.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from motion_engine.bundle import text_encoder_dir
from motion_engine.captioning.words import Vocabulary as Pieces
from motion_engine.runtime.torch.captioner import END, PAD, START, TextDecoder, TextReader
from motion_engine.text_encoder import TextEncoder
from training.config import Config, SelfCritical
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.evaluate.caption_metrics import words as words_of
from training.evaluate.cider import Cider
from training.latents import Batch, LatentWindow, batches
from training.loop import EMA, autocast, load_average, pick_device, train
from training.low_rank import add_low_rank, merged
from training.train_captioner import NAME as CAPTIONER
from training.train_captioner import captioner_sections, make_captioner, next_word_loss
from training.train_mld import LatentData
from training.vocabulary import Vocabulary
from training.word_by_word import WordByWord

NAME = "self_critical"

FEWEST_WORDS = 3
"""Pieces of a sentence, as in the engine's beam search."""

MOST_WORDS = 34
"""Pieces of a drawn sentence, the start among them: the longest captions of people have 33."""


def self_critical_section(config: Config) -> SelfCritical:
    """The section of a configuration.

    Raises
    ------
    ValueError
        If it is missing, or asks for fewer than two samples: one has nothing to be compared with.
    """
    found = config.self_critical
    if found is None:
        raise ValueError(f"The configuration of {config.bundle.name} lacks the section [{NAME}].")
    if found.samples < 2:
        raise ValueError(f"[{NAME}] samples is 2 or more, not {found.samples}.")
    return found


@dataclass(frozen=True)
class Told:
    """Windows that people described, and the sentences they used."""

    windows: list[LatentWindow]
    references: list[tuple[str, ...]]


def told_windows(data: LatentData, motion_set: MotionSet) -> Told:
    """Those of the latent windows that have captions by people, mirrored ones among them; only these are kept."""
    human = {caption for window in motion_set.windows for caption in window.captions}
    human |= {mirror_caption(caption) for caption in human}
    windows, references = [], []
    for window in data.windows:
        told = tuple(dict.fromkeys(caption for caption in window.captions if caption in human))
        if told:
            windows.append(replace(window, captions=told))
            references.append(told)
    return Told(windows, references)


class Reward:
    """What a sentence of a window is worth: CIDEr-D against people's captions, and its fit in the joint space.

    Parameters
    ----------
    references : captions of each window.
    reader : of sentences, frozen.
    encoder : name of the frozen text encoder.
    fit : weight of the similarity, at most 1, beside CIDEr-D, which is 10 for a sentence that everybody says.
    unheard : what each three words in a row cost that nobody said of any window; garbled sentences are full of them.
    length : what a sentence is worth that is as long as people's are on average; a shorter one is worth its share.
    """

    def __init__(
        self,
        references: list[tuple[str, ...]],
        reader: TextReader,
        encoder: str,
        fit: float,
        unheard: float,
        length: float,
    ) -> None:
        # the same clip faster or slower has the same captions
        self._index = {several: i for i, several in enumerate(dict.fromkeys(references))}
        self._cider = Cider([[words_of(caption) for caption in several] for several in self._index])
        self._references = references
        self._reader = reader
        self._fit = fit
        self._unheard = unheard
        self._length = length
        self._usual = {
            several: sum(len(words_of(caption)) for caption in several) / len(several)
            for several in self._index
        }
        self._heard = {
            trigram for several in self._index for caption in several for trigram in trigrams(caption)
        }
        self._encoder = TextEncoder(text_encoder_dir(encoder)) if fit else None
        self._vectors: dict[str, Tensor] = {}

    def __call__(self, sentences: list[str], windows: list[int], motions: Tensor) -> Tensor:
        """(N,) of sentences about windows, whose motions have the unit vectors (N, E)."""
        scores = [
            self._cider.score(words_of(sentence), self._index[self._references[window]])
            for sentence, window in zip(sentences, windows, strict=True)
        ]
        unheard = [sum(part not in self._heard for part in trigrams(sentence)) for sentence in sentences]
        found = torch.tensor(scores) - self._unheard * torch.tensor(unheard)
        lengths = [
            min(len(words_of(sentence)) / self._usual[self._references[window]], 1.0)
            for sentence, window in zip(sentences, windows, strict=True)
        ]
        found = found + self._length * torch.tensor(lengths)
        if self._encoder is not None:
            found = found + self._fit * (self._embedded(sentences) * motions.cpu()).sum(dim=-1)
        return found

    @torch.no_grad()
    def _embedded(self, sentences: list[str]) -> Tensor:
        assert self._encoder is not None
        new = sorted({s for s in sentences if s not in self._vectors}, key=len)
        if new:
            rows = self._encoder.encode_tokens(new)
            text = torch.zeros(len(rows), max(map(len, rows)), rows[0].shape[1])
            mask = torch.zeros(text.shape[:2], dtype=torch.bool)
            for i, row in enumerate(rows):
                text[i, : len(row)], mask[i, : len(row)] = torch.from_numpy(row), True
            device = next(self._reader.parameters()).device
            vectors = self._reader(text.to(device), mask.to(device))[:, 0].float().cpu()
            self._vectors |= dict(zip(new, vectors, strict=True))
        return torch.stack([self._vectors[s] for s in sentences])


def trigrams(sentence: str) -> list[tuple[str, ...]]:
    """Each three words in a row, with a mark before the first word and behind the last."""
    framed = ["<start>", *words_of(sentence), "<end>"]
    return [tuple(framed[at : at + 3]) for at in range(len(framed) - 2)]


@torch.no_grad()
def draw_sentences(
    decoder: TextDecoder, memory: Tensor, mask: Tensor, cannot_begin: NDArray[np.bool_]
) -> Tensor:
    """(B, N) int64 sentences drawn at random, word by word: ``<start>``, pieces, ``<end>``, then padding.

    Parameters
    ----------
    memory, mask : (B, K, token width) of the clips, one row a sentence, and (B, K).
    cannot_begin : (V,) pieces that begin no sentence.
    """
    device = memory.device
    said = torch.full((len(memory), MOST_WORDS), PAD, device=device)
    said[:, 0] = START
    first = torch.from_numpy(cannot_begin).to(device)
    # most sentences end early: only the others are gone on with
    going = torch.arange(len(memory), device=device)
    writer = WordByWord(decoder, memory, mask)
    for length in range(MOST_WORDS - 1):
        logits = writer.next(said[going, length])
        logits[:, [PAD, START]] = float("-inf")
        if length < FEWEST_WORDS:
            logits[:, END] = float("-inf")
        if length == 0:
            logits[:, first] = float("-inf")
        following = torch.multinomial(logits.softmax(dim=-1), 1)[:, 0]
        said[going, length + 1] = following
        on = following != END
        if not on.any():
            break
        going = going[on]
        writer.keep(on)
    return said[:, : length + 2]


def policy_loss(logits: Tensor, said: Tensor, advantage: Tensor) -> Tensor:
    """-advantage (B,) times the mean log-probability of the pieces 1 to N of ``said`` (B, N + 1), padding left out."""
    chosen = said[:, 1:]
    real = (chosen != PAD).float()
    losses = F.cross_entropy(logits.flatten(0, 1).float(), chosen.flatten(), reduction="none")
    return (losses.unflatten(0, chosen.shape) * real * advantage[:, None]).sum() / real.sum()


def advantages(rewards: Tensor) -> Tensor:
    """(B, K): the reward of each of the K samples of a clip over the mean of its others."""
    count = rewards.shape[1]
    return (rewards - rewards.mean(dim=1, keepdim=True)) * (count / (count - 1))


def train_self_critical(
    config: Config, data: LatentData, motion_set: MotionSet, folder: Path, start_from: Path | None = None
) -> None:
    """Train the text decoder of ``start_from`` further; writes ``self_critical.pt``.

    With ``[adapter]`` in the configuration the decoder's weights stay, and low-rank matrices are trained beside them.

    Raises
    ------
    ValueError
        If no caption side is named to begin with, or no window has a caption by people.
    """
    settings = self_critical_section(config)
    captioner_sections(config)
    if start_from is None:
        raise ValueError(f"{NAME} trains a caption side further: name its run with --start-from.")
    told = told_windows(data, motion_set)
    if not told.windows:
        raise ValueError("No training window has a caption by people to compare sentences with.")
    device = pick_device()
    torch.manual_seed(0)
    vocabulary = Vocabulary.load(start_from, config.bundle.text_encoder)
    pieces = Pieces(vocabulary.words)
    networks = make_captioner(config, len(vocabulary))
    load_average(networks, start_from / f"{CAPTIONER}.pt").requires_grad_(False)
    networks = networks.to(device)
    decoder = networks.decoder.requires_grad_(True)
    if config.adapter is not None:
        add_low_rank(decoder, config.adapter.rank)
    decoder = decoder.to(device)
    # the same decoder in plain matrices, which draws in half the time
    speaker = make_captioner(config, len(vocabulary)).decoder.requires_grad_(False).to(device)
    reward = Reward(
        told.references,
        networks.text,
        config.bundle.text_encoder,
        settings.fit,
        settings.unheard,
        settings.length,
    )
    count = settings.samples
    drawn_from = replace(config, data=replace(config.data, shares=settings.shares, rarity=settings.rarity))

    def losses(batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        with torch.no_grad(), autocast(device):
            motion = networks.motion(batch.latents, batch.mask).float()
        vectors = motion[:, 0].repeat_interleave(count, dim=0)
        memory = motion[:, 1:].repeat_interleave(count, dim=0)
        mask = batch.mask.repeat_interleave(count, dim=0)
        speaker.load_state_dict(merged(decoder.state_dict()))
        said = draw_sentences(speaker, memory, mask, pieces.cannot_begin)
        sentences = [pieces.sentence(row) for row in said.tolist()]
        windows = batch.windows.repeat_interleave(count).tolist()
        rewards = reward(sentences, windows, vectors).unflatten(0, (-1, count))
        with autocast(device):
            logits = decoder.every(memory, mask, said[:, :-1])
        parts = {
            "policy": policy_loss(logits, said, advantages(rewards).flatten().to(device)),
            "reward": rewards.mean(),
            "words": (said > END).sum(dim=1).float().mean(),
        }
        parts["loss"] = parts["policy"]
        if settings.likelihood:
            theirs = vocabulary.batch(batch.sentences).to(device)
            with autocast(device):
                told_of = decoder.every(motion[:, 1:], batch.mask, theirs[:, :-1])
            parts["likelihood"] = next_word_loss(told_of, theirs)
            parts["loss"] = parts["loss"] + settings.likelihood * parts["likelihood"]
        return parts

    def drawn(first: int) -> Iterator[Batch]:
        return batches(told.windows, data.captions, drawn_from, settings.batch, 0.0, seed=6, first=first)

    train(
        decoder,
        drawn,
        losses,
        folder=folder,
        name=NAME,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warm_up=30,
        ema=EMA(decoder, 0.98),
    )
