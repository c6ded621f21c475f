# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation metrics agree with numbers produced by the official code of MotionLCM, EMDM and OmniControl."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motion_engine.quality import skating_ratio
from training.evaluate import metrics


@pytest.fixture(scope="module")
def golden(goldens):
    folder = goldens("metrics")
    outputs = dict(np.load(folder / "outputs.npz"))
    scalars = json.loads((folder / "config.json").read_text())["scalars"]
    return np.load(folder / "inputs.npz"), outputs | scalars


def test_fid(golden):
    inputs, outputs = golden
    found = metrics.fid(inputs["fid_gt"], inputs["fid_gen"])
    assert found == pytest.approx(outputs["fid_reference_eigh_float64"], rel=1e-7)
    assert found == pytest.approx(outputs["fid"], rel=1e-6)
    assert found == pytest.approx(outputs["fid_motionlcm"], rel=1e-6)
    assert metrics.fid(inputs["fid_gt"], inputs["fid_gt"]) == pytest.approx(0, abs=1e-6)


def test_fid_of_fewer_motions_than_dimensions(golden):
    inputs, outputs = golden
    found = metrics.fid(inputs["fid_rankdef_gt"], inputs["fid_rankdef_gen"])
    assert found == pytest.approx(outputs["fid_rankdef_reference_eigh_float64"], rel=1e-6)
    assert found == pytest.approx(outputs["fid_rankdef"], rel=1e-6)


def test_r_precision_and_matching_score(golden):
    inputs, outputs = golden
    texts, motions = inputs["rp_text"], inputs["rp_motion"]
    groups = np.arange(160).reshape(5, 32)
    tables = np.stack([metrics.distances(texts[g], motions[g]) for g in groups])
    np.testing.assert_allclose(tables, outputs["rp_dist_matrix_per_group32"], rtol=1e-4)
    hits = np.concatenate([metrics.top_k_hits(table) for table in tables])
    np.testing.assert_array_equal(hits, outputs["rp_topk_matrix"])
    found, matching = metrics.r_precision(texts, motions, groups)
    np.testing.assert_allclose(found, outputs["rp_topk_mean"], atol=1e-9)
    assert matching == pytest.approx(float(outputs["rp_matching_score"]), rel=1e-5)
    np.testing.assert_array_equal(
        metrics.top_k_hits(tables[0]).sum(axis=0), outputs["rp_function_calculate_R_precision_sum_first32"]
    )
    own = [metrics.distances(texts[i : i + 1], motions[i : i + 1])[0, 0] for i in range(160)]
    np.testing.assert_allclose(own, outputs["matching_score_vector"], rtol=1e-4)


def test_shuffled_groups_as_motionlcm_draws_them(golden):
    inputs, outputs = golden
    order = inputs["tm2t_shuffle"]
    groups = order.reshape(-1, 32)
    for prefix, motions in (("tm2t_", inputs["rp_motion"]), ("tm2t_gt_", inputs["tm2t_gt_motion"])):
        found, matching = metrics.r_precision(inputs["rp_text"], motions, groups)
        expected = [float(outputs[f"{prefix}R_precision_top_{k}"]) for k in (1, 2, 3)]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert matching == pytest.approx(float(outputs[f"{prefix}Matching_score"]), rel=1e-5)
    found_fid = metrics.fid(inputs["tm2t_gt_motion"], inputs["rp_motion"])
    assert found_fid == pytest.approx(float(outputs["tm2t_FID"]), rel=1e-5)
    random = np.random.RandomState(22)
    for prefix, motions in (("tm2t_", inputs["rp_motion"]), ("tm2t_gt_", inputs["tm2t_gt_motion"])):
        first, second = (random.choice(160, 100, replace=False) for _ in range(2))
        found_diversity = metrics.diversity(motions[order], first, second)
        assert found_diversity == pytest.approx(float(outputs[f"{prefix}Diversity"]), rel=1e-5)


def test_diversity_and_multimodality(golden):
    inputs, outputs = golden
    found = metrics.diversity(inputs["fid_gt"], inputs["diversity_first"], inputs["diversity_second"])
    assert found == pytest.approx(float(outputs["diversity_300"]), rel=1e-5)
    found = metrics.multimodality(inputs["mm_embeddings"], inputs["mm_first"], inputs["mm_second"])
    assert found == pytest.approx(float(outputs["multimodality_10"]), rel=1e-5)


def test_control_errors(golden):
    inputs, outputs = golden
    lengths = inputs["ctl_lengths"]

    def cut(name):
        return [clip[:length] for clip, length in zip(inputs[name], lengths, strict=True)]

    masks = [mask.all(axis=-1) for mask in cut("ctl_mask")]
    found = metrics.control_errors(cut("ctl_joints"), cut("ctl_hint_source"), masks)
    assert found.average == pytest.approx(float(outputs["control_kps_mean_err_m"]), rel=1e-5)
    assert found.average == pytest.approx(float(outputs["control_Control_L2_dist"]), rel=1e-5)
    for limit, name in ((0.2, "20cm"), (0.5, "50cm")):
        assert found.trajectory[limit] == pytest.approx(float(outputs[f"control_traj_fail_{name}"]))
        assert found.location[limit] == pytest.approx(float(outputs[f"control_kps_fail_{name}"]))


def test_skating_ratio(golden):
    inputs, outputs = golden
    found = [
        skating_ratio(joints[:length], 20.0)
        for joints, length in zip(inputs["ctl_joints"], inputs["ctl_lengths"], strict=True)
    ]
    np.testing.assert_allclose(found, outputs["skating_ratio"], atol=1e-9)
    assert np.mean(found) == pytest.approx(float(outputs["control_Skating_Ratio"]), rel=1e-5)


def test_mean_joint_error(golden):
    inputs, outputs = golden
    found, target = inputs["ctl_joints"][0], inputs["ctl_hint_source"][0]
    np.testing.assert_allclose(metrics.mpjpe(found, target), outputs["mpjpe_aligned"], atol=1e-6)
    np.testing.assert_allclose(
        metrics.mpjpe(found, target, aligned=False), outputs["mpjpe_unaligned"], atol=1e-6
    )
