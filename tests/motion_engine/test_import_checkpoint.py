# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the official structure become bundles that run; everything else is refused with a sentence."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="reading checkpoints needs the extra `train`")
pytest.importorskip("onnx", reason="writing bundles needs the extra `train`")

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from official_files import official_state, write_checkpoint, write_sentence_t5, write_stats

from motion_engine import bundle as bundles
from motion_engine.cli import main
from motion_engine.engine import Engine, GenerateRequest, make_plan
from motion_engine.errors import EngineError
from motion_engine.import_checkpoint import import_checkpoint


@pytest.fixture(scope="module")
def stats(tmp_path_factory):
    return write_stats(tmp_path_factory.mktemp("stats"))


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory):
    return write_sentence_t5(tmp_path_factory.mktemp("text") / "sentence-t5-large")


@pytest.fixture(scope="module")
def imported(tmp_path_factory, stats, text_encoder):
    """Bundles by (kind, version), each imported once by the command."""
    folder = tmp_path_factory.mktemp("imported")
    made = {}

    def bundle(kind, version):
        if (kind, version) not in made:
            file = write_checkpoint(folder / f"{kind}-{version}.ckpt", kind, version)
            out = folder / "models" / f"{kind}-{version}"
            arguments = ["import-checkpoint", file, "--kind", kind, "--version", version, "--stats", stats]
            arguments += ["--text-encoder", text_encoder, "--out", out]
            assert main([str(argument) for argument in arguments]) == 0
            made[kind, version] = out
        return made[kind, version]

    return bundle


def refusal(file, kind="motionlcm", version="v2", **options):
    """The error of an import that must not leave anything behind."""
    out = file.parent / "out" / "bundle"
    with pytest.raises(EngineError) as caught:
        import_checkpoint(file, kind, version, out, name="x", **options)
    assert not out.exists() and caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("kind", "version"),
    [("mld", "v2"), ("motionlcm", "v1"), ("motionlcm", "v2"), ("motionlcm-control", "v2")],
)
def test_an_imported_checkpoint_generates(imported, kind, version):
    engine = Engine.load(imported(kind, version))
    motions = engine.generate(GenerateRequest("a person walks", duration=3.0, count=2, seed=4))
    assert [motion.n_frames for motion in motions] == [60, 60]
    assert all(np.isfinite(motion.joints).all() for motion in motions)
    # it trembles around the mean that the statistics say
    assert 0.3 < motions[0].root[:, 1].mean() < 1.5
    other = engine.generate(GenerateRequest("jumps forward", duration=3.0, seed=4))[0]
    assert np.abs(other.joints - motions[0].joints).max() > 1e-4, "the prompt has no influence"


def test_the_manifest_says_what_it_is(imported):
    manifest = bundles.load(imported("motionlcm", "v2")).manifest
    assert manifest["licence"] == "non-commercial scientific research"
    assert "Dai et al." in manifest["attribution"][0] and "HumanML3D" in manifest["attribution"][1]
    assert manifest["features"] == "ik" and manifest["fps"] == 20 and manifest["latents"] == 16
    assert manifest["imported"]["kind"] == "motionlcm"
    listed = bundles.list_bundles(imported("motionlcm", "v2").parent)
    assert all(info.ok for info in listed) and listed[0].licence == manifest["licence"]


@pytest.mark.parametrize(
    ("version", "steps", "times", "guidance"),
    [
        ("v1", 1, (999,), 7.5), ("v1", 2, (999, 499), 7.5), ("v1", 4, (999, 759, 499, 259), 7.5),
        ("v2", None, (799,), 8.0), ("v2", 2, (699, 299), 12.5), ("v2", 4, (699, 399, 299, 299), 13.5),
    ],
)  # fmt: skip
def test_official_times_and_guidance(imported, version, steps, times, guidance):
    plan = make_plan(
        bundles.load(imported("motionlcm", version)), GenerateRequest("a person walks", steps=steps)
    )
    assert plan.times == times and plan.guidance == guidance


def test_mld_runs_50_guided_steps(imported):
    plan = make_plan(bundles.load(imported("mld", "v2")), GenerateRequest("a person walks"))
    assert plan.sampler == "mld" and len(plan.times) == 50 and plan.times[0] == 981 and plan.guidance == 7.5


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_onnx_and_torch_agree_with_the_networks_of_the_file(imported, version):
    folder = imported("motionlcm", version)
    request = GenerateRequest("a person walks", duration=2.5, steps=4, seed=3)
    by_onnx = Engine.load(folder).generate(request)[0]
    by_torch = Engine.load(folder, backend="torch", device="cpu").generate(request)[0]
    np.testing.assert_allclose(by_onnx.joints, by_torch.joints, atol=1e-4)


