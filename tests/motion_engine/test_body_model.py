# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip on a body model: a synthetic file in SMPL's layout, posed by smplx, its joints held against the clip's."""

from __future__ import annotations

import importlib.util
import pickle

import numpy as np
import pytest
from clips import swinging
from synthetic_body import arrays

from motion_engine import body_fit, body_model, skeleton
from motion_engine import quaternion as quat
from motion_engine.cli import main
from motion_engine.errors import EngineError
from motion_engine.formats import npz
from motion_engine.motion import Motion

needs_smplx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "smplx")),
    reason="needs the extra `smpl`",
)


@pytest.fixture(scope="module")
def smpl_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "SMPL_NEUTRAL.npz"
    np.savez(path, **arrays(), labels=np.array({"a": 1}, dtype=object))
    return path


@pytest.fixture
def clip(tmp_path):
    npz.save(swinging(40), tmp_path / "clip.npz")
    return tmp_path / "clip.npz"


def run(capsys, *words):
    code = main(["smpl", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@needs_smplx
def test_the_average_body_with_our_bones_fits_to_a_millimetre(smpl_file, clip, capsys):
    code, out, _ = run(capsys, clip, "--model", smpl_file, "--average")
    assert code == 0
    assert out.startswith("SMPL, 6890 vertices, 40 frames")
    assert "mean 0.0 mm" in out


@needs_smplx
def test_the_shape_of_a_larger_body_is_found(smpl_file):
    model = body_model.read(smpl_file)
    wanted = np.array([1.5, -0.8, 0.5, *np.zeros(7)])
    rest = model.joints_at_rest(wanted)[:22]
    offsets = rest - rest[np.maximum(skeleton.PARENTS, 0)]
    small = swinging(40)
    joints = skeleton.forward_kinematics(small.rotations.astype(float), small.root.astype(float), offsets)
    motion = Motion(joints, small.rotations, small.root, small.contacts, small.fps)
    from motion_engine.runtime.torch.body_mesh import pose_body

    def error(fit):
        return np.linalg.norm(pose_body(model, fit)[1][:, :22] - motion.joints, axis=-1).mean() * 1e3

    assert error(body_fit.fit(model, motion, fit_shape=False)) > 10
    assert error(body_fit.fit(model, motion)) < 1


@needs_smplx
def test_smplx_itself_takes_the_file_and_agrees(tmp_path):
    import smplx
    import torch

    scipy_sparse = pytest.importorskip("scipy.sparse")
    data = arrays()
    data["J_regressor"] = scipy_sparse.csc_matrix(data["J_regressor"])
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(data, protocol=2))
    motion = swinging(3)
    model = body_model.read(tmp_path)
    fit = body_fit.fit(model, motion)
    from motion_engine.runtime.torch.body_mesh import pose_body

    vertices, joints = pose_body(model, fit)
    body = smplx.SMPL(str(path), batch_size=3)
    poses = torch.as_tensor(fit.poses.reshape(3, -1), dtype=torch.float32)
    theirs = body(
        betas=torch.as_tensor(np.tile(fit.betas, (3, 1)), dtype=torch.float32),
        global_orient=poses[:, :3],
        body_pose=poses[:, 3:],
        transl=torch.as_tensor(fit.translations, dtype=torch.float32),
    )
    np.testing.assert_allclose(theirs.vertices.detach().numpy(), vertices, atol=1e-4)
    np.testing.assert_allclose(theirs.joints.detach().numpy()[:, :24], joints, atol=1e-4)


@needs_smplx
@pytest.mark.parametrize("joints", [52, 55])
def test_other_models_and_every_output(tmp_path, clip, capsys, joints):
    path = tmp_path / "model.npz"
    np.savez(path, **arrays(joints, seed=1))
    motion = swinging(40)
    code, out, _ = run(capsys, clip, "--model", path, "--out", tmp_path / "body.npz")
    assert code == 0
    assert out.startswith({52: "SMPL-H", 55: "SMPL-X"}[joints])
    back = npz.load(
        tmp_path / "body.npz"
    )  # read on the neutral skeleton: the same joints but for the shape's
    assert np.linalg.norm(back.joints - motion.joints, axis=-1).mean() < 0.01
    assert run(capsys, clip, "--model", path, "--out", tmp_path / "body.obj")[0] == 0
    files = sorted(tmp_path.glob("body-*.obj"))
    assert len(files) == motion.n_frames
    lines = files[10].read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 6890


@needs_smplx
def test_a_skinned_glb_moves_as_the_model_does(tmp_path, smpl_file, clip):
    import pygltflib

    from motion_engine.runtime.torch.body_mesh import pose_body

    assert main(["smpl", str(clip), "--model", str(smpl_file), "--out", str(tmp_path / "body.glb")]) == 0
    document = pygltflib.GLTF2().load(str(tmp_path / "body.glb"))
    mesh, blob = document.meshes[0].primitives[0], document.binary_blob()

    def read(index, kind, width):
        accessor = document.accessors[index]
        start = document.bufferViews[accessor.bufferView].byteOffset
        return np.frombuffer(blob, kind, accessor.count * width, start).reshape(-1, width)

    positions, weights = read(mesh.attributes.POSITION, "<f4", 3), read(mesh.attributes.WEIGHTS_0, "<f4", 4)
    bones = read(mesh.attributes.JOINTS_0, "u1", 4)
    inverse = read(document.skins[0].inverseBindMatrices, "<f4", 16).reshape(-1, 4, 4)[:, 3, :3]
    # the joints' places and turns at frame 20, skinned as a viewer does
    motion = npz.load(clip)
    offsets = np.array([document.nodes[node].translation for node in document.skins[0].joints])
    root = read(document.animations[0].samplers[0].output, "<f4", 3)[20]
    turned = skeleton.global_rotations(motion.rotations[20].astype(float))
    places = skeleton.forward_kinematics(
        motion.rotations[20].astype(float), root.astype(float), offsets * (np.arange(22) > 0)[:, None]
    )
    moved = quat.rotate(turned[bones], positions[:, None] + inverse[bones]) + places[bones]
    skinned = (moved * weights[..., None]).sum(axis=1)
    model = body_model.read(smpl_file)
    exact = pose_body(model, body_fit.fit(model, motion))[0][20]
    # the model's corrections by pose are small here, and not in the file
    assert np.linalg.norm(skinned - exact, axis=-1).mean() < 0.01


def test_without_the_package_it_is_said(smpl_file, clip, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "smplx" else find(name))
    code, _, err = run(capsys, clip, "--model", smpl_file)
    assert code == 2
    assert "smplx" in err and "pip install" in err


def test_models_that_cannot_be_used(tmp_path, clip, capsys):
    def refused(path, sentence):
        with pytest.raises(EngineError) as caught:
            body_model.read(path)
        assert sentence in str(caught.value)

    refused(tmp_path / "no.npz", "no model file")
    refused(tmp_path, "no model of gender")
    (tmp_path / "bad.npz").write_bytes(b"hello")
    refused(tmp_path / "bad.npz", "not a readable model")
    np.savez(tmp_path / "half.npz", v_template=np.zeros((3, 3)))
    refused(tmp_path / "half.npz", "weights")
    odd = arrays()
    odd["kintree_table"] = odd["kintree_table"][:, ::-1].copy()
    np.savez(tmp_path / "odd.npz", **odd)
    refused(tmp_path / "odd.npz", "no body of SMPL's joints")
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch evil'\ntR.")
    refused(tmp_path / "evil.pkl", "asks for")
    code, _, err = run(capsys, clip, "--model", tmp_path / "no.npz")
    assert code == 2 and "no model file" in err
    code, _, err = run(capsys, clip, "--model", tmp_path, "--out", tmp_path / "body.stl")
    assert code == 2 and ".obj" in err
