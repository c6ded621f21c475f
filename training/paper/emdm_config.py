# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of EMDM's recipes: sentences on the HumanML3D folder, or classes of action."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from motion_engine.runtime.torch.paper.emdm import HEAD_WIDTH, GeneratorSizes
from motion_engine.runtime.torch.paper.skip_transformer import StackSizes
from training.paper.config import BundleSection, DataSection, merged, section


@dataclass(frozen=True)
class ActionSection:
    """Numbers a frame, frames a clip, classes of action."""

    features: int
    frames: int
    actions: int


@dataclass(frozen=True)
class GeneratorSection:
    """Sizes of the generator; heads are 32 numbers wide, and a text width of 0 stands for classes."""

    width: int
    layers: int
    feed_forward: int
    dropout: float
    noise_width: int
    text_width: int

    def __post_init__(self) -> None:
        if self.width % HEAD_WIDTH:
            raise ValueError(f"[generator] width is a multiple of {HEAD_WIDTH}, not {self.width}.")


@dataclass(frozen=True)
class GANSection:
    """Levels of noise, the kind of discriminator, optimisers, and weights of the losses.

    ``reconstruction`` is R and ``geometric`` lambda of L = L_adv + R (L_rec + lambda (L_pos + L_vel + L_foot)).
    """

    levels: int
    discriminator: Literal["mlp", "transformer"]
    epochs: int
    batch: int
    learning_rate: float
    discriminator_rate: float
    betas: list[float]
    ema: float
    condition_drop: float
    penalty: float
    penalty_every: int
    reconstruction: float
    geometric: float
    guidance: float


@dataclass(frozen=True)
class EMDMConfig:
    """All settings of one recipe: with ``data`` it learns sentences, with ``action`` classes."""

    generator: GeneratorSection
    gan: GANSection
    bundle: BundleSection | None = None
    data: DataSection | None = None
    action: ActionSection | None = None

    @property
    def frames(self) -> int:
        """Frames of every clip, padding included."""
        if self.data is not None:
            return self.data.longest
        assert self.action is not None
        return self.action.frames

    @property
    def features(self) -> int:
        """Numbers a frame."""
        section = self.data or self.action
        assert section is not None
        return section.features

    @property
    def sizes(self) -> GeneratorSizes:
        """Of the generator."""
        own = self.generator
        stack = StackSizes(own.width, own.layers, own.feed_forward, own.width // HEAD_WIDTH, own.dropout)
        actions = self.action.actions if self.action is not None else 0
        return GeneratorSizes(self.features, own.text_width, actions, own.noise_width, stack)

    @classmethod
    def read(cls, path: str | Path) -> EMDMConfig:
        """From a TOML file, or the name of one in ``training/configs``.

        Raises
        ------
        ValueError
            Names a section or key that is missing or unknown.
        """
        path, data = merged(path)
        kinds: dict[str, type[Any]] = {
            "generator": GeneratorSection, "gan": GANSection, "bundle": BundleSection, "data": DataSection,
            "action": ActionSection,
        }  # fmt: skip
        if unknown := sorted(set(data) - set(kinds)):
            raise ValueError(f"{path.name} is no recipe of EMDM: it has {', '.join(unknown)}.")
        needed = {"generator", "gan"}
        made: dict[str, Any] = {
            name: section(path, name, kind, data)
            for name, kind in kinds.items()
            if name in data or name in needed
        }
        config = cls(**made)
        if (config.data is None) == (config.action is None):
            raise ValueError(f"{path.name} needs one of the sections [data] and [action].")
        if (config.data is None) != (config.generator.text_width == 0):
            raise ValueError(
                f"{path.name}: [generator] text_width is 0 with [action], and only there; "
                f"it is {config.generator.text_width}."
            )
        if config.gan.discriminator not in ("mlp", "transformer"):
            raise ValueError(f"{path.name}: [gan] discriminator is 'mlp' or 'transformer'.")
        if config.data is not None and config.gan.discriminator == "transformer":
            raise ValueError(f"{path.name}: the transformer discriminator reads classes of action only.")
        return config


def is_emdm(path: str | Path) -> bool:
    """Whether a file of settings is a recipe of EMDM."""
    return "gan" in merged(path)[1]
