# SPDX-License-Identifier: GPL-3.0-or-later
"""The caption side of a bundle: graphs, weights, words, and what the manifest says of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from motion_engine.runtime.torch import onnx_graph
from motion_engine.runtime.torch.captioner import MAX_WORDS
from motion_engine.runtime.torch.mote import MoTeConfig, MotionTextDenoiser, MotionTokens
from training.train_captioner import Captioner
from training.vocabulary import NAME as WORDS
from training.vocabulary import Vocabulary


@dataclass(frozen=True)
class CaptionSide:
    """Joint space and captioner with their words; MoTe's networks with their sizes, or None."""

    networks: Captioner
    vocabulary: Vocabulary
    motion_tokens: MotionTokens | None = None
    mote: MotionTextDenoiser | None = None
    sizes: MoTeConfig | None = None

    @property
    def tasks(self) -> list[str]:
        """What a bundle with these networks offers."""
        more = ["joint"] if self.mote is not None else []
        return ["motion_to_text", "embed", "variation", *more]

    def settings(self) -> dict[str, Any]:
        """Sizes, for the manifest's ``networks``."""
        found: dict[str, Any] = {"captioner": asdict(self.networks.config)}
        return found | ({"mote": asdict(self.sizes)} if self.sizes is not None else {})

    def samplers(self, presets: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """MoTe as a sampler of motion, where its networks are there and ``presets`` has it."""
        return {"mote": dict(presets["mote"])} if self.mote is not None and "mote" in presets else {}

    def section(self, preset: dict[str, Any]) -> dict[str, Any]:
        """The manifest's ``captions``."""
        config = self.networks.config
        return {
            **preset,
            "words_file": WORDS,
            "max_words": MAX_WORDS,
            "embedding": config.token_width,
            "text_tokens": config.text_tokens,
            **({"motion_tokens": self.sizes.motion_tokens} if self.sizes is not None else {}),
        }

    def export(self, folder: Path) -> list[str]:
        """Write all networks and the words; returns the names of the files.

        Shapes: B clips or sentences, L latents, S tokens of the text encoder, K tokens of memory, N words so far.
        """
        config = self.networks.config
        latents = torch.randn(2, 7, self.networks.motion.latent_in.in_features)
        mask = torch.ones(2, 7, dtype=torch.bool)
        mask[1, 5:] = False
        clip = {"latents": {0: "batch", 1: "latents"}, "mask": {0: "batch", 1: "latents"}}
        text = {"text": torch.randn(2, 5, config.text_width), "text_mask": torch.ones(2, 5, dtype=torch.bool)}
        sentence = {"text": {0: "batch", 1: "tokens"}, "text_mask": {0: "batch", 1: "tokens"}}
        memory = {
            "memory": torch.randn(2, 6, config.token_width),
            "memory_mask": torch.ones(2, 6, dtype=torch.bool),
            "words": torch.ones(2, 3, dtype=torch.int64),
        }
        written = {
            "memory": {0: "batch", 1: "memory"}, "memory_mask": {0: "batch", 1: "memory"},
            "words": {0: "batch", 1: "words"}, "out": {0: "batch"},
        }  # fmt: skip
        rows = {"out": {0: "batch", 1: "rows"}}
        self.vocabulary.save(folder)
        files = [WORDS]
        files += onnx_graph.export(
            self.networks.motion, {"latents": latents, "mask": mask}, clip | rows, folder, "caption_encoder"
        )
        files += onnx_graph.export(
            self.networks.text, text, sentence | {"out": {0: "batch"}}, folder, "text_reader"
        )
        files += onnx_graph.export(self.networks.decoder, memory, written, folder, "text_decoder")
        if self.motion_tokens is None or self.mote is None or self.sizes is None:
            return files
        tokens = torch.randn(2, self.sizes.motion_tokens, config.token_width)
        files += onnx_graph.export(
            self.motion_tokens.encoder,
            {"latents": latents, "mask": mask},
            clip | {"out": {0: "batch"}},
            folder,
            "motion_encoder",
        )
        files += onnx_graph.export(
            self.motion_tokens.decoder,
            {"tokens": tokens, "mask": mask},
            {"tokens": {0: "batch"}, "mask": clip["mask"], "out": {0: "batch", 1: "latents"}},
            folder,
            "motion_decoder",
        )
        both = {
            "motion": tokens,
            "text": torch.randn(2, config.text_tokens, config.token_width),
            "motion_time": torch.tensor([500.0, 10.0]),
            "text_time": torch.tensor([0.0, 999.0]),
        }
        batch = {name: {0: "batch"} for name in (*both, "out")}
        return files + onnx_graph.export(self.mote, both, batch, folder, "mote")
