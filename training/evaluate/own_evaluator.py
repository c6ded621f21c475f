# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own evaluator: texts and motions in one space, in the design of Guo et al. 2022, on the features of our bundles.

A movement encoder (two convolutions with stride two) turns four frames into a token, a bidirectional GRU reads the
tokens; the text side reads the token features of the frozen text encoder with a bidirectional GRU. The official
network is in `t2m_evaluator`; its weights are bound to HumanML3D, ours are trained by `train_evaluator`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from motion_engine import features
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion
from training.data.loader import Normaliser
from training.data.motion_set import Item
from training.evaluate.held_out import LONGEST, SHORTEST
from training.loop import load_average
from training.text import CaptionFeatures

Array = NDArray[np.floating]

NAME = "evaluator"
STRIDE = 4
"""Frames a token."""


FEATURES = {
    "full": slice(0, features.CONTACTS.start),
    "essential": slice(0, features.JOINTS.stop),
}
"""Numbers a frame that the evaluator sees: all but the contacts (259), or root and joint positions only (67).

The second leaves out what follows from the first; see the critique of MARDM (Meng et al. 2024).
"""

ROOT_WEIGHT = 5.0
"""The four numbers of the root are scaled up, as Guo et al. do, so that 255 others do not drown them."""


class Evaluator(Protocol):
    """Anything that puts motions and captions into one space."""

    name: str

    def embed_motions(self, motions: Sequence[Motion]) -> Array:
        """Embeddings (N, D)."""

    def embed_texts(self, captions: Sequence[str]) -> Array:
        """Embeddings (N, D)."""


@dataclass(frozen=True)
class EvaluatorConfig:
    """Sizes, and what it sees.

    Attributes
    ----------
    features : ``full`` or ``essential``, see `FEATURES`.
    loss : ``infonce`` (embeddings of unit length) or ``margin`` (Guo et al.).
    """

    text_encoder: str
    fps: float = 20.0
    features: str = "full"
    loss: str = "infonce"
    width: int = 256
    embedding: int = 128
    text_width: int = 384
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ValueError(
                f"An evaluator looks at {' or '.join(FEATURES)} features, not {self.features!r}."
            )
        if self.loss not in ("infonce", "margin"):
            raise ValueError(f"The loss of an evaluator is infonce or margin, not {self.loss!r}.")


