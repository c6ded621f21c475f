# SPDX-License-Identifier: GPL-3.0-or-later
"""An official checkpoint becomes a bundle: what is needed beside it, and what the manifest says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from motion_engine import features
from motion_engine.errors import EngineError

if TYPE_CHECKING:
    from motion_engine.runtime.torch.paper.bundle import PaperBundle

Array = NDArray[np.floating]

LICENCE = "non-commercial scientific research"
TITLES = {
    "emdm": "EMDM",
    "mld": "MLD",
    "motionlcm": "MotionLCM",
    "motionlcm-control": "MotionLCM with control",
}
ATTRIBUTION = {
    "emdm": "EMDM: Efficient Motion Diffusion Model for Fast and High-Quality Motion Generation, Zhou et al., "
    "ECCV 2024. Weights by the authors; parts of the method's code are NVIDIA's, for non-commercial use only.",
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
    levels: int = 10,
) -> None:
    """Write the bundle ``out``; everything that can be refused is checked before anything is written.

    Parameters
    ----------
    version : ``v1`` or ``v2``; empty for ``emdm``.
    stats : folder of ``Mean.npy`` and ``Std.npy``.
    text_encoder : its folder; for ``emdm``, whose files hold the weights, the folder or file of the tokenizer.
    levels : noise levels that a generator of ``emdm`` was trained with, which its file does not tell.

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

    if kind == "emdm":
        bundle.write_bundle(out, _emdm_bundle(file, name, stats, text_encoder, levels))
        return
    found = checkpoint.read(file, kind, version)  # type: ignore[arg-type]
    vae, denoiser = found.vae, found.denoiser
    mean, std = read_stats(stats, vae.sizes.features)
    usual: Literal["t5", "clip"] = "clip" if (kind, version) == ("mld", "v1") else "t5"
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


def _emdm_bundle(
    file: Path, name: str, stats: Path | None, tokenizer: Path | None, levels: int
) -> PaperBundle:
    from motion_engine.runtime.torch.paper import bundle, emdm_checkpoint, text_folder

    if levels < 1:
        raise EngineError("bad_levels", f"A generator has no {levels} noise levels.", "10 is usual.")
    generator, clip = emdm_checkpoint.read(file)
    sizes = generator.sizes
    if sizes.features != features.N_FEATURES:
        raise EngineError(
            "other_checkpoint",
            f"{file.name} makes {sizes.features} numbers a frame; "
            f"the engine knows the {features.N_FEATURES} of HumanML3D.",
            "Use the authors' file that was trained on HumanML3D.",
        )
    if clip.projection.out_features != sizes.text_width:
        raise EngineError(
            "broken_checkpoint",
            f"The CLIP in {file.name} gives {clip.projection.out_features} numbers a sentence; "
            f"its generator reads {sizes.text_width}.",
            "Download the file again from the authors' page.",
        )
    mean, std = read_stats(stats, sizes.features)
    words = text_folder.find_tokenizer(tokenizer)
    preset = bundle.PRESETS["emdm", ""] | {
        "steps": levels, "levels": levels, "noise_width": sizes.noise_width,
    }  # fmt: skip
    return bundle.PaperBundle(
        {
            "name": name,
            "title": TITLES["emdm"],
            "version": "1",
            "description": "Imported from the authors' checkpoint, trained on HumanML3D.",
            "licence": LICENCE,
            "attribution": [ATTRIBUTION["emdm"], DATA],
        },
        None,
        {"emdm": generator},
        {"emdm": preset},
        text_folder.TextNetwork("clip-b32", clip, sizes.text_width, words, text_folder.EMDM_TOKENS),
        mean,
        std,
        extra={"imported": {"kind": "emdm", "file": file.name}},
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
