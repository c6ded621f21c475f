# SPDX-License-Identifier: GPL-3.0-or-later
"""Export a network as an ONNX graph whose weights are a ``.safetensors`` file beside it.

Both runtimes read the same numbers, mostly 8-bit: ONNX Runtime through the graph's references into the file, torch
through the names. Nothing is stored twice, and everything is single precision again once it is loaded.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import Tensor, nn

from motion_engine.weights import quantised

OPSET = 17

SMALLEST_QUANTISED = 8192
"""Numbers: smaller matrices, among them those at the ends of the networks, stay in half precision."""

Precision = Literal["packed", "half", "single"]

_TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "I8": TensorProto.INT8}


def export(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    folder: Path,
    name: str,
    precision: Precision = "packed",
) -> list[str]:
    """Write ``NAME.onnx`` and ``NAME.safetensors``.

    Parameters
    ----------
    inputs : examples by input name, in the order of the module's arguments.
    dynamic : names of the axes that vary, by input or output (``out``) name.
    precision : of the stored weights: ``packed`` as `pack` says, ``half``, or ``single``, as they are.

    Returns
    -------
    Names of the files.
    """
    module = module.eval().float().cpu()
    weights = f"{name}.safetensors"
    state = module.state_dict()
    if precision == "packed":
        state = pack(state)
    elif precision == "half":
        state = {key: value.half() for key, value in state.items()}
    save_file({key: value.contiguous() for key, value in state.items()}, folder / weights)
    graph_file = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _told_apart(module), tuple(inputs.values()), graph_file, input_names=list(inputs), output_names=["out"],
            dynamic_axes={key: dict(value) for key, value in dynamic.items()}, opset_version=OPSET,
            do_constant_folding=False, dynamo=False,
        )  # fmt: skip
    _refer_to_file(graph_file, folder / weights)
    for file in (graph_file, folder / weights):
        file.chmod(0o644)
    return [graph_file.name, weights]


def _told_apart(module: nn.Module) -> nn.Module:
    """A copy in which no two weights are equal: the exporter would merge them, and an adapter may change one alone.

    The graph refers to the file for its numbers, so that those of the copy do not matter.
    """
    copied = copy.deepcopy(module)
    with torch.no_grad():
        for number, weight in enumerate(copied.parameters()):
            weight.add_(1e-3 * number)
    return copied


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are stored: large matrices and kernels in 8 bits with one scale an output row, the rest in half.

    The scale of ``KEY`` is ``KEY.scale``, single precision, shaped to be multiplied with it.
    """
    packed = {}
    for key, value in weights.items():
        if value.ndim < 2 or value.numel() < SMALLEST_QUANTISED:
            packed[key] = value.half().contiguous()
            continue
        numbers, scale = quantised(value.numpy())
        packed[key] = torch.from_numpy(numbers)
        packed[f"{key}.scale"] = torch.from_numpy(scale)
    return packed


def _refer_to_file(graph_file: Path, weights: Path) -> None:
    """Replace the weights inside the graph by references into the safetensors file, cast and scaled."""
    with weights.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_length))

    def stored(key: str) -> TensorProto:
        entry = header[key]
        tensor = TensorProto(name=f"{key}.stored", data_type=_TYPES[entry["dtype"]], dims=entry["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        begin, end = entry["data_offsets"]
        for name, value in (
            ("location", weights.name),
            ("offset", str(8 + header_length + begin)),
            ("length", str(end - begin)),
        ):
            tensor.external_data.add(key=name, value=value)
        return tensor

    model = onnx.load(graph_file)
    graph = model.graph
    kept: list[TensorProto] = []
    nodes = []
    for tensor in graph.initializer:
        key = tensor.name
        if key not in header:
            kept.append(tensor)
            continue
        kept.append(stored(key))
        scale = f"{key}.scale"
        single = f"{key}.single" if scale in header else key
        nodes.append(helper.make_node("Cast", [f"{key}.stored"], [single], to=TensorProto.FLOAT))
        if scale in header:
            kept.append(stored(scale))
            nodes.append(helper.make_node("Mul", [single, f"{scale}.stored"], [key]))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    graph_file.write_bytes(model.SerializeToString())
