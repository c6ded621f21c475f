# SPDX-License-Identifier: GPL-3.0-or-later
"""MoTe: one diffusion model of motion and text (motion-text diffusion model, "MoTe", 2024), on tokens of both.

A motion is a few tokens (`MotionTokens`, the motion encoder-decoder, on top of the latents of the VAE), a sentence a
few more (`motion_engine.runtime.torch.captioner`). `MotionTextDenoiser` denoises both, each at a time of its own
(UniDiffuser, Bao et al. 2023): with clean text it makes motion, with clean motion text, with both noisy a pair, and
where one is noise alone what it says of the other is unconditional.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motion_engine.runtime.torch.captioner import TransformerLayer
from motion_engine.runtime.torch.denoiser import MAX_LATENTS, TIME_WIDTH, Attention, sinusoid

INTERACTIONS = ("in_context", "cross_attention", "adaln")


@dataclass(frozen=True)
class MoTeConfig:
    """Sizes of the motion encoder-decoder and of the motion-text diffusion model.

    Attributes
    ----------
    width, heads, layers : of the diffusion model; ``layers`` pairs of blocks.
    encoder_layers, decoder_layers : of the motion encoder-decoder, of the same width.
    motion_tokens : l, tokens of a motion.
    interaction : how the two halves of a pair of blocks see each other, one of `INTERACTIONS`.
    """

    width: int
    heads: int
    layers: int
    encoder_layers: int
    decoder_layers: int
    motion_tokens: int
    interaction: str

    def __post_init__(self) -> None:
        if self.interaction not in INTERACTIONS:
            raise ValueError(f"interaction is one of {', '.join(INTERACTIONS)}, not {self.interaction!r}.")


class MotionEncoder(nn.Module):
    """Normalised latents (B, L, C) and their mask (B, L) to tokens (B, l, token width) of unit variance."""

    def __init__(self, config: MoTeConfig, channels: int, token_width: int) -> None:
        super().__init__()
        width = config.width
        self.latent_in = nn.Linear(channels, width)
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.length = nn.Linear(TIME_WIDTH, width)
        self.queries = nn.Parameter(torch.randn(config.motion_tokens, width) * 0.1)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads) for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.token_out = nn.Sequential(
            nn.Linear(width, token_width), nn.LayerNorm(token_width, elementwise_affine=False)
        )

    def forward(self, latents: Tensor, mask: Tensor) -> Tensor:
        """What lies behind a clip's length has no influence."""
        count = len(self.queries)
        length = self.length(sinusoid(mask.to(latents.dtype).sum(dim=1), TIME_WIDTH))[:, None]
        x = torch.cat(
            [self.queries + length, self.latent_in(latents) + self.positions[: latents.shape[1]]], dim=1
        )
        seen = torch.cat([torch.ones_like(mask[:, :1]).expand(-1, count), mask], dim=1)
        for layer in self.layers:
            x = layer(x, seen)
        return self.token_out(self.norm(x[:, :count]))


