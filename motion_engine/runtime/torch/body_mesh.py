# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertices and joints of a posed body, by the package smplx."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from motion_engine.body_fit import BodyFit
from motion_engine.body_model import BodyModel
from motion_engine.errors import EngineError

Array = NDArray[np.floating]

BATCH = 32


def require_packages() -> None:
    """Refuse when torch or smplx is missing; EngineError ``no_smplx``."""
    missing = [name for name in ("torch", "smplx") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(
            "no_smplx", f"The body mesh needs the package {' and '.join(missing)}, which this Python does not have.",
            'Install it with: pip install "motion-prompt[smpl]"; everything else works without.',
        )  # fmt: skip


def pose_body(model: BodyModel, fit: BodyFit) -> tuple[Array, Array]:
    """Vertices (T, V, 3) and joints (T, J, 3) in metres, by smplx's linear blend skinning.

    Raises
    ------
    EngineError
        ``no_smplx`` if a package is missing.
    """
    require_packages()
    import torch
    from smplx.lbs import lbs

    def tensor(array: Array) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32)

    arrays = [tensor(array) for array in (model.template, model.shape, model.pose, model.regressor)]
    weights, parents = tensor(model.weights), torch.as_tensor(model.parents)
    vertices, joints = [], []
    with torch.no_grad():
        for start in range(0, len(fit.poses), BATCH):
            poses = fit.poses[start : start + BATCH]
            betas = tensor(np.tile(fit.betas, (len(poses), 1)))
            skin, bones = lbs(betas, tensor(poses.reshape(len(poses), -1)), *arrays, parents, weights)
            shift = fit.translations[start : start + BATCH, None]
            vertices.append(skin.numpy() + shift)
            joints.append(bones.numpy() + shift)
    return np.concatenate(vertices).astype(np.float32), np.concatenate(joints).astype(np.float32)
