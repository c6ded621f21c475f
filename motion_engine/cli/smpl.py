# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt smpl``: a clip on a body model that the user has, with the fit checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from motion_engine.errors import EngineError

HELP = "put a clip on a SMPL, SMPL-H or SMPL-X body that you have, and check the fit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("clip", type=Path, help=".npz (AMASS, or joints) or .bvh with SMPL joint names")
    parser.add_argument("--model", type=Path, required=True, metavar="PATH", help="model file, or its folder")
    parser.add_argument(
        "--gender", choices=("neutral", "male", "female"), default="neutral", help="in a folder"
    )
    parser.add_argument(
        "--average", action="store_true", help="keep the model's average shape instead of fitting it"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help=".glb (skinned body), .obj (a mesh a frame) or .npz (poses and shape, for SMPL tools)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Fit, report the error of the joints, write."""
    import numpy as np

    from motion_engine import body_export, body_fit, body_model, output
    from motion_engine.cli.convert import read_clip
    from motion_engine.runtime.torch import body_mesh

    out: Path | None = arguments.out
    if out is not None and out.suffix.lower() not in body_export.SUFFIXES:
        raise EngineError(
            "unknown_format", f"'{out}' does not say in which format to write.",
            f"End the file name in {', '.join(body_export.SUFFIXES)}.",
        )  # fmt: skip
    motion = read_clip(arguments.clip)
    model = body_model.read(arguments.model, arguments.gender)
    body_mesh.require_packages()

    def distances(joints: body_fit.Array) -> str:
        off = np.linalg.norm(joints[:, : body_fit.N] - motion.joints, axis=-1) * 1e3
        return f"mean {off.mean():.1f} mm, largest {off.max():.1f} mm"

    fit = body_fit.fit(model, motion, fit_shape=False)
    vertices, joints = body_mesh.pose_body(model, fit)
    print(f"{model.kind}, {len(model.template)} vertices, {motion.n_frames} frames")
    print(f"joint error of the average body: {distances(joints)}")
    if not arguments.average:
        fit = body_fit.fit(model, motion)
        vertices, joints = body_mesh.pose_body(model, fit)
        print(f"joint error of the fitted body: {distances(joints)}")
        print("shape: " + " ".join(f"{beta:.2f}" for beta in fit.betas))
    if out is not None:
        output.prepare_folder(out.parent)
        try:
            files = body_export.save(model, fit, vertices, motion, out)
        except OSError as error:
            raise output.cannot_write(out, error) from None
        print(files[0] if len(files) == 1 else f"{files[0]} to {files[-1].name}")
    return 0
