# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of the caption side say the same on both runtimes, and what is masked out has no influence."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from motion_engine.bundle import Bundle, find  # noqa: E402
from motion_engine.runtime.onnx import OnnxNetwork  # noqa: E402
from motion_engine.runtime.torch.backend import CAPTION_NETWORKS, TorchNetwork  # noqa: E402
from training.export.random_bundle import write_random_bundle  # noqa: E402


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return find(
        write_random_bundle(tmp_path_factory.mktemp("bundle"), samplers=("motionlcm",), captions=True)
    )


def inputs(bundle: Bundle, name: str, batch: int, length: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(length)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    tokens = bundle.manifest["captions"]["motion_tokens"]
    mask = np.arange(length) < np.array([[length], *[[length - 2]] * (batch - 1)])
    clip = {"latents": normal(batch, length, 24), "mask": mask}
    return {
        "caption_encoder": clip,
        "motion_encoder": clip,
        "motion_decoder": {"tokens": normal(batch, tokens, 128), "mask": mask},
        "text_reader": {"text": normal(batch, length, 384), "text_mask": mask},
        "text_decoder": {
            "memory": normal(batch, length, 128),
            "memory_mask": mask,
            "words": random.integers(1, 9, (batch, 5)),
        },
        "mote": {
            "motion": normal(batch, tokens, 128),
            "text": normal(batch, 4, 128),
            "motion_time": np.full(batch, 0.0, np.float32),
            "text_time": np.full(batch, 700.0, np.float32),
        },
    }[name]


@pytest.mark.parametrize("name", CAPTION_NETWORKS)
def test_both_runtimes_agree(bundle: Bundle, name: str) -> None:
    graph = OnnxNetwork(bundle.path / f"{name}.onnx")
    network = TorchNetwork(bundle, name, torch.device("cpu"))
    for batch, length in ((1, 3), (4, 31)):
        given = inputs(bundle, name, batch, length)
        np.testing.assert_allclose(graph(given)[0], network(given)[0], atol=2e-4)


@pytest.mark.parametrize("name", ["caption_encoder", "motion_encoder", "text_reader", "text_decoder"])
def test_padding_changes_nothing(bundle: Bundle, name: str) -> None:
    graph = OnnxNetwork(bundle.path / f"{name}.onnx")
    given = inputs(bundle, name, 2, 12)
    content = next(key for key in given if key in ("latents", "text", "memory"))
    mask = next(given[key] for key in given if key.endswith("mask"))
    changed = dict(given)
    changed[content] = np.where(mask[..., None], given[content], 100.0).astype(np.float32)
    before, after = graph(given)[0][1], graph(changed)[0][1]
    if name == "caption_encoder":  # rows of padding are not read
        before, after = before[:11], after[:11]
    np.testing.assert_allclose(before, after, atol=1e-4)


def test_embeddings_have_unit_length(bundle: Bundle) -> None:
    for name in ("caption_encoder", "text_reader"):
        rows = OnnxNetwork(bundle.path / f"{name}.onnx")(inputs(bundle, name, 3, 9))[0]
        np.testing.assert_allclose(np.linalg.norm(rows[:, 0], axis=-1), 1.0, atol=1e-4)


def test_the_manifest_says_what_is_offered(bundle: Bundle) -> None:
    assert {"motion_to_text", "embed", "variation", "joint"} <= set(bundle.manifest["tasks"])
    captions = bundle.manifest["captions"]
    assert captions["words_file"] in bundle.manifest["files"]
