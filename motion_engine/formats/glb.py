# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary glTF: an animated skeleton with a small skinned figure on it, so that every viewer shows something.

glTF shares our axes (+Y up, +Z front) and metres; only quaternions differ (x, y, z, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from motion_engine import __version__, skeleton
from motion_engine.formats.atomic import replacing
from motion_engine.motion import Motion

Array = NDArray[np.floating]

_TIPS = {
    10: (0.0, -0.01, 0.06),
    11: (0.0, -0.01, 0.06),
    15: (0.0, 0.15, 0.03),
    20: (0.17, 0.0, 0.0),
    21: (-0.17, 0.0, 0.0),
}
"""Where the figure's toes, crown and fingers end, in metres from the joint."""

_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


@dataclass(frozen=True)
class Figure:
    """A mesh in T-pose that follows the 22 joints.

    Attributes
    ----------
    positions, normals : float32 (V, 3), metres.
    triangles : uint16 or uint32 (F, 3).
    joints, weights : uint8 and float32 (V, 4).
    rest : (22, 3) joints of the T-pose.
    """

    positions: Array
    normals: Array
    triangles: NDArray[np.unsignedinteger]
    joints: NDArray[np.uint8]
    weights: Array
    rest: Array


def pyramids() -> Figure:
    """A double pyramid along every bone of the T-pose, with the pelvis at `REST_PELVIS_HEIGHT`."""
    rest = skeleton.REST_JOINTS + np.array([0.0, skeleton.REST_PELVIS_HEIGHT, 0.0])
    bones = [(int(parent), rest[joint]) for joint, parent in enumerate(skeleton.PARENTS) if parent >= 0]
    bones += [(joint, rest[joint] + np.array(tip)) for joint, tip in _TIPS.items()]
    corners: list[Array] = []
    followed: list[int] = []
    for joint, tail in bones:
        head = rest[joint]
        along = tail - head
        length = float(np.linalg.norm(along))
        along /= length
        side = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
        side /= np.linalg.norm(side)
        up = np.cross(along, side)
        width = min(0.16 * length, 0.05)
        ring = [head + 0.2 * length * along + width * d for d in (side, up, -side, -up)]
        for i in range(4):
            j = (i + 1) % 4
            corners += [head, ring[j], ring[i], tail, ring[i], ring[j]]  # flat shaded: no shared corners
            followed += [joint] * 6
    positions = np.array(corners)
    faces = positions.reshape(-1, 3, 3)
    normal = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    triangles = np.arange(len(positions), dtype=np.uint16).reshape(-1, 3)
    joints = np.zeros((len(positions), 4), dtype=np.uint8)
    joints[:, 0] = followed
    weights = np.zeros((len(positions), 4), dtype=np.float32)
    weights[:, 0] = 1.0
    normals = np.repeat(normal, 3, axis=0).astype(np.float32)
    return Figure(positions.astype(np.float32), normals, triangles, joints, weights, rest)


class _Buffer:
    """The one binary chunk of the file, and the accessors that point into it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[gltf.BufferView] = []
        self.accessors: list[gltf.Accessor] = []

    def add(self, array: NDArray[Any], target: int | None = None, bounds: bool = False) -> int:
        """Append an array (N, components); returns the index of its accessor."""
        component = {
            np.dtype("float32"): gltf.FLOAT, np.dtype("uint16"): gltf.UNSIGNED_SHORT,
            np.dtype("uint32"): gltf.UNSIGNED_INT, np.dtype("uint8"): gltf.UNSIGNED_BYTE,
        }[array.dtype]  # fmt: skip
        rows = array.reshape(len(array), -1)
        raw = np.ascontiguousarray(rows).tobytes()
        self.views.append(
            gltf.BufferView(buffer=0, byteOffset=len(self.data), byteLength=len(raw), target=target)
        )
        self.data += raw + bytes(-len(raw) % 4)
        self.accessors.append(
            gltf.Accessor(
                bufferView=len(self.views) - 1,
                componentType=component,
                count=len(rows),
                type=_TYPES[rows.shape[1]],
                min=rows.min(0).tolist() if bounds else None,
                max=rows.max(0).tolist() if bounds else None,
            )
        )
        return len(self.accessors) - 1


def _skin(buffer: _Buffer, rest: Array, first_joint: int) -> gltf.Skin:
    inverse = np.tile(np.eye(4, dtype=np.float32), (skeleton.N_JOINTS, 1, 1))
    inverse[:, 3, :3] = -rest  # column-major: the translation is the last row in memory
    return gltf.Skin(
        name="SMPL-22",
        joints=list(range(first_joint, first_joint + skeleton.N_JOINTS)),
        skeleton=first_joint,
        inverseBindMatrices=buffer.add(inverse.reshape(-1, 16)),
    )


def _mesh(buffer: _Buffer, figure: Figure) -> gltf.Mesh:
    attributes = gltf.Attributes(
        POSITION=buffer.add(figure.positions, gltf.ARRAY_BUFFER, bounds=True),
        NORMAL=buffer.add(figure.normals, gltf.ARRAY_BUFFER),
        JOINTS_0=buffer.add(figure.joints, gltf.ARRAY_BUFFER),
        WEIGHTS_0=buffer.add(figure.weights, gltf.ARRAY_BUFFER),
    )
    indices = buffer.add(figure.triangles.reshape(-1, 1), gltf.ELEMENT_ARRAY_BUFFER)
    primitive = gltf.Primitive(attributes=attributes, indices=indices, material=0)
    return gltf.Mesh(name="Figure", primitives=[primitive])


def _animation(buffer: _Buffer, motion: Motion, first_joint: int) -> gltf.Animation:
    time = (np.arange(motion.n_frames) / motion.fps).astype(np.float32).reshape(-1, 1)
    clock = buffer.add(time, bounds=True)
    samplers, channels = [], []

    def animate(node: int, path: str, values: Array) -> None:
        output = buffer.add(np.asarray(values, dtype=np.float32))
        samplers.append(gltf.AnimationSampler(input=clock, output=output, interpolation="LINEAR"))
        target = gltf.AnimationChannelTarget(node=node, path=path)
        channels.append(gltf.AnimationChannel(sampler=len(samplers) - 1, target=target))

    animate(first_joint, "translation", motion.root)
    for joint in range(skeleton.N_JOINTS):
        animate(first_joint + joint, "rotation", motion.rotations[:, joint, [1, 2, 3, 0]])
    name = str(motion.provenance.get("prompt") or "motion")[:60]
    return gltf.Animation(name=name, samplers=samplers, channels=channels)


def save(motion: Motion, path: str | Path, figure: Figure | None = None) -> None:
    """Write an armature of the 22 named joints in T-pose, a skinned figure (`pyramids`) and one animation.

    Rotations and the pelvis' path are keyed at every frame of the motion. The provenance goes into
    ``asset.extras``.
    """
    buffer = _Buffer()
    figure = figure or pyramids()
    skinned, first_joint = 1, 2
    nodes = [
        gltf.Node(name="Armature", children=[first_joint]),
        gltf.Node(name="Figure", mesh=0, skin=0),
    ]
    for joint, name in enumerate(skeleton.JOINT_NAMES):
        offset = figure.rest[joint] - (figure.rest[skeleton.PARENTS[joint]] if joint else 0.0)
        children = [first_joint + int(child) for child in np.flatnonzero(joint == skeleton.PARENTS)]
        nodes.append(gltf.Node(name=name, translation=offset.tolist(), children=children))
    document = gltf.GLTF2(
        asset=gltf.Asset(
            version="2.0", generator=f"Motion Prompt {__version__}", extras={"provenance": motion.provenance}
        ),
        scene=0,
        scenes=[gltf.Scene(nodes=[0, skinned])],  # a skinned mesh follows its joints, not its parent
        nodes=nodes,
        meshes=[_mesh(buffer, figure)],
        materials=[
            gltf.Material(
                name="Figure",
                pbrMetallicRoughness=gltf.PbrMetallicRoughness(
                    baseColorFactor=[0.8, 0.55, 0.3, 1.0], metallicFactor=0.0, roughnessFactor=0.8
                ),
            )
        ],
        skins=[_skin(buffer, figure.rest, first_joint)],
        animations=[_animation(buffer, motion, first_joint)],
        bufferViews=buffer.views,
        accessors=buffer.accessors,
        buffers=[gltf.Buffer(byteLength=len(buffer.data))],
    )
    document.set_binary_blob(bytes(buffer.data))
    with replacing(path) as file:
        file.write(b"".join(document.save_to_bytes()))
