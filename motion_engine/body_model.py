# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL, SMPL-H and SMPL-X model files that the user has: read without running anything that is in them.

None is shipped: they come from smpl.is.tue.mpg.de, mano.is.tue.mpg.de and smpl-x.is.tue.mpg.de under their own
licences.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import skeleton
from motion_engine.errors import EngineError

Array = NDArray[np.floating]

MAX_BETAS = 10
_NAMES = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
_KINDS = {24: "SMPL", 52: "SMPL-H", 55: "SMPL-X"}
_FIX = "Give the file as it was downloaded, for instance SMPL_NEUTRAL.pkl, SMPLH_NEUTRAL.npz or SMPLX_NEUTRAL.npz."


@dataclass(frozen=True)
class BodyModel:
    """A body of V vertices and J joints; the first 22 are our skeleton's.

    Attributes
    ----------
    kind : SMPL, SMPL-H or SMPL-X.
    template : (V, 3) metres, +Y up.
    shape : (V, 3, B) displacements for one unit of each of the first shape parameters.
    pose : ((J - 1) * 9, V * 3) displacements by pose.
    regressor : (J, V) joints from vertices.
    weights : (V, J) skinning weights.
    parents : (J,), -1 for the root.
    faces : (F, 3).
    """

    kind: str
    template: Array
    shape: Array
    pose: Array
    regressor: Array
    weights: Array
    parents: NDArray[np.integer]
    faces: NDArray[np.integer]

    def joints_at_rest(self, betas: Array) -> Array:
        """(J, 3) joints of the T-pose of a body of that shape."""
        return self.regressor @ (self.template + self.shape @ betas)


def read(path: str | Path, gender: str = "neutral") -> BodyModel:
    """Read a model file, or the one of that gender in a folder.

    Raises
    ------
    EngineError
        ``no_body_model`` or ``bad_body_model``.
    """
    path = _find(Path(path), gender)
    try:
        data = _read_npz(path) if path.suffix.lower() == ".npz" else _read_pickle(path)
    except OSError as error:
        raise EngineError(
            "no_body_model", f"'{path}' cannot be read: {error.strerror or error}.", _FIX
        ) from None
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        KeyError,
        pickle.UnpicklingError,
        AttributeError,
    ) as error:
        raise EngineError(
            "bad_body_model", f"'{path.name}' is not a readable model file: {error}.", _FIX
        ) from None
    missing = [name for name in _NAMES if name not in data]
    if missing:
        raise EngineError(
            "bad_body_model", f"'{path.name}' is no SMPL body: {', '.join(missing)} missing.", _FIX
        )
    return _checked(path.name, {name: _dense(data[name]) for name in _NAMES})


def _checked(name: str, data: dict[str, NDArray[Any]]) -> BodyModel:
    template, regressor = data["v_template"].astype(float), data["J_regressor"].astype(float)
    parents = data["kintree_table"][0].astype(np.int64).copy()
    parents[0] = -1
    vertices, joints = len(template), len(parents)
    shape, pose = data["shapedirs"].astype(float), data["posedirs"].astype(float)
    if pose.ndim == 3:
        pose = pose.reshape(-1, pose.shape[-1]).T
    fits = (
        template.shape == (vertices, 3)
        and regressor.shape == (joints, vertices)
        and data["weights"].shape == (vertices, joints)
        and shape.shape[:2] == (vertices, 3)
        and pose.shape == ((joints - 1) * 9, vertices * 3)
        and data["f"].ndim == 2
        and joints >= skeleton.N_JOINTS
        and (parents[: skeleton.N_JOINTS] == skeleton.PARENTS).all()
        and all(np.isfinite(array).all() for array in (template, regressor, shape, pose, data["weights"]))
    )
    if not fits:
        raise EngineError("bad_body_model", f"'{name}' has arrays that make no body of SMPL's joints.", _FIX)
    return BodyModel(
        _KINDS.get(joints, f"{joints}-joint"), template, shape[..., :MAX_BETAS], pose, regressor,
        data["weights"].astype(float), parents, data["f"].astype(np.int64),
    )  # fmt: skip


def _find(path: Path, gender: str) -> Path:
    if not path.exists():
        raise EngineError("no_body_model", f"There is no model file '{path}'.", _FIX)
    if path.is_file():
        return path
    for kind in ("SMPLX", "SMPLH", "SMPL"):  # also in the folders that smplx wants: smpl/SMPL_NEUTRAL.pkl
        for suffix in ("npz", "pkl"):
            name = f"{kind}_{gender.upper()}.{suffix}"
            for candidate in (path / name, path / kind.lower() / name):
                if candidate.is_file():
                    return candidate
    raise EngineError(
        "no_body_model", f"The folder '{path}' holds no model of gender '{gender}'.",
        f"It should hold SMPL_{gender.upper()}.pkl, SMPLH_{gender.upper()}.npz or SMPLX_{gender.upper()}.npz.",
    )  # fmt: skip


def _read_npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in _NAMES if name in archive.files}


class _Chumpy:
    """Stands for the arrays of the package chumpy, in which the first SMPL files were pickled."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


_ALLOWED = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"),
    ("builtins", "object"), ("__builtin__", "object"), ("_codecs", "encode"),
}  # fmt: skip


class _Reader(pickle.Unpickler):
    """Makes arrays, and nothing else that a pickle may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("chumpy"):
            return _Chumpy
        if module.startswith("scipy.sparse") and name in {"csc_matrix", "csr_matrix", "coo_matrix"}:
            try:
                import scipy.sparse
            except ImportError:
                raise pickle.UnpicklingError("it needs the package scipy (pip install scipy)") from None
            return getattr(scipy.sparse, name)
        if (
            module in {"numpy.core.multiarray", "numpy._core.multiarray"}
            and name in {"_reconstruct", "scalar"}
        ) or (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no model needs")


def _read_pickle(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = _Reader(file, encoding="latin1").load()
    if not isinstance(data, dict):
        raise ValueError("it holds no table of arrays")
    return data


def _dense(array: Any) -> NDArray[Any]:
    if isinstance(array, _Chumpy):
        state = getattr(array, "state", None)
        if not isinstance(state, dict) or "x" not in state:
            raise EngineError("bad_body_model", "The model holds an array of chumpy that is a formula.", _FIX)
        array = state["x"]
    return np.asarray(array.todense() if hasattr(array, "todense") else array)