def test_the_bundle_runs_without_torch(imported):
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from motion_engine.engine import Engine, GenerateRequest\n"
        f"print(Engine.load({str(imported('motionlcm', 'v2'))!r})"
        ".generate(GenerateRequest('a person waves'))[0].n_frames)"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "80", done.stderr


def test_sentence_vectors_are_those_of_transformers(imported, text_encoder):
    transformers = pytest.importorskip("transformers")
    from motion_engine.text_encoder import text_encoder_for

    encoder = text_encoder_for(bundles.load(imported("motionlcm", "v2")))
    model = transformers.T5EncoderModel.from_pretrained(text_encoder).eval()
    dense = torch.load(text_encoder / "2_Dense" / "pytorch_model.bin", weights_only=True)["linear.weight"]
    with torch.no_grad():
        mean = model(torch.tensor([[3, 4, 5, 1]])).last_hidden_state.mean(dim=1)
        expected = torch.nn.functional.normalize(mean @ dense.T, dim=-1)[0]
    token, sentence = encoder.encode("a person walks")
    assert token.shape == (1, 24)
    np.testing.assert_allclose(sentence, expected, atol=2e-3)  # half precision
    assert np.isfinite(encoder.encode("")[1]).all()


def test_clip_vectors_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    from motion_engine.runtime.torch.paper.clip_text import CLIPText

    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        projection_dim=24, bos_token_id=48, eos_token_id=49,
    )  # fmt: skip
    theirs = transformers.CLIPTextModelWithProjection(config).eval()
    ours = CLIPText.from_weights(config.to_dict(), theirs.state_dict())
    ids = torch.tensor([[48, 3, 9, 27, 5, 49]])
    with torch.no_grad():
        np.testing.assert_allclose(ours(ids), theirs(ids).text_embeds, atol=1e-5)


