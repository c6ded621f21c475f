# SPDX-License-Identifier: GPL-3.0-or-later
"""``.npz`` in the layout of AMASS, which SMPL tools open, with joints, text and provenance beside it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

N_SMPLH_JOINTS = 52
SMPL_PELVIS = np.array([-0.002, -0.223, 0.028])
"""Rest position of the pelvis in SMPL's own coordinates: AMASS translations are measured from that origin."""


def save(motion: Motion, path: str | Path) -> None:
    """Write ``poses`` (T, 156) axis-angle, ``trans``, ``betas``, ``gender``, ``mocap_framerate``; +Z up as AMASS.

    Also written: ``joints`` (T, 22, 3) in our own coordinates, ``contacts``, ``text`` and ``provenance`` (JSON).
    """
    rotations = motion.rotations.astype(float)
    root = motion.root.astype(float)
    z_up = quat.about_axis(0, np.pi / 2)
    rotations[:, 0] = quat.multiply(z_up, rotations[:, 0])
    poses = np.zeros((motion.n_frames, N_SMPLH_JOINTS, 3))
    poses[:, : skeleton.N_JOINTS] = quat.to_axis_angle(rotations)
    # the body turns about its pelvis, which SMPL keeps at a fixed place before the translation
    trans = quat.rotate(z_up, root) - SMPL_PELVIS
    with replacing(path) as file:
        np.savez_compressed(
            file,
            poses=poses.reshape(motion.n_frames, -1),
            trans=trans,
            betas=np.zeros(16),
            gender=np.array("neutral"),
            mocap_framerate=np.array(motion.fps),
            joints=motion.joints,
            contacts=motion.contacts,
            text=np.array(str(motion.provenance.get("prompt", ""))),
            provenance=np.array(json.dumps(motion.provenance)),
        )


def load(path: str | Path) -> Motion:
    """Read a file that `save` or AMASS wrote, on the neutral skeleton.

    Raises
    ------
    ValueError
        If the file is not an AMASS ``.npz``; the sentence names what is missing.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            data: dict[str, Any] = {name: archive[name] for name in archive.files if name != "gender"}
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{Path(path).name} is not a readable .npz file: {error}") from error
    rate = data.get("mocap_framerate", data.get("mocap_frame_rate", np.nan))
    missing = [name for name in ("poses", "trans") if name not in data]
    missing += [] if np.isfinite(rate) else ["mocap_framerate"]
    if missing:
        raise ValueError(f"{Path(path).name} is not in the layout of AMASS: {', '.join(missing)} missing.")
    poses = np.asarray(data["poses"], dtype=float)
    if poses.ndim != 2 or poses.shape[1] < 66:
        raise ValueError(f"{Path(path).name}: poses must have shape (frames, 66 or more), not {poses.shape}.")
    y_up = quat.about_axis(0, -np.pi / 2)
    rotations = quat.from_axis_angle(poses[:, :66].reshape(-1, skeleton.N_JOINTS, 3))
    rotations[:, 0] = quat.multiply(y_up, rotations[:, 0])
    root = quat.rotate(y_up, np.asarray(data["trans"], dtype=float) + SMPL_PELVIS)
    provenance = json.loads(str(data["provenance"])) if "provenance" in data else {}
    contacts = data.get("contacts")
    return Motion.from_rotations(rotations, root, float(rate), provenance, contacts)
