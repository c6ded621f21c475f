# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a paper's recipe: one file each, a file may extend another."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from motion_engine.runtime.torch.paper.denoiser import DenoiserSizes
from motion_engine.runtime.torch.paper.skip_transformer import StackSizes
from motion_engine.runtime.torch.paper.vae import VAESizes
from training.config import CONFIGS


@dataclass(frozen=True)
class BundleSection:
    """What the manifest says."""

    name: str
    title: str
    version: str
    description: str
    licence: str
    attribution: list[str]


@dataclass(frozen=True)
class DataSection:
    """Rate, layout of a frame, clip lengths in frames; how lengths are cut to whole units."""

    fps: float
    features: int
    joints: int
    shortest: int
    longest: int
    unit: int
    unit_drop: float


@dataclass(frozen=True)
class NetworksSection:
    """Sizes of all networks."""

    version: Literal["v1", "v2"]
    latents: int
    channels: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    dropout: float
    time_width: int
    text_width: int
    text_encoder: Literal["t5", "clip"]

    def __post_init__(self) -> None:
        if (self.version == "v1") != (self.channels == self.width):
            rule = f"channels = {self.width}" if self.version == "v1" else f"channels other than {self.width}"
            raise ValueError(f"Networks of {self.version} with width = {self.width} have {rule}.")

    @property
    def stack(self) -> StackSizes:
        """The transformer that all share."""
        return StackSizes(self.width, self.layers, self.feed_forward, self.heads, self.dropout)

    def vae(self, features: int) -> VAESizes:
        """Sizes of the VAE for that many numbers a frame."""
        return VAESizes(features, self.latents, self.channels, self.stack)

    def denoiser(self, guided: bool) -> DenoiserSizes:
        """Sizes of the teacher, or with ``guided`` of the student."""
        return DenoiserSizes(
            self.channels, self.text_width, self.time_width, self.version == "v2", guided, self.stack
        )


@dataclass(frozen=True)
class VAESection:
    """Optimiser and weights of the losses; ``mask_loss`` leaves padded frames out of the mean."""

    epochs: int
    batch: int
    learning_rate: float
    cosine: bool
    warm_up: int
    joint_weight: float
    kl_weight: float
    mask_loss: bool


@dataclass(frozen=True)
class MLDSection:
    """Optimiser; share of captions that are replaced by the empty one."""

    epochs: int
    batch: int
    learning_rate: float
    cosine: bool
    warm_up: int
    caption_drop: float


@dataclass(frozen=True)
class LCMSection:
    """Optimiser and distillation: range of w, steps of the solver's grid, Huber c, decay of the target network."""

    epochs: int
    batch: int
    learning_rate: float
    cosine: bool
    warm_up: int
    betas: list[float]
    guidance_range: list[float]
    grid: int
    huber: float
    ema: float


@dataclass(frozen=True)
class ControlSection:
    """Optimiser; hidden width of the map of the trajectory, weight of the joints, range of w, steps of the grid."""

    epochs: int
    batch: int
    learning_rate: float
    cosine: bool
    warm_up: int
    width: int
    weight: float
    guidance_range: list[float]
    grid: int


@dataclass(frozen=True)
class PaperConfig:
    """All settings of one recipe; without ``motionlcm`` it ends with the teacher, without ``control`` with that."""

    bundle: BundleSection
    data: DataSection
    networks: NetworksSection
    vae: VAESection
    mld: MLDSection
    motionlcm: LCMSection | None = None
    control: ControlSection | None = None

    @classmethod
    def read(cls, path: str | Path) -> PaperConfig:
        """From a TOML file, or the name of one in ``training/configs``.

        Raises
        ------
        ValueError
            Names a section or key that is missing or unknown.
        """
        path, data = merged(path)
        if unknown := sorted(set(data) - {f.name for f in fields(cls)}):
            raise ValueError(f"{path.name} is no recipe of a paper: it has {', '.join(unknown)}.")
        kinds = {
            "bundle": BundleSection, "data": DataSection, "networks": NetworksSection, "vae": VAESection,
            "mld": MLDSection, "motionlcm": LCMSection, "control": ControlSection,
        }  # fmt: skip
        optional = {f.name for f in fields(cls) if f.default is not MISSING}
        made: dict[str, Any] = {
            name: section(path, name, kind, data)
            for name, kind in kinds.items()
            if name in data or name not in optional
        }
        return cls(**made)


def merged(path: str | Path) -> tuple[Path, dict[str, Any]]:
    """The file of a recipe and what it says, that of the file which it extends below it."""
    path = Path(path)
    if not path.suffix:
        path = CONFIGS / f"{path.name}.toml"
    if not path.exists():
        known = ", ".join(
            sorted(p.stem for p in CONFIGS.glob("*.toml") if p.stem.startswith(("human", "kit")))
        )
        raise ValueError(f"There is no recipe {path}. Shipped ones: {known}.")
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    if parent := data.pop("extends", None):
        sibling = path.with_name(f"{parent}.toml")
        _, below = merged(sibling if sibling.exists() else parent)
        data = {name: below.get(name, {}) | data.get(name, {}) for name in below | data}
    return path, data


Section = TypeVar("Section")


def section(path: Path, name: str, kind: type[Section], data: dict[str, Any]) -> Section:
    """One section; ValueError names keys that are missing or unknown."""
    expected = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    wrong = sorted(expected.symmetric_difference(data.get(name, {})))
    if wrong:
        raise ValueError(f"{path.name}, section [{name}]: missing or unknown {', '.join(wrong)}.")
    return kind(**data[name])