class TestRefused:
    def test_a_file_that_brings_code(self, tmp_path, stats, text_encoder):
        """Neither as a plain pickle nor inside a checkpoint is anything run."""
        marker = tmp_path / "ran"

        class Code:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        plain = tmp_path / "plain.ckpt"
        plain.write_bytes(pickle.dumps({"state_dict": Code()}))
        inside = tmp_path / "inside.ckpt"
        torch.save({"state_dict": official_state("motionlcm", "v2"), "callbacks": Code()}, inside)
        for file in (plain, inside):
            error = refusal(file, stats=stats, text_encoder=text_encoder)
            assert error.code == "unsafe_checkpoint" and "not opened" in error.message
        assert not marker.exists()

    def test_a_file_that_is_cut_short_or_something_else(self, tmp_path, stats, text_encoder):
        whole = write_checkpoint(tmp_path / "whole.ckpt", "motionlcm", "v2").read_bytes()
        for content in (whole[: len(whole) // 2], whole[:100], b"", b"not a checkpoint at all"):
            file = tmp_path / "cut.ckpt"
            file.write_bytes(content)
            error = refusal(file, stats=stats, text_encoder=text_encoder)
            assert error.code == "broken_checkpoint" and "cut.ckpt" in error.message
        assert refusal(tmp_path / "absent.ckpt", stats=stats).code == "missing_checkpoint"

    @pytest.mark.parametrize(
        ("made", "asked", "looks"),
        [
            (("mld", "v2"), ("motionlcm", "v2"), "a mld v2"),
            (("motionlcm", "v2"), ("mld", "v2"), "a motionlcm v2"),
            (("motionlcm-control", "v2"), ("motionlcm", "v2"), "a motionlcm-control v2"),
            (("motionlcm", "v1"), ("motionlcm", "v2"), "a motionlcm v1"),
            (("motionlcm", "v2"), ("motionlcm", "v1"), "a motionlcm v2"),
            (("vae", "v2"), ("mld", "v2"), "a motion VAE alone"),
        ],
    )
    def test_another_kind_or_version(self, tmp_path, stats, text_encoder, made, asked, looks):
        file = write_checkpoint(tmp_path / "x.ckpt", *made)
        error = refusal(file, *asked, stats=stats, text_encoder=text_encoder)
        assert error.code == "other_checkpoint" and f"looks like {looks}" in error.message

    def test_a_checkpoint_of_another_model(self, tmp_path, stats, text_encoder):
        file = tmp_path / "emdm.ckpt"
        torch.save({"epoch": 3, "netG_dict": {"poseFinal.weight": torch.zeros(3, 3)}}, file)
        error = refusal(file, stats=stats, text_encoder=text_encoder)
        assert error.code == "other_checkpoint" and "netG_dict" in error.message

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"vae.encoder.norm.weight": None}, "vae.encoder.norm.weight is missing"),
            ({"denoiser.query_pos.pe": None}, "denoiser.query_pos.pe is missing"),
            ({"denoiser.emb_proj.1.weight": None}, "denoiser.emb_proj.1.weight is missing"),
            ({"vae.decoder.middle_block.linear1.weight": None}, "linear1.weight is missing"),
            ({"denoiser.extra.weight": torch.zeros(3)}, "denoiser.extra.weight is unknown"),
            ({"discriminator.weight": torch.zeros(3)}, "discriminator.weight is unknown"),
            ({"vae.final_layer.bias": torch.zeros(7)}, "vae.final_layer.bias has the shape (7,)"),
            ({"vae.final_layer.bias": torch.full((263,), float("nan"))}, "vae.final_layer.bias holds NaN"),
        ],
    )
    def test_keys_that_do_not_fit_are_named(self, tmp_path, stats, text_encoder, change, sentence):
        file = write_checkpoint(tmp_path / "x.ckpt", "motionlcm", "v2", **change)
        error = refusal(file, stats=stats, text_encoder=text_encoder)
        assert error.code == "broken_checkpoint" and sentence in error.message

    def test_statistics_that_are_missing_or_others(self, tmp_path, stats, text_encoder):
        file = write_checkpoint(tmp_path / "x.ckpt", "motionlcm", "v2")
        error = refusal(file, stats=None, text_encoder=text_encoder)
        assert error.code == "missing_stats" and "--stats" in error.fix
        assert refusal(file, stats=tmp_path, text_encoder=text_encoder).code == "missing_stats"
        mean, std = np.load(stats / "Mean.npy"), np.load(stats / "Std.npy")
        evaluators = std.copy()
        evaluators[:4] /= 25
        for wrong in (std[:67], np.where(np.arange(263) == 5, 0, std), std * np.nan, evaluators):
            np.save(tmp_path / "Mean.npy", mean)
            np.save(tmp_path / "Std.npy", wrong)
            assert refusal(file, stats=tmp_path, text_encoder=text_encoder).code == "bad_stats"

    def test_a_text_encoder_that_is_missing(self, tmp_path, stats, monkeypatch, capsys):
        monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
        for name in ("HF_HUB_CACHE", "MOTION_PROMPT_SENTENCE_T5", "MOTION_PROMPT_CLIP"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "old"))
        file = write_checkpoint(tmp_path / "x.ckpt", "motionlcm", "v2")
        arguments = ["import-checkpoint", file, "--kind", "motionlcm", "--version", "v2", "--stats", stats]
        assert main([str(a) for a in [*arguments, "--out", tmp_path / "bundle"]]) == 2
        said = capsys.readouterr().err
        assert "sentence-t5-large is not on this machine" in said and str(tmp_path / "cache" / "hub") in said
        assert "sentence-transformers/sentence-t5-large" in said and "--text-encoder" in said
        assert not (tmp_path / "bundle").exists()
        file = write_checkpoint(tmp_path / "v1.ckpt", "mld", "v1")
        assert "clip-vit-large-patch14" in refusal(file, "mld", "v1", stats=stats).message
        assert refusal(file, "mld", "v1", stats=stats, text_encoder=tmp_path).code == "missing_text_encoder"

    def test_a_text_encoder_that_does_not_fit(self, tmp_path, stats, text_encoder):
        file = write_checkpoint(tmp_path / "x.ckpt", "motionlcm", "v2")
        wide = write_sentence_t5(tmp_path / "wide", width=30)
        assert refusal(file, stats=stats, text_encoder=wide).code == "other_text_encoder"
        (wide / "2_Dense" / "pytorch_model.bin").unlink()
        assert "2_Dense" in refusal(file, stats=stats, text_encoder=wide).message
        (wide / "model.safetensors").write_bytes(b"torn")
        (wide / "config.json").write_text(json.dumps({"model_type": "bert"}))
        assert refusal(file, stats=stats, text_encoder=wide).code == "unknown_text_encoder"

    def test_a_folder_that_is_taken(self, tmp_path, stats, text_encoder):
        file = write_checkpoint(tmp_path / "x.ckpt", "motionlcm", "v2")
        taken = tmp_path / "taken"
        taken.mkdir()
        (taken / "mine.txt").write_text("precious")
        with pytest.raises(EngineError, match="there already"):
            import_checkpoint(
                file, "motionlcm", "v2", taken, name="x", stats=stats, text_encoder=text_encoder
            )
        assert (taken / "mine.txt").read_text() == "precious"


def test_the_text_encoder_is_found_in_the_cache(tmp_path, stats, text_encoder, monkeypatch):
    import shutil

    from motion_engine.runtime.torch.paper.text_folder import find

    monkeypatch.delenv("MOTION_PROMPT_SENTENCE_T5", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--sentence-transformers--sentence-t5-large" / "snapshots" / "abc"
    shutil.copytree(text_encoder, snapshot)
    assert find("t5") == snapshot
    monkeypatch.setenv("MOTION_PROMPT_SENTENCE_T5", str(text_encoder))
    assert find("t5") == text_encoder
