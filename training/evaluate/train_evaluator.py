# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of our own evaluator: captions and motions are pulled together, others apart."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from motion_engine import features
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.evaluate import metrics
from training.evaluate.held_out import label_of, windows_of
from training.evaluate.own_evaluator import (
    NAME,
    SHORTEST,
    EvaluatorConfig,
    EvaluatorNetwork,
    OwnEvaluator,
    pad,
    reference_stats,
)
from training.loop import EMA, autocast, is_finished, pick_device, train
from training.text import CaptionFeatures

Array = NDArray[np.floating]

STEPS = 2000
BATCH = 96
LEARNING_RATE = 6e-4
TEMPERATURE = 0.08
MARGIN = 10.0
"""Of the margin loss (Guo et al. 2022)."""

ALIKE = 0.9
"""Captions whose sentence vectors have a larger cosine are not set against each other (TMR: 0.8 with another encoder).

Sentence encoders hardly hear left and right, so captions that differ in these words are set against each other
all the same."""

CROP_SHARE, SHORTEST_CROP = 0.5, 0.7
SHARE_POWER = 0.5
"""A source of n windows is drawn in proportion to n to this power: variety, without starving the large ones."""

BUCKET = 8
FAR = 100_000
"""Batches from those of one seed to those of the next."""

_SIDES = re.compile(r"\b(left|right|clockwise|counter-?clockwise|forwards?|backwards?)\b", re.IGNORECASE)


@dataclass
class Sample:
    """Features (T, 263) float16 of one window, not normalised, its captions and source."""

    rows: NDArray[np.float16]
    captions: tuple[str, ...]
    source: str


@dataclass
class Pair:
    """A batch: motions (B, T, n) with lengths, words (B, S, width) with mask, and who must not be told apart."""

    motion: Tensor
    lengths: Tensor
    words: Tensor
    mask: Tensor
    alike: Tensor

    def chunk(self, parts: int) -> list[Pair]:
        """The batch in smaller ones; each then has fewer motions to tell apart."""
        made = []
        for chosen in torch.arange(len(self.motion)).chunk(parts):
            square = self.alike[chosen][:, chosen]
            made.append(
                Pair(self.motion[chosen], self.lengths[chosen], self.words[chosen], self.mask[chosen], square)
            )
        return made


def sides(caption: str) -> tuple[str, ...]:
    """The words for directions of a caption, sorted."""
    return tuple(sorted(word.lower().rstrip("s").replace("-", "") for word in _SIDES.findall(caption)))


def alike(captions: Sequence[str], sentences: Tensor, items: NDArray[np.integer]) -> Tensor:
    """(B, B) bool: pairs of nearly the same caption, or of the same clip. True on the diagonal too.

    Parameters
    ----------
    sentences : (B, width) unit vectors of the captions.
    items : (B,) index of the clip, negative for its mirror image.
    """
    directions = [sides(caption) for caption in captions]
    same_words = torch.tensor([[a == b for b in directions] for a in directions])
    near = ((sentences @ sentences.T) > ALIKE) & same_words
    return near | torch.from_numpy(items[:, None] == items) | torch.eye(len(captions), dtype=torch.bool)


