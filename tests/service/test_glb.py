# SPDX-License-Identifier: GPL-3.0-or-later
"""A written .glb holds the motion: reopened, its nodes evaluated, its joints compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
import pytest

from motion_engine import formats, skeleton
from motion_engine import quaternion as quat
from motion_engine.motion import Motion

COMPONENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TYPES = {pygltflib.FLOAT: "<f4", pygltflib.UNSIGNED_SHORT: "<u2", pygltflib.UNSIGNED_BYTE: "u1"}


def make_motion(n_frames: int = 50) -> Motion:
    rng = np.random.default_rng(3)
    turns = np.cumsum(rng.normal(0, 0.05, (n_frames, 22, 3)), axis=0)
    root = np.cumsum(rng.normal(0, 0.02, (n_frames, 3)), axis=0) + np.array([0, 0.94, 0])
    return Motion.from_rotations(quat.from_axis_angle(turns), root, 20.0, {"prompt": "a person tests"})


def read(document: pygltflib.GLTF2, index: int) -> np.ndarray:
    accessor = document.accessors[index]
    view = document.bufferViews[accessor.bufferView]
    blob = document.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return np.frombuffer(blob, TYPES[accessor.componentType]).reshape(
        accessor.count, COMPONENTS[accessor.type]
    )


def matrix(translation: np.ndarray, xyzw: np.ndarray) -> np.ndarray:
    result = np.eye(4)
    result[:3, :3] = quat.to_matrix(np.asarray(xyzw, dtype=float)[[3, 0, 1, 2]])
    result[:3, 3] = translation
    return result


def evaluate(document: pygltflib.GLTF2, frame: int | None) -> dict[str, np.ndarray]:
    """World matrix of every named node, at rest or at a key."""
    local = {
        i: [np.array(node.translation or [0, 0, 0]), np.array(node.rotation or [0, 0, 0, 1])]
        for i, node in enumerate(document.nodes)
    }
    if frame is not None:
        animation = document.animations[0]
        for channel in animation.channels:
            values = read(document, animation.samplers[channel.sampler].output)
            local[channel.target.node][channel.target.path == "rotation"] = values[frame]
    world: dict[str, np.ndarray] = {}

    def visit(index: int, parent: np.ndarray) -> None:
        node = document.nodes[index]
        world[node.name] = parent @ matrix(*local[index])
        for child in node.children or []:
            visit(child, world[node.name])

    for index in document.scenes[document.scene].nodes:
        visit(index, np.eye(4))
    return world


@pytest.fixture
def written(tmp_path: Path) -> tuple[Motion, pygltflib.GLTF2]:
    motion = make_motion()
    path = tmp_path / "clip.glb"
    formats.save(motion, path)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.glb"]
    return motion, pygltflib.GLTF2().load(str(path))


def test_joints_are_where_the_motion_has_them(written):
    motion, document = written
    for frame in (0, 7, 49):
        world = evaluate(document, frame)
        joints = np.array([world[name][:3, 3] for name in skeleton.JOINT_NAMES])
        assert np.abs(joints - motion.joints[frame]).max() < 1e-3


def test_times_are_the_motion_rate(written):
    motion, document = written
    clock = read(document, document.animations[0].samplers[0].input).ravel()
    np.testing.assert_allclose(clock, np.arange(motion.n_frames) / 20.0, atol=1e-6)
    assert document.animations[0].name == "a person tests"


def test_skin_is_at_rest_in_the_t_pose(written):
    _, document = written
    skin = document.skins[0]
    assert [document.nodes[i].name for i in skin.joints] == list(skeleton.JOINT_NAMES)
    world = evaluate(document, None)
    inverse = read(document, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    for node, bind in zip(skin.joints, inverse, strict=True):
        np.testing.assert_allclose(world[document.nodes[node].name] @ bind, np.eye(4), atol=1e-6)
    vertices = read(document, document.meshes[0].primitives[0].attributes.POSITION)
    assert abs(vertices[:, 1].min()) < 0.03, "the figure stands on the floor"


def test_one_frame_is_enough(tmp_path: Path):
    formats.save(make_motion(1), tmp_path / "pose.glb")
    document = pygltflib.GLTF2().load(str(tmp_path / "pose.glb"))
    assert len(document.nodes) == 24
