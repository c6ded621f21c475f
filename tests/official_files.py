# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the structure of the official ones, with small networks of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from motion_engine import features, skeleton
from motion_engine.motion import Motion
from motion_engine.runtime.torch.paper.control import (
    ControlNet,
    ControlSizes,
    TrajectoryEncoder,
    TrajectorySizes,
)
from motion_engine.runtime.torch.paper.denoiser import Denoiser, DenoiserSizes
from motion_engine.runtime.torch.paper.emdm import Generator, GeneratorSizes
from motion_engine.runtime.torch.paper.skip_transformer import StackSizes
from motion_engine.runtime.torch.paper.vae import MotionVAE, VAESizes

TEXT_WIDTH = 24
WORDS = ["<pad>", "</s>", "<unk>", "a", "person", "walks", "jumps", "forward", "waves"]


def official_state(kind: str, version: str, width: int = 32) -> dict[str, torch.Tensor]:
    """The ``state_dict`` of a checkpoint, evaluators and all."""
    torch.manual_seed(0)
    stack = StackSizes(width, 3, 48)
    latents, channels = (16, 24) if version == "v2" else (1, width)
    sizes = DenoiserSizes(channels, TEXT_WIDTH, 56, version == "v2", kind != "mld", stack)
    parts = {"vae": MotionVAE(VAESizes(263, latents, channels, stack))}
    if kind != "vae":
        parts["denoiser"] = Denoiser(sizes)
    if kind == "motionlcm-control":
        parts["controlnet"] = ControlNet(ControlSizes(sizes, 36, version == "v2"))
        parts["traj_encoder"] = TrajectoryEncoder(TrajectorySizes(66, latents, channels, stack))
    state = {
        f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()
    }
    return state | {"t2m_textencoder.hidden": torch.zeros(2, 1, 4)}


def write_checkpoint(path: Path, kind: str, version: str, **changes) -> Path:
    """Save as the authors do; a change to None leaves the key out."""
    state = official_state(kind, version) | changes
    torch.save({"state_dict": {key: value for key, value in state.items() if value is not None}}, path)
    return path


def emdm_state() -> dict[str, torch.Tensor]:
    """The ``netG_dict`` of an EMDM, the CLIP of OpenAI's names and precisions inside."""
    torch.manual_seed(0)
    width = 64
    sizes = GeneratorSizes(263, TEXT_WIDTH, 0, 16, StackSizes(width, 2, 48, 2))
    state = dict(Generator(sizes).state_dict())
    for name in ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe"):
        state[name] = torch.zeros(5000, 1, width)
    return state | {f"clip_model.{key}": value for key, value in openai_clip().items()}


def openai_clip(hidden: int = 16) -> dict[str, torch.Tensor]:
    """A CLIP of one text layer, with a picture side that nobody reads."""
    torch.manual_seed(2)
    block = "transformer.resblocks.0"
    shapes: dict[str, tuple[int, ...]] = {
        "positional_embedding": (77, hidden), "token_embedding.weight": (len(WORDS), hidden),
        "ln_final.weight": (hidden,), "ln_final.bias": (hidden,), "logit_scale": (),
        f"{block}.ln_1.weight": (hidden,), f"{block}.ln_1.bias": (hidden,),
        f"{block}.ln_2.weight": (hidden,), f"{block}.ln_2.bias": (hidden,),
    }  # fmt: skip
    half: dict[str, tuple[int, ...]] = {
        "text_projection": (hidden, TEXT_WIDTH), "visual.conv1.weight": (4, 3, 2, 2),
        f"{block}.attn.in_proj_weight": (3 * hidden, hidden), f"{block}.attn.in_proj_bias": (3 * hidden,),
        f"{block}.attn.out_proj.weight": (hidden, hidden), f"{block}.attn.out_proj.bias": (hidden,),
        f"{block}.mlp.c_fc.weight": (4 * hidden, hidden), f"{block}.mlp.c_fc.bias": (4 * hidden,),
        f"{block}.mlp.c_proj.weight": (hidden, 4 * hidden), f"{block}.mlp.c_proj.bias": (hidden,),
    }  # fmt: skip
    state = {key: 0.4 * torch.randn(shape) for key, shape in shapes.items()}
    return state | {key: (0.4 * torch.randn(shape)).half() for key, shape in half.items()}


def write_emdm_checkpoint(path: Path, **changes) -> Path:
    """Save as the authors do; a change to None leaves the key out."""
    state = emdm_state() | changes
    weights = {key: value for key, value in state.items() if value is not None}
    torch.save({"epoch": 2260, "netG_dict": weights, "global_step": 3}, path)
    return path


def write_stats(folder: Path) -> Path:
    """``Mean.npy`` and ``Std.npy`` around the T-pose, so that random networks give a body that trembles."""
    folder.mkdir(exist_ok=True)
    rest = np.tile([1.0, 0.0, 0.0, 0.0], (3, skeleton.N_JOINTS, 1))
    standing = Motion.from_rotations(rest, np.tile([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0], (3, 1)), 20.0)
    np.save(folder / "Mean.npy", features.encode(standing)[0].astype(np.float32))
    np.save(folder / "Std.npy", np.full(263, 0.01, dtype=np.float32))
    return folder


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of nine words that ends every sentence as T5's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_sentence_t5(folder: Path, width: int = TEXT_WIDTH) -> Path:
    """A folder in the layout of sentence-transformers with a random T5 of one layer."""
    torch.manual_seed(1)
    hidden, heads, inner, forward, layers = 16, 2, 8, 32, 1
    config = {
        "model_type": "t5", "vocab_size": len(WORDS), "d_model": hidden, "d_kv": inner // heads, "d_ff": forward,
        "num_layers": layers, "num_heads": heads, "feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6,
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
    }  # fmt: skip
    weights = {
        "shared.weight": torch.randn(len(WORDS), hidden),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": torch.randn(32, heads),
        "encoder.final_layer_norm.weight": 1 + 0.1 * torch.randn(hidden),
    }
    for i in range(layers):
        block = f"encoder.block.{i}.layer"
        for letter in "qkv":
            weights[f"{block}.0.SelfAttention.{letter}.weight"] = 0.3 * torch.randn(inner, hidden)
        weights[f"{block}.0.SelfAttention.o.weight"] = 0.3 * torch.randn(hidden, inner)
        weights[f"{block}.1.DenseReluDense.wi.weight"] = 0.3 * torch.randn(forward, hidden)
        weights[f"{block}.1.DenseReluDense.wo.weight"] = 0.3 * torch.randn(hidden, forward)
        weights[f"{block}.0.layer_norm.weight"] = 1 + 0.1 * torch.randn(hidden)
        weights[f"{block}.1.layer_norm.weight"] = 1 + 0.1 * torch.randn(hidden)
    (folder / "2_Dense").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors")
    torch.save({"linear.weight": torch.randn(width, hidden)}, folder / "2_Dense" / "pytorch_model.bin")
    write_tokenizer(folder)
    return folder
