# SPDX-License-Identifier: GPL-3.0-or-later
"""One epoch of EMDM's recipes on small folders, with networks made small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.motion import Motion
from training.config import CONFIGS
from training.paper.action_data import ActionData, action_joints
from training.paper.emdm import geometric_losses, make_discriminator, recipe
from training.paper.emdm_config import EMDMConfig, is_emdm

sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_paper_recipes import write_clip, write_dataset

RECIPES = ["humanml3d_emdm", "humanact12_emdm"]


def write_actions(folder: Path, frames=(70, 60, 20, 64)) -> Path:
    """Clips of a swinging body in the layout of `training.paper.action_data`."""
    (folder / "motions").mkdir(parents=True)
    lines = []
    for i, count in enumerate(frames):
        swing = 0.2 * np.sin(np.arange(count)[:, None, None] * 0.1 + np.arange(24)[:, None] + np.arange(3))
        rows = np.zeros((count, 25, 6), dtype=np.float32)
        matrices = quat.to_matrix(quat.from_axis_angle(swing))
        rows[:, :24] = np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1)
        rows[:, 24, 1] = skeleton.REST_PELVIS_HEIGHT
        np.save(folder / "motions" / f"clip {i}.npy", rows)
        lines.append(f"clip {i} {i % 12}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return {
        "humanml3d_emdm": write_dataset(folder / "HumanML3D"),
        "humanact12_emdm": write_actions(folder / "HumanAct12"),
    }


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("text") / "clip")


def smaller(name: str, folder: Path, training: str = "") -> EMDMConfig:
    """A recipe with small networks: a file that extends it."""
    text = "text_width = 768\n" if name == "humanml3d_emdm" else ""
    sizes = f"width = 64\nlayers = 2\nfeed_forward = 48\nnoise_width = 8\n{text}"
    (folder / "small.toml").write_text(
        f'extends = "{name}"\n[generator]\n{sizes}[gan]\nbatch = 2\nlevels = 4\n{training}'
    )
    return EMDMConfig.read(folder / "small.toml")


@pytest.mark.parametrize(
    ("name", "training"),
    [(name, "") for name in RECIPES] + [("humanact12_emdm", 'discriminator = "transformer"\n')],
)
def test_one_epoch(name, training, folders, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("training.loop.LOG_EVERY", 1)
    config = smaller(name, tmp_path, training)
    recipe(config, folders[name], tmp_path / "run", epochs=1, text_encoder=clip)
    rows = [json.loads(line) for line in (tmp_path / "run" / "emdm.jsonl").open()]
    assert [row["step"] for row in rows] == [1, 2] and "r1" in rows[0]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert ("foot" in rows[0]) == (name == "humanact12_emdm")
    state = torch.load(tmp_path / "run" / "emdm.pt", weights_only=True)
    assert state["step"] == 2


def test_the_result_is_a_bundle_that_generates(folders, clip, tmp_path):
    config = smaller("humanml3d_emdm", tmp_path)
    out = tmp_path / "models" / "mine"
    recipe(
        config,
        folders["humanml3d_emdm"],
        tmp_path / "run",
        epochs=1,
        text_encoder=clip,
        out=out,
        command="it",
    )
    engine = Engine.load(out)
    manifest = engine.bundle.manifest
    assert manifest["samplers"]["emdm"]["levels"] == 4 and manifest["made_with"] == "it"
    for steps in (4, 2):
        made = engine.generate(GenerateRequest("a person walks", duration=2.5, steps=steps))[0]
        assert made.n_frames == 50 and np.isfinite(made.joints).all()


def test_clips_have_196_frames_without_a_mask(folders, clip, tmp_path, monkeypatch):
    """As published: what pads a clip is judged like the rest."""
    seen = []
    monkeypatch.setattr(
        "training.paper.emdm.train_emdm",
        lambda config, batches, run, steps: seen.append(next(batches(0))),
    )
    monkeypatch.setattr("training.paper.emdm.is_finished", lambda *_: False)
    recipe(
        smaller("humanml3d_emdm", tmp_path), folders["humanml3d_emdm"], tmp_path / "run", epochs=1,
        text_encoder=clip,
    )  # fmt: skip
    motion, words = seen[0]
    assert motion.shape == (2, 196, 263) and words.shape == (2, 1, 768)
    assert (motion[:, 60:] == 0).all() and motion[:, :40].abs().sum() > 0


def test_the_networks_have_the_published_number_of_parameters():
    config = EMDMConfig.read("humanml3d_emdm")
    with torch.device("meta"):
        from motion_engine.runtime.torch.paper.emdm import Generator

        made = Generator(config.sizes), make_discriminator(config)
    assert [sum(p.numel() for p in network.parameters()) for network in made] == [83_049_735, 108_247_681]


def test_joints_of_rotations_are_those_of_the_engine():
    swing = 0.4 * np.random.default_rng(0).normal(size=(5, 22, 3))
    root = np.random.default_rng(1).normal(size=(5, 3))
    turns = quat.from_axis_angle(swing)
    rows = np.zeros((5, 25, 6))
    matrices = quat.to_matrix(turns)
    rows[:, :22] = np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1)
    rows[:, 22:24] = [1, 0, 0, 0, 1, 0]
    rows[:, 24, :3] = root
    found = action_joints(torch.from_numpy(rows.reshape(1, 5, 150)))[0]
    expected = Motion.from_rotations(turns, root, 20.0).joints
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_geometric_losses_see_feet_that_slide():
    still = torch.zeros(1, 6, 22, 3)
    sliding = still + torch.arange(6)[:, None, None] * torch.tensor([0.0, 0.0, 0.1])
    found = geometric_losses(sliding, still)
    assert float(found["foot"]) == pytest.approx(0.01 / 3) == pytest.approx(float(found["velocity"]))
    assert float(geometric_losses(sliding, sliding)["foot"]) == 0.0


def test_short_clips_stay_in_their_last_frame_and_long_ones_are_cut(folders):
    config = EMDMConfig.read("humanact12_emdm")
    data = ActionData.read(folders["humanact12_emdm"], config.action)
    rows, classes = next(data.batches(4))
    assert rows.shape == (4, 60, 150) and sorted(classes.tolist()) == [0, 1, 2, 3]
    short = rows[classes.tolist().index(2)]
    assert (short[20:] == short[19]).all() and not (short[19] == short[18]).all()


@pytest.mark.parametrize("name", RECIPES)
def test_every_number_names_its_paper(name):
    assert is_emdm(name)
    for line in (CONFIGS / f"{name}.toml").read_text().splitlines():
        setting = re.match(r"\w+ = ([\d.e-]+|\[[\d., ]+\]|true|false)\s*(.*)", line)
        if setting:
            assert re.match(r"# [1-8]", setting[2]), line


class TestRefused:
    def test_settings_that_do_not_fit(self, tmp_path):
        for changes, sentence in (
            ("[gan]\nbach = 3\n", "bach"),
            ("[generator]\nwidth = 50\n", "multiple of 32"),
            ("[generator]\ntext_width = 0\n", "text_width is 0 with"),
            ('[gan]\ndiscriminator = "transformer"\n', "classes of action only"),
            ('[gan]\ndiscriminator = "cnn"\n', "'mlp' or 'transformer'"),
            ("[vae]\nepochs = 3\n", "no recipe of EMDM"),
        ):
            (tmp_path / "bad.toml").write_text(f'extends = "humanml3d_emdm"\n{changes}')
            with pytest.raises(ValueError, match=sentence):
                EMDMConfig.read(tmp_path / "bad.toml")

    def test_folders_that_lack_something(self, tmp_path):
        settings = EMDMConfig.read("humanact12_emdm").action
        with pytest.raises(FileNotFoundError, match="NAME CLASS"):
            ActionData.read(tmp_path, settings)
        folder = write_actions(tmp_path / "data")
        (folder / "train.txt").write_text("clip 0 12\n")
        with pytest.raises(ValueError, match="a class from 0 to 11"):
            ActionData.read(folder, settings)
        (folder / "train.txt").write_text("absent 3\n")
        with pytest.raises(ValueError, match=r"no clip that can be trained on: absent"):
            ActionData.read(folder, settings)

    def test_a_bundle_of_actions(self, folders, tmp_path):
        config = smaller("humanact12_emdm", tmp_path)
        with pytest.raises(ValueError, match="Leave --out away"):
            recipe(config, folders["humanact12_emdm"], tmp_path / "run", out=tmp_path / "b")

    def test_another_text_encoder(self, folders, clip, tmp_path):
        config = smaller("humanml3d_emdm", tmp_path)
        other = replace(config, generator=replace(config.generator, text_width=512))
        with pytest.raises(ValueError, match="clip-vit-base-patch32"):
            recipe(other, folders["humanml3d_emdm"], tmp_path / "run", text_encoder=clip)

    def test_the_command_ends_with_a_sentence(self, tmp_path):
        command = ["-m", "training", "paper", tmp_path, "--config", "humanact12_emdm", "--run", tmp_path]
        repository = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, *map(str, command)], cwd=repository, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and "is no folder of actions" in done.stderr
