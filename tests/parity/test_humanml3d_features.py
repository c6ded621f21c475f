# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``ik`` features agree with arrays produced by HumanML3D's own code."""

from __future__ import annotations

import numpy as np
import pytest

from motion_engine import features


@pytest.fixture(scope="module")
def golden(goldens):
    folder = goldens("humanml3d_263")
    return np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")


def test_recovered_joints(golden):
    inputs, outputs = golden
    joints = features.recover_joints(inputs["new_joint_vecs"])
    np.testing.assert_allclose(joints, outputs["recover_from_ric"], atol=2e-5)
    heading, root = features.recover_root(inputs["new_joint_vecs"])
    np.testing.assert_allclose(heading, outputs["root_quat"], atol=2e-5)
    np.testing.assert_allclose(root, outputs["root_pos"], atol=2e-5)


def test_encoded_features(golden):
    inputs, outputs = golden
    encoded = features.encode_joints(inputs["new_joints"])
    np.testing.assert_allclose(encoded, outputs["extract_features"], atol=2e-5)


def test_any_body_anywhere_gives_the_same_features(golden):
    inputs, outputs = golden
    joints = features.to_humanml3d(inputs["variant_joints"], inputs["target_offsets_from_frame0"])
    np.testing.assert_allclose(joints, outputs["variant_process_file_global_positions"], atol=2e-5)
    np.testing.assert_allclose(
        features.encode_joints(joints), outputs["variant_process_file_features"], atol=2e-5
    )


def test_first_frames_equal_the_stored_file(golden):
    inputs, _ = golden
    encoded = features.encode_joints(inputs["new_joints"])
    np.testing.assert_allclose(encoded[:110], inputs["new_joint_vecs"][:110], atol=3e-5)
