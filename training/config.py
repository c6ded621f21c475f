# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of settings for each bundle."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from motion_engine.runtime.torch.denoiser import DenoiserConfig
from motion_engine.runtime.torch.mote import MoTeConfig
from motion_engine.runtime.torch.vae import VAEConfig

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class BundleConfig:
    """What the manifest says about the bundle; ``smoothing`` is the width in frames of the filter after decoding."""

    name: str
    title: str
    version: str
    description: str
    licence: str
    text_encoder: str
    smoothing: float
    attribution: list[str]


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    fps, max_frames : rate, and longest clip in frames.
    sources : folders to import.
    shares : how often a batch draws from each source, and from the made clips ``joined``, ``layered``, ``repeated``,
        ``paced`` and ``strikes``.
    tempo_jitter : how much faster or slower clips are played, as a share of their tempo.
    joined, layered : how many clips are composed, one behind the other and arms on legs.
    repeated, paced : how many clips repeat an act one to five times, or walk slowly or fast.
    strikes : how many clips are single punches, cut from longer ones.
    rarity : how much more often items are drawn whose act few others show; see `training.data.rarity`.
    """

    fps: float
    max_frames: int
    sources: list[str]
    shares: dict[str, float]
    tempo_jitter: float
    joined: int
    layered: int
    repeated: int
    paced: int
    strikes: int
    rarity: float


@dataclass(frozen=True)
class VAETraining:
    """Steps, crops of ``crop`` frames a batch, peak learning rate, weight of the KL term."""

    steps: int
    batch: int
    crop: int
    learning_rate: float
    kl_weight: float


@dataclass(frozen=True)
class MLDTraining:
    """Steps, windows a batch, peak learning rate, share of captions that are dropped."""

    steps: int
    batch: int
    learning_rate: float
    caption_drop: float


@dataclass(frozen=True)
class LCMTraining:
    """Latent consistency distillation: guidance range, steps of the solver's grid, Huber c, EMA of the target.

    ``paths`` is how many of the teacher's paths from noise to its end are worked out in advance
    (`training.teacher_paths`), ``path_share`` how often a batch comes from them; 0 is MotionLCM as published.
    """

    steps: int
    batch: int
    learning_rate: float
    guidance_range: list[float]
    grid: int
    huber: float
    ema: float
    paths: int
    path_share: float


@dataclass(frozen=True)
class LCMMoments:
    """An adapter of the student that brings its takes as a whole nearer to the data: `training.train_lcm_moments`.

    Attributes
    ----------
    steps, batch, learning_rate, guidance_range, ema : as for `LCMTraining`.
    warm_up : steps in which the learning rate rises.
    sampler_steps : how many the sampler takes from noise to a clip.
    taught, weights : numbers of those, from 0, that learn, and how much each of them counts.
    queue : features that a moment is taken over.
    tokens : weight of the means of the judges' tokens, beside one for their embeddings.
    keep : weight of the distance to what the student made before, of Huber's kind with ``huber``.
    judge_width, judge_steps : of the evaluators that judge.
    rarity, shares : as for `DataConfig`: what is met should be what is measured, nearly as often as it is.
    """

    steps: int
    batch: int
    learning_rate: float
    guidance_range: list[float]
    ema: float
    warm_up: int
    sampler_steps: int
    taught: list[int]
    weights: list[float]
    queue: int
    tokens: float
    keep: float
    huber: float
    judge_width: int
    judge_steps: int
    rarity: float
    shares: dict[str, float]


@dataclass(frozen=True)
class AdapterSection:
    """Low-rank adaptation of the networks of ``bundle``, which the new bundle leans on; see `training.low_rank`."""

    bundle: str
    rank: int


@dataclass(frozen=True)
class ControlTraining:
    """Motion ControlNet: steps, windows a batch, peak learning rate, channels of the hint encoder, layers."""

    steps: int
    batch: int
    learning_rate: float
    hint_width: int
    layers: int


@dataclass(frozen=True)
class FrameControlTraining:
    """Control of decoded frames: steps, windows a batch, peak learning rate, channels, residual blocks."""

    steps: int
    batch: int
    learning_rate: float
    width: int
    blocks: int


@dataclass(frozen=True)
class EMDMSection:
    """EMDM: noise levels T, numbers of the random vector z, width and layers of the discriminator."""

    levels: int
    noise_width: int
    discriminator_width: int
    discriminator_layers: int


@dataclass(frozen=True)
class EMDMTraining:
    """Denoising diffusion GAN on latents.

    Attributes
    ----------
    steps, batch : steps, and windows a batch.
    learning_rate, discriminator_rate : peak learning rates.
    caption_drop : share of captions that are dropped.
    penalty, penalty_every : weight of R1 on the discriminator, and in which steps it is worked out.
    reconstruction : weights of the squared error of the latents where the generator sees noise alone, and where it sees
        clean data; between, they change with the share of signal.
    geometric, foot : weights of the decoded clip's reconstruction, and of the speed of feet that should stand.
    geometric_clips : clips of a batch that are decoded for these two.
    ema : decay of the average.
    warm_start : ``mld`` or ``motionlcm``: the network of the run that the generator begins with; empty for none. In
        motion space a bundle, from whose teacher it takes the layers (`training.motion_space`).
    """

    steps: int
    batch: int
    learning_rate: float
    discriminator_rate: float
    caption_drop: float
    penalty: float
    penalty_every: int
    reconstruction: list[float]
    geometric: float
    foot: float
    geometric_clips: int
    ema: float
    warm_start: str


@dataclass(frozen=True)
class CaptionerSection:
    """Caption side; see `motion_engine.runtime.torch.captioner.CaptionerConfig`."""

    width: int
    heads: int
    motion_layers: int
    text_layers: int
    decoder_layers: int
    token_width: int
    text_tokens: int


@dataclass(frozen=True)
class CaptionerTraining:
    """Training of the caption side.

    Attributes
    ----------
    steps, batch, learning_rate : as everywhere.
    word_drop : share of the words so far that the decoder does not get to see: it shall look at the motion. Dropout
        inside the networks would do the same at twice the time on a CPU.
    contrast : weight of the contrastive loss beside the two of sentences.
    text_noise : largest deviation of the noise on a sentence's tokens, which are of unit variance.
    """

    steps: int
    batch: int
    learning_rate: float
    word_drop: float
    contrast: float
    text_noise: float


@dataclass(frozen=True)
class SelfCritical:
    """Training of the caption decoder on the score of what it says; see `training.train_self_critical`.

    Attributes
    ----------
    steps, batch, learning_rate : as everywhere.
    samples : sentences that are drawn of each clip, and compared.
    fit : weight of the similarity of sentence and motion in the joint space beside CIDEr-D.
    unheard : what each three words in a row cost that no caption of the training windows has.
    length : what a sentence is worth that is as long as people's of the clip; shorter ones get their share.
    likelihood : weight of the cross-entropy of people's captions beside the loss on the decoder's own.
    rarity, shares : in place of those of ``[data]``.
    """

    steps: int
    batch: int
    samples: int
    fit: float
    unheard: float
    length: float
    likelihood: float
    learning_rate: float
    rarity: float
    shares: dict[str, float]


@dataclass(frozen=True)
class MoTeTraining:
    """Training of MoTe.

    Attributes
    ----------
    motion_steps, motion_batch, motion_rate : steps, windows a batch and peak learning rate of the motion
        encoder-decoder.
    token_noise : deviation of the noise on its tokens, which are of unit variance.
    steps, batch, learning_rate : of the diffusion model.
    """

    motion_steps: int
    motion_batch: int
    motion_rate: float
    token_noise: float
    steps: int
    batch: int
    learning_rate: float


@dataclass(frozen=True)
class Config:
    """All settings of one bundle."""

    bundle: BundleConfig
    data: DataConfig
    vae: VAEConfig
    denoiser: DenoiserConfig
    vae_training: VAETraining
    mld_training: MLDTraining
    lcm_training: LCMTraining
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    adapter: AdapterSection | None = None
    lcm_moments: LCMMoments | None = None
    control_training: ControlTraining | None = None
    frame_control_training: FrameControlTraining | None = None
    emdm: EMDMSection | None = None
    emdm_training: EMDMTraining | None = None
    captioner: CaptionerSection | None = None
    captioner_training: CaptionerTraining | None = None
    self_critical: SelfCritical | None = None
    mote: MoTeConfig | None = None
    mote_training: MoTeTraining | None = None

    @classmethod
    def read(cls, path: str | Path) -> Config:
        """From a TOML file, or the name of one in ``training/configs``.

        Raises
        ------
        ValueError
            Names a section or key that is missing or unknown.
        """
        path = Path(path)
        if not path.suffix:
            path = CONFIGS / f"{path.name}.toml"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
            raise ValueError(f"There is no configuration {path}. Shipped ones: {known}.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        sections = {
            "bundle": BundleConfig,
            "data": DataConfig,
            "vae": VAEConfig,
            "denoiser": DenoiserConfig,
            "vae_training": VAETraining,
            "mld_training": MLDTraining,
            "lcm_training": LCMTraining,
        }
        made: dict[str, Any] = {name: _section(path, name, kind, data) for name, kind in sections.items()}
        optional = {
            "lcm_moments": LCMMoments,
            "control_training": ControlTraining,
            "frame_control_training": FrameControlTraining,
            "emdm": EMDMSection,
            "adapter": AdapterSection,
            "emdm_training": EMDMTraining,
            "captioner": CaptionerSection,
            "captioner_training": CaptionerTraining,
            "self_critical": SelfCritical,
            "mote": MoTeConfig,
            "mote_training": MoTeTraining,
        }
        for name, kind in optional.items():
            if name in data:
                made[name] = _section(path, name, kind, data)
        return cls(**made, presets=data.get("presets", {}))


_Section = TypeVar("_Section")


def _section(path: Path, name: str, kind: type[_Section], data: dict[str, Any]) -> _Section:
    given = data.get(name)
    if given is None:
        raise ValueError(f"{path.name} lacks the section [{name}].")
    expected = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    wrong = sorted(expected.symmetric_difference(given))
    if wrong:
        raise ValueError(f"{path.name}, section [{name}]: missing or unknown {', '.join(wrong)}.")
    return kind(**given)