class MotionDecoder(nn.Module):
    """Tokens (B, l, token width) and the mask (B, L) of a clip's latents to these latents (B, L, C)."""

    def __init__(self, config: MoTeConfig, channels: int, token_width: int) -> None:
        super().__init__()
        width = config.width
        self.positions = nn.Parameter(torch.randn(MAX_LATENTS, width) * 0.02)
        self.length = nn.Linear(TIME_WIDTH, width)
        self.token_in = nn.Linear(token_width, width)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.heads, width) for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.latent_out = nn.Linear(width, channels)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The mask also says how long the clip is."""
        length = self.length(sinusoid(mask.to(tokens.dtype).sum(dim=1), TIME_WIDTH))[:, None]
        x = self.positions[: mask.shape[1]] + length
        context = self.token_in(tokens)
        for layer in self.layers:
            x = layer(x, mask, context)
        return self.latent_out(self.norm(x))


class MotionTokens(nn.Module):
    """Motion encoder-decoder (MED): a clip's latents as l tokens, whatever its length, and back."""

    def __init__(self, config: MoTeConfig, channels: int, token_width: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(config, channels, token_width)
        self.decoder = MotionDecoder(config, channels, token_width)

    def forward(self, latents: Tensor, mask: Tensor, noise: float = 0.0) -> Tensor:
        """Latents again; ``noise`` is the deviation of what is added to the tokens, so that near misses decode too."""
        tokens = self.encoder(latents, mask)
        return self.decoder(tokens + noise * torch.randn_like(tokens), mask)


class InContext(nn.Module):
    """Both modalities in one self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, width)

    def forward(self, motion: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B, l, width) and (B, s, width), in and out."""
        x = torch.cat([motion, text], dim=1)
        y = self.norm(x)
        x = x + self.attention(y, y, None)
        return x[:, : motion.shape[1]], x[:, motion.shape[1] :]


class CrossAttention(nn.Module):
    """Each modality attends to the other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_motion, self.norm_text = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_text, self.to_motion = Attention(width, heads, width), Attention(width, heads, width)

    def forward(self, motion: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B, l, width) and (B, s, width), in and out."""
        m, t = self.norm_motion(motion), self.norm_text(text)
        return motion + self.to_text(m, t, None), text + self.to_motion(t, m, None)


class AdaLN(nn.Module):
    """Each modality is shifted, scaled and gated by the mean of the other (Peebles & Xie 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.of_text, self.of_motion = self._branch(width), self._branch(width)
        self.motion, self.text = nn.Linear(width, width), nn.Linear(width, width)

    @staticmethod
    def _branch(width: int) -> nn.Sequential:
        return nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, motion: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B, l, width) and (B, s, width), in and out."""
        from_text = self.of_text(text.mean(dim=1, keepdim=True)).chunk(3, dim=-1)
        from_motion = self.of_motion(motion.mean(dim=1, keepdim=True)).chunk(3, dim=-1)
        return (
            motion + from_text[2] * self.motion(self.norm(motion) * (1 + from_text[1]) + from_text[0]),
            text + from_motion[2] * self.text(self.norm(text) * (1 + from_motion[1]) + from_motion[0]),
        )


_INTERACTION = {"in_context": InContext, "cross_attention": CrossAttention, "adaln": AdaLN}


class BlockPair(nn.Module):
    """A pair of blocks: one transformer layer a modality, then the interaction."""

    def __init__(self, config: MoTeConfig) -> None:
        super().__init__()
        self.motion = TransformerLayer(config.width, config.heads)
        self.text = TransformerLayer(config.width, config.heads)
        self.interaction = _INTERACTION[config.interaction](config.width, config.heads)

    def forward(self, motion: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B, l, width) and (B, s, width), in and out."""
        found: tuple[Tensor, Tensor] = self.interaction(self.motion(motion, None), self.text(text, None))
        return found


class MotionTextDenoiser(nn.Module):
    """Velocities of motion and text tokens, noisy at times of their own.

    Velocity and schedule are those of `motion_engine.samplers.schedule`, for both.
    """

    def __init__(self, config: MoTeConfig, token_width: int, text_tokens: int) -> None:
        super().__init__()
        width = config.width
        self.motion_in, self.text_in = nn.Linear(token_width, width), nn.Linear(token_width, width)
        self.motion_positions = nn.Parameter(torch.randn(config.motion_tokens, width) * 0.02)
        self.text_positions = nn.Parameter(torch.randn(text_tokens, width) * 0.02)
        self.motion_time, self.text_time = self._time(width), self._time(width)
        self.pairs = nn.ModuleList(BlockPair(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.motion_out, self.text_out = nn.Linear(width, token_width), nn.Linear(width, token_width)
        for last in (self.motion_out, self.text_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @staticmethod
    def _time(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, motion: Tensor, text: Tensor, motion_time: Tensor, text_time: Tensor) -> Tensor:
        """Velocities (B, l + s, token width), motion's first.

        ``motion`` (B, l, token width), ``text`` (B, s, token width), times (B,) from 0 to 999.
        """
        times = (
            self.motion_time(sinusoid(motion_time, TIME_WIDTH))[:, None],
            self.text_time(sinusoid(text_time, TIME_WIDTH))[:, None],
        )
        m = self.motion_in(motion) + self.motion_positions + times[0]
        t = self.text_in(text) + self.text_positions + times[1]
        for pair in self.pairs:
            m, t = pair(m, t)
        return torch.cat([self.motion_out(self.norm(m)), self.text_out(self.norm(t))], dim=1)
