# SPDX-License-Identifier: GPL-3.0-or-later
"""Low-rank adapters: how a bundle that leans on another one changes the weights of its networks.

An adapter is a ``.safetensors`` file of a few hundred kilobytes. For a matrix ``KEY`` of the network, (out, in), it
holds ``KEY.down`` (r, in) and ``KEY.up`` (out, r) in half precision, or 8-bit with scales as `motion_engine.weights`
has them::

    W' = W + up @ down

(Hu et al. 2021, LoRA, eq. 3; their factor alpha / r is multiplied into ``up`` already). For any other weight, vectors
mostly, it holds ``KEY.delta`` of its shape: W' = W + delta. Several adapters of one network add up.

The changed weights are rounded to the form in which the network's file has them. ONNX Runtime gets them in place of
those that the other bundle's graph refers to, torch with the rest: both run the same numbers, as fast as without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from motion_engine import weights as stored_form
from motion_engine.bundle import Bundle
from motion_engine.bundle_check import REINSTALL
from motion_engine.errors import EngineError
from motion_engine.weights import SCALE

Array = NDArray[np.generic]

DOWN, UP, DELTA = ".down", ".up", ".delta"


def network_weights(bundle: Bundle, network: str) -> dict[str, Array]:
    """Stored weights of one of a bundle's networks, with the changes of its adapters; errors as for `changes`."""
    stored = stored_form.read(bundle.file(f"{network}.safetensors"))
    return stored | _changes(bundle, network, stored)


def changes(bundle: Bundle, network: str) -> dict[str, Array]:
    """The stored weights that a bundle's adapters change; nothing for a network without one.

    Raises
    ------
    EngineError
        ``broken_bundle``, for an adapter that cannot be read or fits another network.
    """
    if not bundle.adapters(network):
        return {}
    return _changes(bundle, network, stored_form.read(bundle.file(f"{network}.safetensors")))


def _changes(bundle: Bundle, network: str, stored: Mapping[str, Array]) -> dict[str, Array]:
    files = bundle.adapters(network)
    return adapted(stored, *map(stored_form.read, files), names=[file.name for file in files])


def adapted(
    weights: Mapping[str, Array], *adapters: Mapping[str, Array], names: Sequence[str] = ()
) -> dict[str, Array]:
    """The entries of a network's stored weights that adapters change, in the same form.

    Output rows that they add nothing to stay as they are, to the byte.

    Parameters
    ----------
    weights : as `motion_engine.weights` describes: int8 ``KEY`` with float32 ``KEY.scale``, or ``KEY`` alone.
    adapters : ``KEY.down`` (r, in) with ``KEY.up`` (out, r), or ``KEY.delta`` of the shape of ``KEY``; 8-bit ones with
        their scales. What several change alike is added up.
    names : of the adapters, for the sentences.

    Returns
    -------
    ``KEY``, and ``KEY.scale`` for 8-bit ones, anew.

    Raises
    ------
    EngineError
        ``broken_bundle``, for weights that the network does not have, and for other shapes or ranks.
    """
    total: dict[str, NDArray[np.float32]] = {}
    for adapter, name in zip(adapters, names or ["The adapter"] * len(adapters), strict=True):
        for key in dict.fromkeys(_weight_of(entry, weights, name) for entry in stored_form.keys(adapter)):
            change = _change(key, weights[key].shape, adapter, name)
            total[key] = total[key] + change if key in total else change
    found: dict[str, Array] = {}
    for key, change in total.items():
        rows = change.any(axis=tuple(range(1, change.ndim)), keepdims=True) if change.ndim else change.any()
        if not np.any(rows):
            continue
        value = stored_form.single(weights, key) + change
        if weights[key].dtype == np.int8:
            numbers, scale = stored_form.quantised(value)
            found[key] = np.where(rows, numbers, weights[key])
            found[key + SCALE] = np.where(rows, scale, weights[key + SCALE])
        else:
            found[key] = np.where(rows, value.astype(weights[key].dtype), weights[key])
    return found


def _weight_of(entry: str, weights: Mapping[str, Array], name: str) -> str:
    """The weight that an entry of an adapter is for."""
    key = next((entry.removesuffix(kind) for kind in (DOWN, UP, DELTA) if entry.endswith(kind)), None)
    if key is None:
        raise _broken(f"{name} has the entry {entry!r}, which is of no known kind.")
    if key not in stored_form.keys(weights):
        raise _broken(f"{name} changes {key}, which its network does not have.")
    return key


def _change(key: str, shape: tuple[int, ...], adapter: Mapping[str, Array], name: str) -> NDArray[np.float32]:
    """What is added to a weight of that shape, single precision."""
    parts = {
        kind: stored_form.single(adapter, key + kind) for kind in (DOWN, UP, DELTA) if key + kind in adapter
    }
    if not all(np.isfinite(part).all() for part in parts.values()):
        raise _broken(f"{name} has numbers for {key} that are not finite.")
    if parts.keys() == {DELTA}:
        if parts[DELTA].shape != shape:
            raise _broken(f"{name} has a change of {parts[DELTA].shape} for {key}, which is {shape}.")
        return parts[DELTA]
    if parts.keys() != {DOWN, UP}:
        raise _broken(
            f"{name} has {' and '.join(key + kind for kind in parts)}: a pair or a delta is needed."
        )
    down, up = parts[DOWN], parts[UP]
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1] or (len(up), down.shape[1]) != shape:
        raise _broken(f"{name} has {up.shape} times {down.shape} for {key}, which is {shape}.")
    return up @ down


def _broken(message: str) -> EngineError:
    return EngineError("broken_bundle", message, REINSTALL)
