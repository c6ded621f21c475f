# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files of EMDM become bundles that run; everything else is refused with a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="reading checkpoints needs the extra `train`")
pytest.importorskip("onnx", reason="writing bundles needs the extra `train`")

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from official_files import (
    emdm_state,
    openai_clip,
    write_checkpoint,
    write_emdm_checkpoint,
    write_stats,
    write_tokenizer,
)

from motion_engine import bundle as bundles
from motion_engine import features
from motion_engine.cli import main
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.import_checkpoint import import_checkpoint
from motion_engine.runtime.torch.paper import emdm_checkpoint
from motion_engine.samplers import emdm
from motion_engine.text_encoder import text_encoder_for


@pytest.fixture(scope="module")
def stats(tmp_path_factory):
    return write_stats(tmp_path_factory.mktemp("stats"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_emdm_checkpoint(tmp_path_factory.mktemp("file") / "000002260.pth")


@pytest.fixture(scope="module")
def imported(tmp_path_factory, checkpoint, stats, tokenizer):
    out = tmp_path_factory.mktemp("imported") / "emdm"
    arguments = ["import-checkpoint", checkpoint, "--kind", "emdm", "--stats", stats]
    arguments += ["--text-encoder", tokenizer, "--out", out]
    assert main([str(argument) for argument in arguments]) == 0
    return out


def refusal(file, **options):
    """The error of an import that must not leave anything behind."""
    out = file.parent / "out" / "bundle"
    with pytest.raises(EngineError) as caught:
        import_checkpoint(file, "emdm", "", out, name="x", **options)
    assert not out.exists() and caught.value.fix
    return caught.value


def test_an_imported_checkpoint_generates(imported):
    engine = Engine.load(imported)
    assert engine.bundle.name == "emdm" and engine.bundle.default_sampler == "emdm"
    motions = engine.generate(GenerateRequest("a person walks", duration=3.0, count=2, seed=4))
    assert [motion.n_frames for motion in motions] == [60, 60]
    assert all(np.isfinite(motion.joints).all() for motion in motions)
    assert motions[0].provenance["steps"] == 10 and motions[0].provenance["guidance"] == 2.5
    other = engine.generate(GenerateRequest("jumps forward", duration=3.0, seed=4))[0]
    assert np.abs(other.joints - motions[0].joints).max() > 1e-4, "the prompt has no influence"


def test_the_manifest_says_what_it_is(imported):
    manifest = bundles.load(imported).manifest
    assert manifest["licence"] == "non-commercial scientific research" and manifest["features"] == "ik"
    assert "Zhou et al." in manifest["attribution"][0] and "HumanML3D" in manifest["attribution"][1]
    assert any("ViT-B/32" in line for line in manifest["attribution"])
    assert not bundles.load(imported).commercial


def test_onnx_and_torch_agree_with_the_network_of_the_file(imported, checkpoint):
    """The whole way, against the loop on the network that the file holds: always 196 frames, then cut."""
    request = GenerateRequest("a person walks", duration=2.5, seed=3, foot_lock=False, floor=False)
    by_onnx = Engine.load(imported).generate(request)[0]
    by_torch = Engine.load(imported, backend="torch", device="cpu").generate(request)[0]
    np.testing.assert_allclose(by_onnx.joints, by_torch.joints, atol=1e-4)
    generator, _ = emdm_checkpoint.read(checkpoint)
    text = torch.from_numpy(text_encoder_for(bundles.load(imported)).encode("a person walks")[0])[None]
    stream = np.random.default_rng(3)

    def gaussian(*shape):
        return stream.standard_normal(shape, dtype=np.float32)[None]

    @torch.no_grad()
    def network(x, time, with_prompt, z):
        given = text if with_prompt else torch.zeros_like(text)
        return generator(torch.from_numpy(x), torch.tensor([time]), given, torch.from_numpy(z)).numpy()

    frames = emdm.sample(
        network, gaussian(196, 263), lambda: gaussian(16), lambda: gaussian(196, 263),
        emdm.time_steps(10, 10), 10, 2.5,
    )  # fmt: skip
    found = bundles.load(imported).stats
    rows = frames[0, :50] * found["std"] + found["mean"]
    expected = features.decode(rows, 20.0, "ik")
    np.testing.assert_allclose(by_onnx.joints, expected.joints, atol=1e-4)


def test_the_bundle_runs_without_torch(imported):
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from motion_engine.engine import Engine, GenerateRequest\n"
        f"print(Engine.load({str(imported)!r}).generate(GenerateRequest('a person waves'))[0].n_frames)"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "80", done.stderr


def test_clip_by_its_own_names_is_clip_by_those_of_hugging_face():
    from motion_engine.runtime.torch.paper.clip_text import CLIPText

    theirs = {key: value.float() for key, value in openai_clip().items()}
    block, layer = "transformer.resblocks.0", "text_model.encoder.layers.0"
    named = {
        "text_projection.weight": theirs["text_projection"].T.contiguous(),
        "text_model.embeddings.token_embedding.weight": theirs["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": theirs["positional_embedding"],
    }
    for kind in ("weight", "bias"):
        named[f"text_model.final_layer_norm.{kind}"] = theirs[f"ln_final.{kind}"]
        for i in (1, 2):
            named[f"{layer}.layer_norm{i}.{kind}"] = theirs[f"{block}.ln_{i}.{kind}"]
        named[f"{layer}.mlp.fc1.{kind}"] = theirs[f"{block}.mlp.c_fc.{kind}"]
        named[f"{layer}.mlp.fc2.{kind}"] = theirs[f"{block}.mlp.c_proj.{kind}"]
        named[f"{layer}.self_attn.out_proj.{kind}"] = theirs[f"{block}.attn.out_proj.{kind}"]
        joined = theirs[f"{block}.attn.in_proj_{kind}"].chunk(3)
        for name, part in zip(("q", "k", "v"), joined, strict=True):
            named[f"{layer}.self_attn.{name}_proj.{kind}"] = part
    config = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    config |= {"vocab_size": 9, "max_position_embeddings": 77}
    ids = torch.tensor([[3, 4, 5, 1]])
    torch.testing.assert_close(
        CLIPText.from_openai(openai_clip())(ids), CLIPText.from_weights(config, named)(ids)
    )


def test_another_number_of_levels(tmp_path, checkpoint, stats, tokenizer):
    out = tmp_path / "five"
    import_checkpoint(
        checkpoint, "emdm", "", out, name="five", stats=stats, text_encoder=tokenizer / "tokenizer.json", levels=5
    )  # fmt: skip
    assert bundles.load(out).samplers["emdm"]["levels"] == 5
    with pytest.raises(EngineError, match="takes 1 to 5 steps, not 10"):
        Engine.load(out).generate(GenerateRequest("a person walks", steps=10))
    assert refusal(checkpoint, stats=stats, text_encoder=tokenizer, levels=0).code == "bad_levels"


class TestRefused:
    def test_files_of_something_else(self, tmp_path, checkpoint, stats, tokenizer):
        options = {"stats": stats, "text_encoder": tokenizer}
        mld = write_checkpoint(tmp_path / "mld.ckpt", "mld", "v2")
        error = refusal(mld, **options)
        assert error.code == "other_checkpoint" and "state_dict" in error.message
        resume = tmp_path / "content_3.pth"
        torch.save({"epoch": 3, "netG_dict": emdm_state(), "optimizerG": {}}, resume)
        assert "not averaged" in refusal(resume, **options).message
        actions = {"embed_action.action_embedding": torch.zeros(12, 64)}
        numbered = write_emdm_checkpoint(tmp_path / "a2m.pth", **actions)
        assert "numbered actions" in refusal(numbered, **options).message
        kit = {
            "input_process.poseEmbedding.weight": torch.zeros(64, 251),
            "output_process.poseFinal.weight": torch.zeros(251, 64),
            "output_process.poseFinal.bias": torch.zeros(251),
        }
        assert (
            "251 numbers a frame"
            in refusal(write_emdm_checkpoint(tmp_path / "k.pth", **kit), **options).message
        )
        without = {key: None for key in emdm_state() if key.startswith("clip_model.")}
        alone = write_emdm_checkpoint(tmp_path / "alone.pth", **without)
        assert "without the CLIP" in refusal(alone, **options).message
        with pytest.raises(EngineError, match="--kind emdm"):
            import_checkpoint(checkpoint, "mld", "v2", tmp_path / "x", name="x", **options)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"z_transform.4.weight": None}, "z_transform.4.weight is missing"),
            ({"output_process.poseFinal.weight": None}, "output_process.poseFinal.weight is missing"),
            ({"extra.weight": torch.zeros(3)}, "extra.weight is unknown"),
            ({"output_process.poseFinal.bias": torch.zeros(7)}, "poseFinal.bias has the shape (7,)"),
            (
                {"output_process.poseFinal.bias": torch.full((263,), float("nan"))},
                "poseFinal.bias holds NaN",
            ),
            ({"clip_model.ln_final.bias": None}, "clip_model.ln_final.bias is missing"),
        ],
    )
    def test_keys_that_do_not_fit_are_named(self, tmp_path, stats, tokenizer, change, sentence):
        file = write_emdm_checkpoint(tmp_path / "x.pth", **change)
        error = refusal(file, stats=stats, text_encoder=tokenizer)
        assert error.code == "broken_checkpoint" and sentence in error.message

    def test_a_tokenizer_that_is_missing(self, tmp_path, checkpoint, stats, monkeypatch, capsys):
        monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "MOTION_PROMPT_CLIP", "MOTION_PROMPT_CLIP_B32"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        arguments = [
            "import-checkpoint",
            checkpoint,
            "--kind",
            "emdm",
            "--stats",
            stats,
            "--out",
            tmp_path / "b",
        ]
        assert main([str(argument) for argument in arguments]) == 2
        said = capsys.readouterr().err
        assert (
            "tokenizer.json" in said and "openai/clip-vit-base-patch32" in said and "--text-encoder" in said
        )
        assert not (tmp_path / "b").exists()

    def test_missing_statistics_and_version(self, tmp_path, checkpoint, tokenizer, capsys):
        assert refusal(checkpoint, stats=None, text_encoder=tokenizer).code == "missing_stats"
        arguments = ["import-checkpoint", checkpoint, "--kind", "mld", "--out", tmp_path / "b"]
        assert main([str(argument) for argument in arguments]) == 2
        assert "--version v1 or --version v2" in capsys.readouterr().err
