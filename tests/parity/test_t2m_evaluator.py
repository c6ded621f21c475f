# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator of Guo et al. agrees with embeddings of the official networks and reads their file, and only that."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

pytest.importorskip("torch", reason="the evaluator needs the extra `train`")

import torch

from training.evaluate import t2m_evaluator
from training.evaluate.glove import Glove


@pytest.fixture(scope="module")
def golden(goldens):
    folder = goldens("t2m_evaluator")
    flat = np.load(folder / "small_weights.npz")
    weights: dict = {part: {} for part in t2m_evaluator.PARTS}
    for key in flat.files:
        part, name = key.split(".", 1)
        weights[part][name] = torch.from_numpy(flat[key])
    return np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz"), weights


@torch.no_grad()
def test_embeddings(golden):
    inputs, outputs, weights = golden
    given = {name: torch.from_numpy(inputs[name]) for name in inputs.files}
    networks = t2m_evaluator.build(weights)
    movement = networks["movement_encoder"](given["motion"][..., :-4])
    np.testing.assert_allclose(movement, outputs["movement"], atol=5e-6)
    motion = networks["motion_encoder"](movement, given["m_lens_div4"])
    np.testing.assert_allclose(motion, outputs["motion_embedding"], atol=5e-6)
    text = networks["text_encoder"](given["word_embs"], given["pos_onehot"], given["cap_lens"])
    np.testing.assert_allclose(text, outputs["text_embedding"], atol=5e-6)


def test_the_official_file_is_read(golden, tmp_path):
    _, _, weights = golden
    path = tmp_path / "finest.tar"
    torch.save({**weights, "opt_text_encoder": {"state": {}}, "epoch": 7, "total_it": 100}, path)
    read = t2m_evaluator.read_finest(path)
    for part, state in weights.items():
        assert all(torch.equal(read[part][name], state[name]) for name in state)


def test_full_size_layout(goldens):
    layout = json.loads((goldens("t2m_evaluator") / "layout.json").read_text())
    weights = {
        part: {name: torch.zeros(entry["shape"]) for name, entry in layout[part].items()}
        for part in t2m_evaluator.PARTS
    }
    networks = t2m_evaluator.build(weights)
    assert networks["motion_encoder"](torch.zeros(1, 5, 512), torch.tensor([5])).shape == (1, 512)


class _Trap:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_other_files_are_refused(golden, tmp_path, capsys):
    _, _, weights = golden
    with pytest.raises(FileNotFoundError, match="no evaluator"):
        t2m_evaluator.read_finest(tmp_path / "absent.tar")
    cases = {
        "text.tar": b"this is no checkpoint",
        "trap.tar": pickle.dumps({"movement_encoder": _Trap()}, protocol=2),
        "empty.tar": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="Download"):
            t2m_evaluator.read_finest(tmp_path / name)
    assert "unpickled" not in capsys.readouterr().out
    torch.save({"state_dict": {"vae.x": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="lacks movement_encoder, motion_encoder, text_encoder"):
        t2m_evaluator.read_finest(tmp_path / "other.ckpt")
    damaged = {part: dict(state) for part, state in weights.items()}
    del damaged["motion_encoder"]["gru.bias_hh_l0"]
    with pytest.raises(ValueError, match=r"gru\.bias_hh_l0"):
        t2m_evaluator.build(damaged)


def test_a_caption_is_looked_up(tmp_path):
    words = ["sos", "eos", "unk", "walk", "left"]
    np.save(tmp_path / "our_vab_data.npy", np.arange(1500, dtype=np.float32).reshape(5, 300))
    (tmp_path / "our_vab_words.txt").write_text("\n".join(words))
    (tmp_path / "our_vab_special.txt").write_text("walk Act_VIP\nleft Loc_VIP\n")
    glove = Glove.read(tmp_path)
    vectors, tags, length = glove.encode(["a/DET", "walk/VERB", "left/ADV"])
    assert length == 5 and vectors.shape == (22, 300)
    assert vectors[:6, 0].tolist() == [0, 600, 900, 1200, 300, 600]
    assert [int(i) for i in tags[:6].argmax(axis=1)] == [14, 14, 12, 9, 14, 14]
    assert glove.encode(["walk/VERB"] * 40)[2] == 22
    with pytest.raises(FileNotFoundError, match=r"glove\.6B\.300d\.txt"):
        Glove.read(tmp_path / "nothing")
