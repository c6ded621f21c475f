# SPDX-License-Identifier: GPL-3.0-or-later
"""An official checkpoint becomes a bundle: what is needed beside it, and what the manifest says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.errors import EngineError

Array = NDArray[np.floating]

LICENCE = "non-commercial scientific research"
TITLES = {"mld": "MLD", "motionlcm": "MotionLCM", "motionlcm-control": "MotionLCM with control"}
ATTRIBUTION = {
    "mld": "Executing your Commands via Motion Diffusion in Latent Space (MLD), Chen et al., CVPR 2023. "
    "Weights by the authors of MotionLCM, for non-commercial scientific research only.",
    "motionlcm": "MotionLCM: Real-time Controllable Motion Generation via Latent Consistency Model, Dai et al., "
    "ECCV 2024. Weights by the authors, for non-commercial scientific research only.",
}
DATA = (
    "Trained on HumanML3D, Guo et al., CVPR 2022, whose motions come from AMASS, Mahmood et al., ICCV 2019, "
    "and HumanAct12, Guo et al., ACM MM 2020: not for commercial use."
)

CONTROL_LEFT_OUT = (
    " Its control networks were checked and left out: the engine controls joints in another way."
)

EVALUATOR_RATIO = 5.0
"""The evaluators of HumanML3D come with a std whose root numbers are 25 times smaller than the training one's."""


def import_checkpoint(
    file: Path,
    kind: str,
    version: str,
    out: Path,
    *,
    name: str,
    stats: Path | None,
    text_encoder: Path | None = None,
) -> None:
    """Write the bundle ``out``; everything that can be refused is checked before anything is written.

    Raises
    ------
    EngineError
        With a sentence on what is wrong and what to do.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise EngineError(
            "bad_name", f"{name!r} cannot be the name of a bundle.", "Use letters, digits, '-', '_' and '.'."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EngineError("exists", f"{out} is there already.", "Choose another --out, or delete it.")
    missing = [m for m in ("torch", "onnx", "safetensors") if importlib.util.find_spec(m) is None]
    if missing:
        raise EngineError(
            "missing_packages",
            f"Reading a checkpoint needs {', '.join(missing)}, which this Python does not have.",
            'Install them once: pip install "motion-prompt[train]". The bundle then runs without them.',
        )
    from motion_engine.runtime.torch.paper import bundle, checkpoint, text_folder

    found = checkpoint.read(file, kind, version)  # type: ignore[arg-type]
    vae, denoiser = found.vae, found.denoiser
    mean, std = read_stats(stats, vae.sizes.features)
    usual: text_folder.Kind = "clip" if (kind, version) == ("mld", "v1") else "t5"
    text = text_folder.read(text_folder.find(usual, text_encoder))
    expected = denoiser.text_width
    if text.width != expected:
        raise EngineError(
            "other_text_encoder",
            f"The text encoder gives {text.width} numbers a sentence; this checkpoint reads {expected}.",
            f"Pass the folder of {text_folder.PUBLISHED[usual].repository} with --text-encoder.",
        )
    sampler = "mld" if kind == "mld" else "motionlcm"
    about = {
        "name": name,
        "title": f"{TITLES[kind]} {version.upper()}",
        "version": version,
        "description": "Imported from the authors' checkpoint, trained on HumanML3D."
        + (CONTROL_LEFT_OUT if found.controlnet is not None else ""),
        "licence": LICENCE,
        "attribution": [ATTRIBUTION[sampler], DATA],
    }
    bundle.write_bundle(
        out,
        bundle.PaperBundle(
            about,
            vae,
            {sampler: denoiser},
            {sampler: bundle.PRESETS[sampler, version]},
            text,
            mean,
            std,
            extra={"imported": {"kind": kind, "version": version, "file": file.name}},
        ),
    )


def read_stats(folder: Path | None, n_features: int) -> tuple[Array, Array]:
    """Mean and standard deviation (F,) from ``Mean.npy`` and ``Std.npy``.

    Raises
    ------
    EngineError
        If they are missing, damaged, of another size, or those of the evaluators.
    """
    where = "They are beside new_joint_vecs in the HumanML3D folder, and in its public repository."
    if folder is None:
        raise EngineError(
            "missing_stats",
            "A checkpoint does not hold the mean and standard deviation that its numbers are scaled by.",
            f"Pass --stats FOLDER with Mean.npy and Std.npy. {where}",
        )
    arrays = []
    for name in ("Mean.npy", "Std.npy"):
        try:
            array = np.load(folder / name, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise EngineError("missing_stats", f"{folder / name} cannot be read: {error}.", where) from error
        if array.shape != (n_features,) or not np.isfinite(array).all():
            raise EngineError(
                "bad_stats",
                f"{folder / name} does not hold {n_features} finite numbers: its shape is {array.shape}.",
                where,
            )
        arrays.append(array.astype(np.float32))
    mean, std = arrays
    if (std <= 0).any():
        raise EngineError("bad_stats", f"{folder / 'Std.npy'} holds numbers that are not above 0.", where)
    if n_features == features.N_FEATURES:
        height, joints = std[features.ROOT_HEIGHT].mean(), std[features.JOINTS].mean()
        if height * EVALUATOR_RATIO < joints:
            raise EngineError(
                "bad_stats",
                f"{folder} holds the statistics of the evaluators, whose root numbers are scaled differently.",
                where,
            )
    return mean, std