def pairs(
    samples: Sequence[Sample],
    evaluator: OwnEvaluator,
    captions: CaptionFeatures,
    batch: int,
    first: int = 0,
) -> Iterator[Pair]:
    """Endless batches: windows drawn by source, half of them mirrored, some cut shorter, a caption at random.

    Counted from ``first``, batch i is the same in every run.
    """
    sources = [sample.source for sample in samples]
    weights = np.array([sources.count(source) ** (SHARE_POWER - 1.0) for source in sources])
    weights /= weights.sum()
    skipped = first % BUCKET
    for bucket in itertools.count(first // BUCKET):
        random = np.random.default_rng((0, bucket))
        drawn = []
        for index in random.choice(len(samples), batch * BUCKET, p=weights):
            sample = samples[index]
            rows, caption = sample.rows.astype(np.float32), str(random.choice(sample.captions))
            if random.random() < CROP_SHARE:
                length = max(round(len(rows) * random.uniform(SHORTEST_CROP, 1.0)), SHORTEST)
                start = random.integers(0, max(len(rows) - length, 0) + 1)
                rows = rows[start : start + length]
            mirrored = random.random() < 0.5
            if mirrored:
                rows, caption = features.mirror(rows), mirror_caption(caption)
            drawn.append((rows, caption, -index - 1 if mirrored else index))
        drawn.sort(key=lambda row: len(row[0]))
        for group in random.permutation(BUCKET)[skipped:]:
            chosen = drawn[group * batch : (group + 1) * batch]
            motion, lengths = pad([evaluator.prepare(rows) for rows, _, _ in chosen])
            sentences = [caption for _, caption, _ in chosen]
            words, mask = captions.batch(sentences)
            weight = mask[..., None].to(words)
            mean = F.normalize((words * weight).sum(1) / weight.sum(1), dim=-1)
            yield Pair(
                motion, lengths, words, mask, alike(sentences, mean, np.array([i for _, _, i in chosen]))
            )
        skipped = 0


def contrast(texts: Tensor, motions: Tensor, alike_pairs: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Symmetric InfoNCE on embeddings (B, D) of unit length; pairs that are alike are no negatives (TMR)."""
    scores = texts @ motions.T / temperature
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(alike_pairs.to(scores.device) & ~own, float("-inf"))
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def margin_contrast(texts: Tensor, motions: Tensor, alike_pairs: Tensor, margin: float = MARGIN) -> Tensor:
    """Guo et al. 2022: d² of a pair, max(0, m - d)² of a text with another motion, here with all of the batch."""
    table = torch.cdist(texts, motions)
    others = ~alike_pairs.to(table.device)
    push = (F.relu(margin - table) ** 2)[others]
    pull = table.diagonal() ** 2
    return pull.mean() + (push.mean() if len(push) else 0.0)


def train_evaluator(
    motion_set: MotionSet,
    folder: Path,
    config: EvaluatorConfig,
    steps: int = STEPS,
    batch: int = BATCH,
    seed: int = 0,
) -> OwnEvaluator:
    """Train in ``folder``, or go on there; writes checkpoint, statistics and held-out scores.

    Another ``seed`` begins with other weights and draws other batches. A finished evaluator is left as it is.

    Raises
    ------
    ValueError
        If the set has no training windows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / f"{NAME}.json").exists() and is_finished(folder, NAME, steps):
        return OwnEvaluator.load(folder)
    config = dataclasses.replace(config, fps=motion_set.fps)
    found = windows_of(motion_set, "train")
    if not found:
        raise ValueError("The set has no captioned training windows: an evaluator cannot be trained on it.")
    samples = [
        Sample(features.encode(motion).astype(np.float16), window.captions, window.source)
        for window, motion in tqdm(found, desc="windows", mininterval=5)
    ]
    normaliser = reference_stats([sample.rows for sample in samples])
    normaliser.save(folder / f"{NAME}_stats.npz")
    torch.manual_seed(seed)
    device = pick_device()
    network = EvaluatorNetwork(config).to(device)
    evaluator = OwnEvaluator(network, config, normaliser, folder / "embedded_captions.npz")
    if not is_finished(folder, NAME, steps):
        every = {caption for sample in samples for caption in sample.captions}
        captions = CaptionFeatures(
            every | {mirror_caption(caption) for caption in every},
            config.text_encoder,
            folder / "captions.npz",
        )
        loss = contrast if config.loss == "infonce" else margin_contrast

        def losses(pair: Pair) -> dict[str, Tensor]:
            with autocast(device):
                motions = network.motion(pair.motion.to(device), pair.lengths)
                texts = network.text(pair.words.to(device), pair.mask.to(device))
            return {"loss": loss(texts, motions, pair.alike)}

        train(
            network, lambda first: pairs(samples, evaluator, captions, batch, seed * FAR + first), losses,
            folder=folder, name=NAME, steps=steps, learning_rate=LEARNING_RATE, weight_decay=0.02,
            ema=EMA(network, 0.998),
        )  # fmt: skip
    evaluator.describe(folder)
    trained = OwnEvaluator.load(folder)
    for split in ("val", "test"):
        trained.scores[split] = held_out_precision(trained, motion_set, split)
    trained.describe(folder)
    return trained


def held_out_precision(
    evaluator: OwnEvaluator, motion_set: MotionSet, split: str, runs: int = 20
) -> dict[str, float]:
    """R-precision 1..3 and the matching score of measured windows; empty where the split is too small.

    Also for each source alone where it fills a group.
    """
    found = windows_of(motion_set, split)
    motions = evaluator.embed_motions([motion for _, motion in found]) if found else np.zeros((0, 1))
    random = np.random.default_rng(0)
    chosen = [[str(random.choice(window.captions)) for window, _ in found] for _ in range(3)]
    texts = [evaluator.embed_texts(captions) for captions in chosen] if found else []
    scores: dict[str, float] = {}
    for source in ("", *motion_set.sources()):
        part = np.array([i for i, (w, _) in enumerate(found) if source in ("", w.source)], dtype=int)
        if len(part) < metrics.GROUP:
            continue
        labels = [label_of(found[i][0].captions) for i in part]
        rows = []
        for run in range(runs):
            try:
                groups = part[metrics.distinct_groups(labels, random)]
            except ValueError:
                break
            precision, matching = metrics.r_precision(texts[run % 3], motions, groups)
            rows.append([*precision, matching])
        if rows:
            mean = np.mean(rows, axis=0)
            prefix = f"{source} " if source else ""
            for name, value in zip(("r1", "r2", "r3", "mm_dist"), mean, strict=True):
                scores[prefix + name] = round(float(value), 4)
    return scores
