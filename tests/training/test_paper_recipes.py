# SPDX-License-Identifier: GPL-3.0-or-later
"""One epoch of every paper's recipe on a folder in the layout of HumanML3D, with networks made small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from official_files import write_sentence_t5, write_tokenizer

from motion_engine import features
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.runtime.torch.paper.denoiser import Denoiser
from motion_engine.runtime.torch.paper.vae import MotionVAE
from training.config import CONFIGS
from training.loop import read_checkpoint
from training.paper import stages
from training.paper.config import PaperConfig
from training.paper.data import PaperData, SentenceVectors
from training.paper.losses import recover_joints, vae_losses
from training.paper.recipe import recipe

RECIPES = [
    "humanml3d_mld_v1",
    "humanml3d_motionlcm_v1",
    "humanml3d_mld_v2",
    "humanml3d_motionlcm_v2",
    "humanml3d_control_v2",
    "kit_mld",
]


def write_dataset(folder: Path, width: int = 263, frames: tuple[int, ...] = (48, 60, 44, 52)) -> Path:
    """Four captioned clips of smooth random features, with statistics."""
    random = np.random.default_rng(0)
    for part in ("new_joint_vecs", "texts"):
        (folder / part).mkdir(parents=True)
    names = []
    for i, count in enumerate(frames):
        name = f"{'M' if i % 2 else ''}00000{i // 2}"
        steps = random.normal(size=(count, width)) * 0.05
        rows = np.cumsum(steps, axis=0).astype(np.float32)
        rows[:, :3] *= 0.02
        np.save(folder / "new_joint_vecs" / f"{name}.npy", rows)
        line = f"a person walks forward {i}#a/DET person/NOUN walk/VERB#0.0#0.0\n"
        (folder / "texts" / f"{name}.txt").write_text(line)
        names.append(name)
    (folder / "train.txt").write_text("\n".join(names))
    np.save(folder / "Mean.npy", np.zeros(width, dtype=np.float32))
    np.save(folder / "Std.npy", np.full(width, 0.2, dtype=np.float32))
    return folder


def write_clip(folder: Path) -> Path:
    """The text side of a CLIP with one layer and vectors of 768 numbers, as Hugging Face stores it."""
    from safetensors.torch import save_file

    folder.mkdir()
    text = {"vocab_size": 16, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2, "max_position_embeddings": 77, "hidden_act": "quick_gelu"}
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "text_config": text}))
    torch.manual_seed(0)
    layer = "text_model.encoder.layers.0"
    shapes = {
        "text_projection.weight": (768, 16),
        "text_model.embeddings.token_embedding.weight": (16, 16),
        "text_model.embeddings.position_embedding.weight": (77, 16),
        f"{layer}.mlp.fc1.weight": (32, 16), f"{layer}.mlp.fc1.bias": (32,),
        f"{layer}.mlp.fc2.weight": (16, 32), f"{layer}.mlp.fc2.bias": (16,),
    }  # fmt: skip
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= {f"{layer}.self_attn.{part}.weight": (16, 16), f"{layer}.self_attn.{part}.bias": (16,)}
    for part in (f"{layer}.layer_norm1", f"{layer}.layer_norm2", "text_model.final_layer_norm"):
        shapes |= {f"{part}.weight": (16,), f"{part}.bias": (16,)}
    save_file({key: torch.randn(shape) for key, shape in shapes.items()}, folder / "model.safetensors")
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "HumanML3D")


@pytest.fixture(scope="module")
def text_encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    return {"t5": write_sentence_t5(folder / "t5", width=768), "clip": write_clip(folder / "clip")}


def logged(run):
    return {path.stem: [json.loads(line) for line in path.open()] for path in run.glob("*.jsonl")}


SMALL = {"width": 32, "layers": 3, "feed_forward": 48, "time_width": 32}


def smaller(name: str, folder: Path, training: str = "") -> PaperConfig:
    """A recipe with small networks: a file that extends it."""
    sizes = SMALL | ({"channels": 32} if "v2" not in name else {"channels": 16})
    settings = "".join(f"{key} = {value}\n" for key, value in sizes.items())
    (folder / "small.toml").write_text(f'extends = "{name}"\n[networks]\n{settings}{training}')
    return PaperConfig.read(folder / "small.toml")


@pytest.mark.parametrize("name", RECIPES)
def test_one_epoch(name, dataset, text_encoders, tmp_path, monkeypatch):
    monkeypatch.setattr("training.loop.LOG_EVERY", 1)
    config = smaller(name, tmp_path)
    data = dataset if config.data.features == 263 else write_dataset(tmp_path / "KIT", config.data.features)
    run = tmp_path / "run"
    recipe(config, data, run, epochs=1, text_encoder=text_encoders[config.networks.text_encoder])
    expected = {stage for stage in ("vae", "mld", "motionlcm", "control") if getattr(config, stage)}
    logs = logged(run)
    assert set(logs) == expected
    assert all(len(rows) == 1 and np.isfinite(rows[0]["loss"]) for rows in logs.values())
    assert set(logs["vae"][0]) == {"step", "feature", "joint", "kl", "loss", "seconds"}


@pytest.mark.parametrize(
    ("name", "vae", "teacher", "student"),
    [
        ("humanml3d_motionlcm_v1", 18_032_135, 8_221_184, 8_417_792),
        ("humanml3d_motionlcm_v2", 18_056_487, 8_237_856, 8_434_464),
    ],
)
def test_the_networks_have_the_published_number_of_parameters(name, vae, teacher, student):
    networks = PaperConfig.read(name).networks
    made = MotionVAE(networks.vae(263)), *(Denoiser(networks.denoiser(guided)) for guided in (False, True))
    assert [sum(p.numel() for p in network.parameters()) for network in made] == [vae, teacher, student]


@pytest.mark.parametrize("name", RECIPES)
def test_every_number_names_its_paper(name):
    for line in (CONFIGS / f"{name}.toml").read_text().splitlines():
        setting = re.match(r"\w+ = ([\d.e-]+|\[[\d., ]+\]|true|false)\s*(.*)", line)
        if setting:
            assert re.match(r"# [1-8]", setting[2]), line


@pytest.fixture
def small(tmp_path):
    """MotionLCM V2 with small networks, and several steps an epoch."""
    stages = ("vae", "mld", "motionlcm")
    training = "".join(f"[{stage}]\nbatch = 2\nlearning_rate = 1e-3\nwarm_up = 1\n" for stage in stages)
    return smaller("humanml3d_motionlcm_v2", tmp_path, training)


def test_the_result_is_a_bundle_that_generates(small, dataset, text_encoders, tmp_path):
    out = tmp_path / "models" / "mine"
    recipe(
        small,
        dataset,
        tmp_path / "run",
        epochs=2,
        text_encoder=text_encoders["t5"],
        out=out,
        command="make it",
    )
    engine = Engine.load(out)
    manifest = engine.bundle.manifest
    assert list(manifest["samplers"]) == ["motionlcm", "mld"] and manifest["made_with"] == "make it"
    assert manifest["licence"] == "non-commercial scientific research" and manifest["features"] == "ik"
    for sampler, steps in (("motionlcm", 4), ("mld", 5)):
        request = GenerateRequest("a person walks", duration=2.0, sampler=sampler, steps=steps)
        assert np.isfinite(engine.generate(request)[0].joints).all()


def test_the_losses_fall(small, dataset, text_encoders, tmp_path, monkeypatch):
    monkeypatch.setattr("training.loop.LOG_EVERY", 1)
    recipe(small, dataset, tmp_path / "run", epochs=15, text_encoder=text_encoders["t5"])
    logs = logged(tmp_path / "run")
    for stage in ("vae", "mld"):
        losses = [row["loss"] for row in logs[stage]]
        assert np.mean(losses[-5:]) < np.mean(losses[:5]), stage


def test_an_interrupted_recipe_goes_on_along_the_same_curve(
    small, dataset, text_encoders, tmp_path, monkeypatch
):
    monkeypatch.setattr("training.loop.LOG_EVERY", 1)
    monkeypatch.setattr("training.loop.CHECKPOINT_SECONDS", 0.0)
    options = {"epochs": 2, "text_encoder": text_encoders["t5"]}
    recipe(small, dataset, tmp_path / "whole", **options)
    original, calls = stages.vae_losses, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(stages, "vae_losses", stopping)
    with pytest.raises(KeyboardInterrupt):
        recipe(small, dataset, tmp_path / "cut", **options)
    recipe(small, dataset, tmp_path / "cut", **options)
    whole, cut = logged(tmp_path / "whole"), logged(tmp_path / "cut")
    for stage in whole:
        assert [row["loss"] for row in cut[stage]] == [row["loss"] for row in whole[stage]]


def test_lengths_are_whole_units_and_masked(dataset, text_encoders, tmp_path):
    from motion_engine.runtime.torch.paper.text_folder import read

    config = PaperConfig.read("humanml3d_mld_v2")
    data = PaperData.read(dataset, config.data)
    captions = [caption for item in data.items for caption in item.captions]
    vectors = SentenceVectors(captions, read(text_encoders["t5"]), tmp_path / "c.npz", torch.device("cpu"))
    batches = data.batches(4, vectors)
    seen = [next(batches) for _ in range(10)]
    lengths = torch.cat([mask.sum(dim=1) for _, mask, _ in seen])
    assert (lengths % 4 == 0).all() and lengths.max() == 60
    assert {44, 48, 52, 60} <= set(lengths.tolist()) and 40 in lengths, "no unit is ever dropped"
    motion, mask, text = seen[0]
    assert (motion[~mask] == 0).all() and text.shape == (4, 1, 768)
    later = next(data.batches(4, vectors, first=7))
    assert all(torch.equal(a, b) for a, b in zip(later, seen[7], strict=True))


def test_joints_are_those_of_the_engine():
    rows = np.random.default_rng(0).normal(size=(30, 263)) * 0.1
    found = recover_joints(torch.from_numpy(rows)[None], 22)[0]
    np.testing.assert_allclose(found, features.recover_joints(rows), atol=1e-10)


def test_padded_frames_count_only_without_the_mask():
    torch.manual_seed(0)
    a, b = torch.randn(2, 8, 263), torch.randn(2, 8, 263)
    mask = torch.arange(8) < torch.tensor([[8], [4]])
    changed = torch.where(mask[..., None], a, a + 1.0)
    for name, masked in (("with", mask), ("without", None)):
        before, after = (vae_losses(x, b, masked, lambda x: x, 22)["feature"] for x in (a, changed))
        assert torch.equal(before, after) == (name == "with")


class TestRefused:
    def run(self, config, data, tmp_path, text_encoders, **options):
        recipe(
            PaperConfig.read(config),
            data,
            tmp_path / "run",
            epochs=1,
            text_encoder=text_encoders["t5"],
            **options,
        )

    def test_a_folder_without_texts(self, tmp_path, text_encoders):
        data = write_dataset(tmp_path / "data")
        for file in (data / "texts").iterdir():
            file.unlink()
        with pytest.raises(ValueError, match=r"no clip with a caption.*4 skipped"):
            self.run("humanml3d_mld_v2", data, tmp_path, text_encoders)
        (data / "texts").rmdir()
        with pytest.raises(FileNotFoundError, match="texts is missing"):
            self.run("humanml3d_mld_v2", data, tmp_path, text_encoders)

    def test_nan_and_one_frame_clips_are_left_out_and_listed(self, tmp_path, text_encoders, small):
        data = write_dataset(tmp_path / "data")
        spoiled = np.load(data / "new_joint_vecs" / "000000.npy")
        spoiled[5, 7] = np.nan
        np.save(data / "new_joint_vecs" / "000000.npy", spoiled)
        np.save(data / "new_joint_vecs" / "M000000.npy", spoiled[:1] * 0)
        recipe(small, data, tmp_path / "run", epochs=1, text_encoder=text_encoders["t5"])
        said = (tmp_path / "run" / "skipped.txt").read_text()
        assert "000000: " in said and "NaN" in said and "M000000: 1 frames" in said
        weights = read_checkpoint(tmp_path / "run" / "motionlcm.pt")["module"]
        assert all(torch.isfinite(weight).all() for weight in weights.values())

    def test_missing_statistics_and_another_layout(self, tmp_path, text_encoders):
        data = write_dataset(tmp_path / "data")
        with pytest.raises(ValueError, match="251 finite numbers"):
            self.run("kit_mld", data, tmp_path, text_encoders)
        (data / "Mean.npy").unlink()
        with pytest.raises(ValueError, match=r"Mean\.npy"):
            self.run("humanml3d_mld_v2", data, tmp_path, text_encoders)

    def test_a_checkpoint_of_another_recipe(self, small, dataset, tmp_path, text_encoders):
        recipe(small, dataset, tmp_path / "run", epochs=1, text_encoder=text_encoders["t5"])
        with pytest.raises(ValueError, match=r"another network.*width 32 there, 256 here"):
            self.run("humanml3d_motionlcm_v2", dataset, tmp_path, text_encoders)

    def test_a_bundle_of_kit(self, tmp_path, text_encoders):
        with pytest.raises(ValueError, match="Leave --out away"):
            self.run("kit_mld", tmp_path, tmp_path, text_encoders, out=tmp_path / "bundle")

    def test_wrong_settings_are_named(self, tmp_path):
        (tmp_path / "bad.toml").write_text('extends = "humanml3d_mld_v2"\n[vae]\nbach = 3\n')
        with pytest.raises(ValueError, match=r"\[vae\].*bach"):
            PaperConfig.read(tmp_path / "bad.toml")
        (tmp_path / "narrow.toml").write_text('extends = "humanml3d_mld_v1"\n[networks]\nwidth = 64\n')
        with pytest.raises(ValueError, match="channels = 64"):
            PaperConfig.read(tmp_path / "narrow.toml")
        with pytest.raises(ValueError, match="humanml3d_mld_v1"):
            PaperConfig.read("no-such-recipe")
        with pytest.raises(ValueError, match="no recipe of a paper"):
            PaperConfig.read("base")

    def test_the_command_ends_with_a_sentence(self, tmp_path):
        repository = Path(__file__).resolve().parents[2]
        command = [
            "-m",
            "training",
            "paper",
            str(tmp_path),
            "--config",
            "humanml3d_mld_v2",
            "--run",
            str(tmp_path),
        ]
        done = subprocess.run(
            [sys.executable, *command], cwd=repository, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and "new_joint_vecs is missing" in done.stderr
