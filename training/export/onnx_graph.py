# SPDX-License-Identifier: GPL-3.0-or-later
"""Export a network as an ONNX graph whose weights are a ``.safetensors`` file beside it.

Both runtimes read the same half-precision numbers: ONNX Runtime through the graph's references into the file, torch
through the names. Nothing is stored twice, and the graph casts the weights to single precision when it is loaded.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import Tensor, nn

OPSET = 17


def export(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    folder: Path,
    name: str,
) -> list[str]:
    """Write ``NAME.onnx`` and ``NAME.safetensors``.

    Parameters
    ----------
    inputs : examples by input name, in the order of the module's arguments.
    dynamic : names of the axes that vary, by input or output (``out``) name.

    Returns
    -------
    Names of the files.
    """
    module = module.eval().float().cpu()
    weights = f"{name}.safetensors"
    save_file(
        {key: value.half().contiguous() for key, value in module.state_dict().items()}, folder / weights
    )
    graph_file = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, tuple(inputs.values()), graph_file, input_names=list(inputs), output_names=["out"],
            dynamic_axes={key: dict(value) for key, value in dynamic.items()}, opset_version=OPSET,
            do_constant_folding=False, dynamo=False,
        )  # fmt: skip
    _refer_to_file(graph_file, folder / weights)
    for file in (graph_file, folder / weights):
        file.chmod(0o644)
    return [graph_file.name, weights]


def _refer_to_file(graph_file: Path, weights: Path) -> None:
    """Replace the weights inside the graph by references into the safetensors file, followed by a cast."""
    with weights.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_length))
    model = onnx.load(graph_file)
    graph = model.graph
    casts = []
    kept = []
    for tensor in graph.initializer:
        if tensor.name not in header:
            kept.append(tensor)
            continue
        begin, end = header[tensor.name]["data_offsets"]
        half = TensorProto(name=f"{tensor.name}.half", data_type=TensorProto.FLOAT16, dims=tensor.dims)
        half.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", weights.name),
            ("offset", str(8 + header_length + begin)),
            ("length", str(end - begin)),
        ):
            half.external_data.add(key=key, value=value)
        kept.append(half)
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph_file.write_bytes(model.SerializeToString())
