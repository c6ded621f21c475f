# SPDX-License-Identifier: GPL-3.0-or-later
"""Low-rank adaptation (LoRA; Hu et al. 2021): a network learns something more while its own weights stay.

Beside each matrix W of a network two thin ones are trained, W' = W + B A (equation 3, with alpha / r = 1). They are a
few percent of the network's size, and what they add can be taken to other networks that began with the same weights:
to the student of a teacher, for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST = 8192
"""Numbers: smaller matrices are left as they are."""

PARTS = ("down", "up")


class LowRankLinear(nn.Linear):
    """A linear map with frozen weights, and two matrices beside it: ``down`` (r, in) and ``up`` (out, r).

    ``up`` starts at zero, so that nothing is changed at first.
    """

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__(linear.in_features, linear.out_features, linear.bias is not None)
        self.weight, self.bias = linear.weight, linear.bias
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return super().forward(x) + F.linear(F.linear(x, self.down), self.up)


def add_low_rank(module: nn.Module, rank: int) -> None:
    """Freeze ``module`` and give each of its large linear maps the two matrices, in place.

    Raises
    ------
    ValueError
        If the rank is below 1.
    """
    if rank < 1:
        raise ValueError(f"The rank of an adapter is 1 or more, not {rank}.")
    module.requires_grad_(False)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child.weight.numel() >= SMALLEST:
                setattr(parent, name, LowRankLinear(child, rank))


def split_low_rank(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of a network with low-rank matrices as its own, and the adapter: ``KEY.down`` and ``KEY.up``.

    ``KEY`` is the name of the matrix that is adapted, ``....weight``.
    """
    own, adapter = {}, {}
    for key, value in weights.items():
        stem, _, last = key.rpartition(".")
        if last in PARTS and f"{stem}.weight" in weights:
            adapter[f"{stem}.weight.{last}"] = value
        else:
            own[key] = value
    return own, adapter


def merged(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network with low-rank matrices as those of a plain one: W + B A."""
    own, adapter = split_low_rank(weights)
    for key in own:
        if f"{key}.up" in adapter:
            own[key] = own[key] + adapter[f"{key}.up"] @ adapter[f"{key}.down"]
    return own


def scaled(adapter: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """An adapter that changes its network ``strength`` times as much."""
    return {key: value * strength if key.endswith(".up") else value for key, value in adapter.items()}


def rank_of(adapter: Mapping[str, Tensor]) -> int:
    """The largest rank of an adapter's pairs."""
    return max(len(value) for key, value in adapter.items() if key.endswith(".down"))


def summed(adapters: Sequence[Mapping[str, Tensor]], rank: int) -> dict[str, Tensor]:
    """Several adapters of one network as one of a rank: the nearest there is to their sum (Eckart & Young 1936).

    Where no more than ``rank`` directions are in them together, nothing is lost.
    """
    found = {}
    keys = dict.fromkeys(key.rpartition(".")[0] for adapter in adapters for key in adapter)
    for key in keys:
        pairs = [
            (adapter[f"{key}.up"], adapter[f"{key}.down"]) for adapter in adapters if f"{key}.up" in adapter
        ]
        # the singular values of the product, without ever forming it
        columns, left = torch.linalg.qr(torch.cat([up for up, _ in pairs], dim=1).float())
        rows, right = torch.linalg.qr(torch.cat([down for _, down in pairs]).float().T)
        u, values, v = torch.linalg.svd(left @ right.T)
        kept = min(rank, len(values))
        root = values[:kept].sqrt()
        found[f"{key}.up"] = (columns @ u[:, :kept]) * root
        found[f"{key}.down"] = root[:, None] * (v[:kept] @ rows.T)
    return found


def load_adapter(module: nn.Module, adapter: Mapping[str, Tensor]) -> None:
    """Begin with the low-rank matrices of another network, as `split_low_rank` names them; those it lacks stay."""
    given = {}
    for key, value in adapter.items():
        matrix, _, part = key.rpartition(".")
        given[f"{matrix.removesuffix('.weight')}.{part}"] = value
    known = module.state_dict()
    module.load_state_dict({key: value for key, value in given.items() if key in known}, strict=False)
