# SPDX-License-Identifier: GPL-3.0-or-later
"""A fitted body to a file: skinned ``.glb``, ``.obj`` a frame, or ``.npz`` in the layout of AMASS."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.body_fit import BodyFit
from motion_engine.body_model import BodyModel
from motion_engine.formats import glb
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

Array = NDArray[np.floating]

SUFFIXES = (".glb", ".obj", ".npz")
N = skeleton.N_JOINTS


def save(model: BodyModel, fit: BodyFit, vertices: Array, motion: Motion, path: Path) -> list[Path]:
    """Write the body in motion; returns the files.

    ``.obj`` becomes one file a frame, ``name-0001.obj`` on, exactly as the model poses it. A ``.glb`` is skinned: four
    joints a vertex, without the model's corrections by pose.
    """
    if path.suffix.lower() == ".obj":
        files = [path.with_name(f"{path.stem}-{frame:04d}.obj") for frame in range(1, len(vertices) + 1)]
        faces = "".join(f"f {a} {b} {c}\n" for a, b, c in model.faces + 1)
        for file, corners in zip(files, vertices, strict=True):
            text = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in corners)
            with replacing(file) as out:
                out.write((text + faces).encode("ascii"))
        return files
    if path.suffix.lower() == ".npz":
        _save_npz(model, fit, motion, path)
    else:
        pelvis = fit.translations + model.joints_at_rest(fit.betas)[0]
        moved = Motion.from_rotations(
            motion.rotations, pelvis, motion.fps, motion.provenance, motion.contacts
        )
        glb.save(moved, path, figure(model, fit.betas))
    return [path]


def _save_npz(model: BodyModel, fit: BodyFit, motion: Motion, path: Path) -> None:
    z_up = quat.about_axis(0, np.pi / 2)
    poses = fit.poses.copy()
    poses[:, 0] = quat.to_axis_angle(quat.multiply(z_up, motion.rotations[:, 0].astype(float)))
    # the body turns about its pelvis, which the model keeps at a fixed place before the translation
    rest = model.joints_at_rest(fit.betas)[0]
    with replacing(path) as file:
        np.savez_compressed(
            file,
            poses=poses.reshape(len(poses), -1),
            trans=quat.rotate(z_up, fit.translations + rest) - rest,
            betas=fit.betas,
            gender=np.array("neutral"),
            mocap_framerate=np.array(motion.fps),
            text=np.array(str(motion.provenance.get("prompt", ""))),
            provenance=np.array(json.dumps(motion.provenance)),
        )


def figure(model: BodyModel, betas: Array) -> glb.Figure:
    """The body of that shape in T-pose, skinned to the 22 joints; hands and face go with wrists and head."""
    positions = model.template + model.shape @ betas
    corners = positions[model.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals: Array = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(normals, model.faces[:, corner], across)
    normals = quat.normalize(normals)
    normals[np.linalg.norm(normals, axis=-1) < 0.5] = (0.0, 1.0, 0.0)
    weights = model.weights[:, :N].copy()
    for joint in range(N, len(model.parents)):
        carrier = joint
        while carrier >= N:
            carrier = int(model.parents[carrier])
        weights[:, carrier] += model.weights[:, joint]
    strongest = np.argsort(-weights, axis=1)[:, :4]
    kept = np.take_along_axis(weights, strongest, axis=1)
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)
    return glb.Figure(
        positions.astype(np.float32),
        normals.astype(np.float32),
        model.faces.astype(np.uint32),
        np.where(kept > 0, strongest, 0).astype(np.uint8),
        kept.astype(np.float32),
        model.joints_at_rest(betas)[:N],
    )
