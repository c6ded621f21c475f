# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from motion_engine.errors import EngineError

Array = NDArray[np.generic]

_PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}


def physical_cores() -> int:
    """Cores that this process may use; hyper-threads do not help matrix products."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil

        return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))
    except ImportError:
        return allowed


def providers_for(device: str) -> list[str]:
    """Execution providers for a device name; ``auto`` takes CUDA or DirectML when installed, else the CPU.

    Raises
    ------
    EngineError
        If this ONNX Runtime does not have the device.
    """
    available = onnxruntime.get_available_providers()
    if device == "auto":
        fast = [_PROVIDERS[name] for name in ("cuda", "directml") if _PROVIDERS[name] in available]
        return [*fast[:1], "CPUExecutionProvider"]
    if device not in _PROVIDERS:
        raise EngineError(
            "unknown_device", f"There is no device {device!r}.", f"Choose auto, {', '.join(_PROVIDERS)}."
        )
    if _PROVIDERS[device] not in available:
        raise EngineError(
            "device_missing",
            f"This ONNX Runtime cannot use {device}.",
            "Install onnxruntime-gpu or onnxruntime-directml, or choose cpu.",
        )
    return list(dict.fromkeys([_PROVIDERS[device], "CPUExecutionProvider"]))


class OnnxNetwork:
    """One ``.onnx`` file as a callable from named arrays to a list of arrays.

    Parameters
    ----------
    changes : stored weights by name that replace those of the ``.safetensors`` file beside it, of the same shape and
        type; see `motion_engine.adapter.changes`.
    """

    def __init__(
        self,
        path: Path,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int | None = None,
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or physical_cores()
        options.inter_op_num_threads = 1
        # threads that spin while they wait are a little faster on an idle machine and several times slower on one
        # where Blender is busy too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        # the graph's name for each; the values must live until the session is made
        names = [f"{key}.stored" for key in changes or {}]
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in (changes or {}).values()]
        try:
            if values:
                options.add_external_initializers(names, values)
            self._session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
        except Exception as error:  # onnxruntime raises its own C++ exceptions
            raise EngineError(
                "broken_network",
                f"The network {path.name} cannot be loaded: {error}",
                "Install the bundle again.",
            ) from error
        self.device: str = self._session.get_providers()[0].removesuffix("ExecutionProvider").lower()
        self._file = path.name
        self.inputs: tuple[str, ...] = tuple(item.name for item in self._session.get_inputs())

    def __call__(self, arrays: Mapping[str, Array]) -> list[Array]:
        """Run; inputs that the network does not have are left out.

        Raises
        ------
        EngineError
            If the network asks for something else, as that of another bundle or sampler does.
        """
        if missing := [name for name in self.inputs if name not in arrays]:
            raise self._other(f"it asks for {', '.join(missing)}")
        try:
            return self._session.run(None, {name: arrays[name] for name in self.inputs})
        except InvalidArgument as error:
            raise self._other(str(error)) from error

    def require(self, name: str) -> None:
        """Refuse a network that does not read the input ``name``; EngineError as for a call."""
        if name not in self.inputs:
            raise self._other(f"it does not read {name}")

    def _other(self, reason: str) -> EngineError:
        sentence = " ".join(reason.split()).rstrip(".")  # onnxruntime's own has lines and a full stop
        return EngineError(
            "broken_network",
            f"The network {self._file} does not fit its bundle: {sentence}.",
            "Install the bundle again.",
        )