class RecurrentHead(nn.Module):
    """Bidirectional GRU over (B, L, width) of given lengths; an embedding (B, out) from its two last states."""

    def __init__(self, width: int, out: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(2, 1, width) * 0.1)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.out = nn.Sequential(
            nn.Linear(2 * width, width),
            nn.LayerNorm(width),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Linear(width, out),
        )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Lengths (B,) on the CPU, at least 1."""
        packed = pack_padded_sequence(tokens, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, self.start.to(tokens.dtype).expand(-1, len(tokens), -1).contiguous())
        return self.out(torch.cat([last[0], last[1]], dim=-1))


class EvaluatorNetwork(nn.Module):
    """Both sides of the evaluator."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        seen = FEATURES[config.features]
        width = config.width
        self.first = nn.Conv1d(seen.stop - seen.start, width, 4, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.between = nn.Sequential(nn.Dropout(config.dropout), nn.LeakyReLU(0.2))
        self.token = nn.Linear(width, width)
        self.motion_head = RecurrentHead(width, config.embedding, config.dropout)
        self.word = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.text_width, width))
        self.text_head = RecurrentHead(width, config.embedding, config.dropout)
        self.unit_length = config.loss == "infonce"

    def motion(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, D) of normalised features (B, T, n), of which ``lengths`` (B,) frames are real.

        Lengths are cut to whole tokens and everything behind them is zero in front of each convolution, so that an
        embedding does not depend on what else is in the batch.
        """
        return self.embed(*self.tokens(rows, lengths))

    def tokens(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the movement encoder makes of such features: tokens (B, T / 4, width), and how many are real (B,)."""
        count = lengths // STRIDE
        x = (rows * _mask(count * STRIDE, rows.shape[1], rows)).transpose(1, 2)
        x = self.between(self.first(x))
        x = x * _mask(count * (STRIDE // 2), x.shape[2], x).transpose(1, 2)
        return self.token(self.between(self.second(x)).transpose(1, 2)), count

    def embed(self, tokens: Tensor, count: Tensor) -> Tensor:
        """Embeddings (B, D) of tokens of which ``count`` (B,) are real."""
        return self._scaled(self.motion_head(tokens, count.cpu()))

    def text(self, words: Tensor, mask: Tensor) -> Tensor:
        """Embeddings (B, D) of token features (B, S, width) with their mask (B, S)."""
        return self._scaled(self.text_head(self.word(words), mask.sum(dim=1).cpu()))

    def _scaled(self, embedding: Tensor) -> Tensor:
        return F.normalize(embedding.float(), dim=-1) if self.unit_length else embedding.float()


def _mask(lengths: Tensor, longest: int, like: Tensor) -> Tensor:
    """(B, longest, 1): one where the index is below the length."""
    return (torch.arange(longest, device=like.device) < lengths[:, None].to(like.device))[..., None].to(like)


def reference_stats(rows: Sequence[Array]) -> Normaliser:
    """The evaluator's own statistics, from features (T, 263) of measured motions."""
    fitted = Normaliser.fit([Item(row.astype(np.float32), (), "", "") for row in rows])
    std = fitted.std.copy()
    std[: features.JOINTS.start] /= ROOT_WEIGHT
    return Normaliser(fitted.mean, std)


class OwnEvaluator:
    """A trained evaluator, ready to embed.

    Parameters
    ----------
    cache : file of caption features; they are computed once.
    """

    def __init__(
        self,
        network: EvaluatorNetwork,
        config: EvaluatorConfig,
        normaliser: Normaliser,
        cache: Path,
        scores: dict[str, Any] | None = None,
    ) -> None:
        self.network = network.eval()
        self.config = config
        self.normaliser = normaliser
        self.scores = scores or {}
        self.name = f"own, {FEATURES[config.features].stop} features"
        self._cache = cache
        self._asked: set[str] = set()

    @classmethod
    def load(cls, folder: Path) -> OwnEvaluator:
        """From the folder that ``python -m training evaluator`` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no finished evaluator in it.
        """
        described = folder / f"{NAME}.json"
        if not described.exists():
            raise FileNotFoundError(
                f"{folder} holds no finished evaluator: make one with `python -m training evaluator --run {folder}`."
            )
        data = json.loads(described.read_text(encoding="utf-8"))
        config = EvaluatorConfig(**data["config"])
        network = EvaluatorNetwork(config)
        load_average(network, folder / f"{NAME}.pt")
        normaliser = Normaliser.load(folder / f"{NAME}_stats.npz")
        return cls(network, config, normaliser, folder / "embedded_captions.npz", data["scores"])

    def describe(self, folder: Path) -> None:
        """Write ``evaluator.json``, which marks the evaluator as finished."""
        with replacing(folder / f"{NAME}.json") as file:
            data = {"config": asdict(self.config), "scores": self.scores}
            file.write((json.dumps(data, indent=2) + "\n").encode("utf-8"))

    @torch.no_grad()
    def embed_motions(self, motions: Sequence[Motion]) -> Array:
        """Embeddings (N, D) float32."""
        rows = [self.prepare(features.encode(motion.resample(self.config.fps))) for motion in motions]
        out = np.zeros((len(rows), self.config.embedding), dtype=np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            padded, lengths = pad([rows[i] for i in chosen])
            out[chosen] = self.network.motion(padded, lengths).numpy()
        return out

    def prepare(self, rows: Array) -> Array:
        """From features (T, 263) to what the network reads: normalised, sliced, of a length it can take."""
        rows = rows[:LONGEST]
        if len(rows) < SHORTEST:
            rows = np.pad(rows, ((0, SHORTEST - len(rows)), (0, 0)), mode="edge")
        return self.normaliser.apply(rows).astype(np.float32)[:, FEATURES[self.config.features]]

    @torch.no_grad()
    def embed_texts(self, captions: Sequence[str]) -> Array:
        """Embeddings (N, D) float32."""
        self._asked.update(captions)  # the cache keeps what it is asked for, so it is asked for everything
        known = CaptionFeatures(self._asked, self.config.text_encoder, self._cache)
        out = [
            self.network.text(*known.batch(list(captions[start : start + 64])))
            for start in range(0, len(captions), 64)
        ]
        return torch.cat(out).numpy()


def pad(rows: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Rows (T, n) of several lengths as one tensor (B, longest, n) with zeros behind, and the lengths (B,)."""
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.zeros(len(rows), int(lengths.max()), rows[0].shape[1])
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.from_numpy(row)
    return padded, lengths
