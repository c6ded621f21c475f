# SPDX-License-Identifier: GPL-3.0-or-later
"""The Fréchet distance of two sets of features as something to go down on.

With means m and covariances S of what is made (g) and of what is wanted (r),

    d = |m_g - m_r|² + tr(S_g) + tr(S_r) - 2 tr((S_r^½ S_g S_r^½)^½)

(Heusel et al. 2017, equation 6; as a loss: Mathiasen & Hvilshøj 2020). A batch is too small for a covariance, so both
sides keep a queue of the latest features. The derivative by what was just made needs no derivative of a matrix root:

    ∂d/∂m_g = 2 (m_g - m_r),    ∂d/∂S_g = 1 - S_r^½ (S_r^½ S_g S_r^½)^-½ S_r^½
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-3
"""Added to each variance, of the mean one: directions that hardly vary are noise, and their roots steep."""


class FrechetQueue:
    """The latest features of what is made and of what is wanted, ``size`` of each.

    A queue lags behind a network that learns, and what lags is corrected twice: keep it as short as a covariance
    allows, a few times as many rows as features have numbers, and the learning rate low.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.made = self.wanted = torch.empty(0)

    def add(self, made: Tensor, wanted: Tensor) -> None:
        """Features (B, D) of a batch, in the same order on both sides: chance then cancels in the difference."""
        self.made, self.wanted = (
            torch.cat([*((old,) if len(old) else ()), new.detach().float()])[-self.size :]
            for old, new in ((self.made, made), (self.wanted, wanted))
        )
        made, wanted = self.made.double(), self.wanted.double()
        self._centre = made.mean(dim=0)
        self._apart = self._centre - wanted.mean(dim=0)
        s_made, s_wanted = torch.cov(made.T), torch.cov(wanted.T)
        self._scale = s_wanted.trace()
        one = torch.eye(len(s_made), dtype=s_made.dtype, device=s_made.device)
        ridge = SMALLEST * self._scale / len(one) * one
        root = _root(s_wanted + ridge)
        middle = _root(root @ (s_made + ridge) @ root)
        self._slope = one - root @ torch.linalg.inv(middle) @ root
        traces = (s_made + s_wanted + 2 * ridge).trace() - 2 * middle.trace()
        self._distance = self._apart.square().sum() + traces

    @property
    def distance(self) -> float:
        """Fréchet distance over the variance of what is wanted."""
        return float(self._distance / self._scale)

    def pull(self, made: Tensor) -> Tensor:
        """A number whose derivative by features (B, D) is that of `distance`, as if the whole queue were like them."""
        away = (made.detach() - self._centre.to(made)) @ self._slope.to(made)
        slope = 2 * (self._apart.to(made) + away) / self._scale.to(made)
        return (made * slope).sum(dim=-1).mean()


def _root(matrix: Tensor) -> Tensor:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
