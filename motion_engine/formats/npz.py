# SPDX-License-Identifier: GPL-3.0-or-later
"""``.npz`` in the layout of AMASS, which SMPL tools open, with joints, text and provenance beside it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.formats.atomic import replacing
from motion_engine.ik import scaled_path, solve_rotations
from motion_engine.motion import Motion

Array = NDArray[np.floating]

N_SMPLH_JOINTS = 52
RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
"""Names under which files keep their frames a second."""

_READ = ("poses", "trans", "joints", "contacts", "text", "provenance", *RATES)
"""What is read; AMASS keeps names and labels beside it, some as pickles, which are never opened."""

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
    """Read a file that `save` or AMASS wrote (SMPL, SMPL-H or SMPL-X), or one of joints alone, on the neutral skeleton.

    Of ``poses`` the first 22 joints are read, with ``trans`` and +Z up. A file without them may hold ``joints``
    (T, 22 or more, 3) in SMPL order with +Y up, as HumanML3D has them: rotations are solved without twist, and the
    path is scaled to the skeleton's legs.

    Raises
    ------
    ValueError
        If the file is neither; the sentence names what is missing.
    """
    name = Path(path).name
    try:
        with np.load(path, allow_pickle=False) as archive:
            data: dict[str, Any] = {key: archive[key] for key in archive.files if key in _READ}
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{name} is not a readable .npz file: {error}") from error
    rate = next((float(data[key]) for key in RATES if key in data), np.nan)
    has_poses = "poses" in data and "trans" in data
    missing = [] if has_poses or "joints" in data else [key for key in ("poses", "trans") if key not in data]
    missing += [] if np.isfinite(rate) else [RATES[0]]
    if missing:
        raise ValueError(f"{name} is not in the layout of AMASS: {', '.join(missing)} missing.")
    provenance = json.loads(str(data["provenance"])) if "provenance" in data else {}
    if "prompt" not in provenance and str(data.get("text", "")):
        provenance["prompt"] = str(data["text"])
    if has_poses:
        rotations, root = _read_poses(name, data)
    else:
        rotations, root = _solve_joints(name, np.asarray(data["joints"], dtype=float))
    return Motion.from_rotations(rotations, root, rate, provenance, data.get("contacts"))


def _read_poses(name: str, data: dict[str, Any]) -> tuple[Array, Array]:
    """Local rotations (T, 22, 4) and pelvis path (T, 3) of ``poses`` and ``trans``."""
    poses, trans = np.asarray(data["poses"], dtype=float), np.asarray(data["trans"], dtype=float)
    if poses.ndim != 2 or poses.shape[1] < 66:
        raise ValueError(f"{name}: poses must have shape (frames, 66 or more), not {poses.shape}.")
    if trans.shape != (len(poses), 3):
        raise ValueError(f"{name}: trans must have shape ({len(poses)}, 3), not {trans.shape}.")
    y_up = quat.about_axis(0, -np.pi / 2)
    rotations = quat.from_axis_angle(poses[:, :66].reshape(-1, skeleton.N_JOINTS, 3))
    rotations[:, 0] = quat.multiply(y_up, rotations[:, 0])
    return rotations, quat.rotate(y_up, trans + SMPL_PELVIS)


def _solve_joints(name: str, joints: Array) -> tuple[Array, Array]:
    """The same from joints (T, 22 or more, 3); a body of another size gives a path of our size."""
    if joints.ndim != 3 or joints.shape[1] < skeleton.N_JOINTS or joints.shape[2] != 3:
        raise ValueError(f"{name}: joints must have shape (frames, 22 or more, 3), not {joints.shape}.")
    joints = joints[:, : skeleton.N_JOINTS]
    try:
        return solve_rotations(joints), scaled_path(joints)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
