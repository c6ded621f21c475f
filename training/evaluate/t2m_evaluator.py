# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator of Guo et al. 2022 (HumanML3D), loadable from its official file ``finest.tar``.

Three networks: a movement encoder (four frames a token), a motion encoder and a text encoder (bidirectional GRUs).
The names of the parameters are the official ones. Its weights are a separate download and may be used for research.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from motion_engine import features
from motion_engine.motion import Motion
from training.evaluate.glove import Glove, TaggedCaption

Array = NDArray[np.floating]

FPS = 20.0
UNIT = 4
"""Frames a token."""

PARTS = ("movement_encoder", "motion_encoder", "text_encoder")
_ADVICE = (
    "Download the evaluator of HumanML3D (text_mot_match/model/finest.tar) again, or name the right file."
)


class MovementEncoder(nn.Module):
    """Features without contacts (B, T, 259) to tokens (B, T // 4, out)."""

    def __init__(self, inputs: int, hidden: int, out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(inputs, hidden, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden, out, 4, 2, 1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
        )
        self.out_net = nn.Linear(out, out)

    def forward(self, rows: Tensor) -> Tensor:
        """Tokens."""
        return self.out_net(self.main(rows.transpose(1, 2)).transpose(1, 2))


class _RecurrentEncoder(nn.Module):
    """Linear, bidirectional GRU from a learned state, two-layer head on the two last states."""

    def __init__(self, inputs: int, hidden: int, out: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(inputs, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, out)
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, out) of tokens (B, L, inputs) with lengths (B,), in any order."""
        state = self.hidden.expand(-1, len(tokens), -1).contiguous()
        packed = pack_padded_sequence(
            self.input_emb(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, last = self.gru(packed, state)
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class MotionEncoder(_RecurrentEncoder):
    """Tokens of the movement encoder (B, L, inputs) to embeddings (B, out)."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Lengths (B,) are frames // 4."""
        return self.encode(tokens, lengths)


class T2MTextEncoder(_RecurrentEncoder):
    """Word vectors plus a map of the part of speech to embeddings (B, out)."""

    def __init__(self, words: int, tags: int, hidden: int, out: int) -> None:
        super().__init__(words, hidden, out)
        self.pos_emb = nn.Linear(tags, words)

    def forward(self, words: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Words (B, S, 300), one-hot tags (B, S, 15), lengths (B,)."""
        return self.encode(words + self.pos_emb(tags), lengths)


def build(weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, nn.Module]:
    """The three networks in the sizes of ``weights`` (part to state dict), in eval mode.

    Raises
    ------
    ValueError
        Names the parts or tensors that are missing, unknown or of a wrong shape.
    """
    missing = [part for part in PARTS if part not in weights]
    if missing:
        raise ValueError(f"This is no evaluator of HumanML3D: it lacks {', '.join(missing)}. {_ADVICE}")

    def shape(part: str, name: str) -> tuple[int, ...]:
        if name not in weights[part]:
            raise ValueError(f"This is no evaluator of HumanML3D: {part} lacks {name}. {_ADVICE}")
        return tuple(weights[part][name].shape)

    hidden, inputs = shape("movement_encoder", "main.0.weight")[:2]
    made: dict[str, nn.Module] = {
        "movement_encoder": MovementEncoder(inputs, hidden, shape("movement_encoder", "out_net.weight")[0]),
    }
    width, tokens = shape("motion_encoder", "input_emb.weight")
    made["motion_encoder"] = MotionEncoder(tokens, width, shape("motion_encoder", "output_net.3.weight")[0])
    width, words = shape("text_encoder", "input_emb.weight")
    made["text_encoder"] = T2MTextEncoder(
        words,
        shape("text_encoder", "pos_emb.weight")[1],
        width,
        shape("text_encoder", "output_net.3.weight")[0],
    )
    for part, network in made.items():
        try:
            network.load_state_dict(dict(weights[part]))
        except RuntimeError as error:
            raise ValueError(f"The {part} does not fit: {error} {_ADVICE}") from error
        network.eval()
    return made


def read_finest(path: Path) -> dict[str, dict[str, Tensor]]:
    """State dicts of the three networks from the official file; nothing executable is unpickled.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is another one.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no evaluator {path}. {_ADVICE}")
    try:
        data: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than weights and is not opened. {_ADVICE}") from error
    except Exception as error:  # on garbage the reader raises whatever it stumbles over
        raise ValueError(f"{path} cannot be read: {error}. {_ADVICE}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no state dicts but a {type(data).__name__}. {_ADVICE}")
    found = {part: data[part] for part in PARTS if isinstance(data.get(part), dict)}
    missing = [part for part in PARTS if part not in found]
    if missing:
        raise ValueError(f"{path} is no evaluator of HumanML3D: it lacks {', '.join(missing)}. {_ADVICE}")
    return found


class T2MEvaluator:
    """The official evaluator, ready to embed motions and tagged captions.

    Parameters
    ----------
    mean, std : (263,) the evaluator's own statistics (``Comp_v6_KLD01``).
    offsets : (22, 3) bone offsets of HumanML3D's target skeleton in metres.
    glove : word vectors and tags.
    """

    name = "Guo et al., 263 features"

    def __init__(
        self,
        weights: Mapping[str, Mapping[str, Tensor]],
        mean: Array,
        std: Array,
        offsets: Array,
        glove: Glove,
    ) -> None:
        self._networks = build(weights)
        self._mean, self._std, self._offsets = mean, std, offsets
        self._glove = glove

    @torch.no_grad()
    def embed_features(self, rows: Sequence[Array]) -> Array:
        """Embeddings (N, 512) of HumanML3D features (T, 263), not normalised, of four frames or more."""
        out = []
        for clip in rows:
            normalised = ((clip - self._mean) / self._std)[None, :, : features.CONTACTS.start]
            tokens = self._networks["movement_encoder"](torch.from_numpy(normalised.astype(np.float32)))
            length = torch.tensor([len(clip) // UNIT])
            out.append(self._networks["motion_encoder"](tokens, length)[0].numpy())
        return np.stack(out)

    def embed_motions(self, motions: Sequence[Motion]) -> Array:
        """Embeddings (N, 512): motions are brought to HumanML3D's skeleton and features first."""
        return self.embed_features(
            [
                features.encode_joints(features.to_humanml3d(motion.resample(FPS).joints, self._offsets))
                for motion in motions
            ]
        )

    @torch.no_grad()
    def embed_tagged(self, captions: Sequence[TaggedCaption]) -> Array:
        """Embeddings (N, 512) of captions with parts of speech."""
        out = []
        for caption in captions:
            words, tags, length = self._glove.encode(caption)
            embedded = self._networks["text_encoder"](
                torch.from_numpy(words)[None], torch.from_numpy(tags)[None], torch.tensor([length])
            )
            out.append(embedded[0].numpy())
        return np.stack(out)
