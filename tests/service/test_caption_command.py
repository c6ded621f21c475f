# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``caption`` and ``find``, and what ``generate`` makes of files and of nothing."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "motion_engine"))
from clips import standing, swinging

from motion_engine.captioning.caption_file import COLUMNS, CaptionFile
from motion_engine.formats import bvh, npz


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caption_bundles: Path) -> Path:
    """A folder with motion files of several kinds, where no Blender can be found."""
    monkeypatch.setenv("MOTION_PROMPT_BUNDLES", str(caption_bundles))
    monkeypatch.delenv("MOTION_PROMPT_BLENDER", raising=False)
    monkeypatch.setattr("motion_engine.blender_process.find_blender", lambda: None)
    clips = tmp_path / "clips"
    (clips / "sub").mkdir(parents=True)
    bvh.save(swinging(60), clips / "a.bvh")
    npz.save(swinging(70, seed=2), clips / "sub" / "b.npz")
    return clips


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_sentence_of_a_file_is_printed(here, folder: Path):
    before = set(folder.iterdir())
    done = here("caption", folder / "a.bvh", "--bundle", "random", "--count", 3)
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.strip().splitlines()
    assert first.startswith("a.bvh: ") and first.endswith("]")
    assert len(others) == 2 and all(line.strip().startswith("or: ") for line in others)
    assert set(folder.iterdir()) == before, "nothing is written"


def test_a_folder_becomes_a_table_that_grows(here, folder: Path):
    done = here("caption", folder, "--bundle", "random", "--count", 2)
    assert done.returncode == 0, done.stderr
    assert "2 described, 0 described before, 0 problem(s)" in done.stdout
    first = rows(folder / "captions.csv")
    assert tuple(first[0]) == COLUMNS
    assert [row["file"] for row in first] == ["a.bvh", "sub/b.npz"]
    assert all(row["text"] and row["alternatives"] and row["tags"] and not row["error"] for row in first)
    assert (first[0]["segment"], first[0]["start"], first[0]["end"]) == ("0", "0.0", "3.0")

    npz.save(swinging(500, seed=3), folder / "long.npz")
    done = here("caption", folder, "--bundle", "random", "--quiet")
    assert "1 described, 2 described before" in done.stdout and "long.npz" not in done.stdout
    second = rows(folder / "captions.csv")
    assert [row for row in second if row["file"] != "long.npz"] == first
    segments = [int(row["segment"]) for row in second if row["file"] == "long.npz"]
    assert segments == [*range(len(segments) - 1), -1]

    (folder / "a.bvh").unlink()
    done = here("caption", folder, "--bundle", "random")
    assert "0 described, 2 described before" in done.stdout
    assert {row["file"] for row in rows(folder / "captions.csv")} == {"long.npz", "sub/b.npz"}


def test_captions_as_json_are_the_same(here, folder: Path, tmp_path: Path):
    out = tmp_path / "out" / "captions.json"
    assert here("caption", folder, "--out", out, "--bundle", "random", "--quiet").returncode == 0
    assert here("caption", folder, "--bundle", "random", "--quiet").returncode == 0
    data = json.loads(out.read_text(encoding="utf-8"))
    assert data["captions"] == CaptionFile(folder / "captions.csv").rows == CaptionFile(out).rows
    assert isinstance(data["captions"][0]["tags"], list)


def test_files_that_cannot_be_described_are_told_and_tried_again(here, folder: Path):
    npz.save(standing(), folder / "still.npz")
    (folder / "bad.bvh").write_text("rubbish")
    (folder / "clip.fbx").write_bytes(b"Kaydara FBX Binary  \x00")
    renamed = bvh_of_another_rig(folder / "a.bvh")
    (folder / "other.bvh").write_text(renamed)
    done = here("caption", folder, "--bundle", "random")
    assert done.returncode == 1 and "2 described, 0 described before, 4 problem(s)" in done.stdout
    assert "Traceback" not in done.stderr
    errors = {row["file"]: row["error"] for row in rows(folder / "captions.csv") if row["error"]}
    assert "Nothing moves" in errors["still.npz"] and "not a BVH" in errors["bad.bvh"]
    assert "Blender" in errors["clip.fbx"] and "Blender" in errors["other.bvh"]
    npz.save(swinging(60), folder / "still.npz")
    done = here("caption", folder, "--bundle", "random")
    assert "1 described, 2 described before, 3 problem(s)" in done.stdout


def bvh_of_another_rig(path: Path) -> str:
    text = path.read_text()
    for name, other in (("pelvis", "Hips"), ("left_hip", "LeftUpLeg"), ("head", "Head")):
        text = text.replace(f" {name}\n", f" {other}\n")
    return text


@pytest.mark.parametrize(
    "arguments",
    [
        ("caption", "{folder}/nothing"),
        ("caption", "{tmp}"),
        ("caption", "{folder}", "--out", "{tmp}/x.txt"),
        ("caption", "{folder}", "--count", "6"),
        ("caption", "{folder}", "--bundle", "plain"),
        ("caption", "{folder}", "--bundle", "nowhere"),
        ("caption", "{folder}", "--out", "{folder}/foreign.csv"),
        ("caption", "{folder}", "--out", "{folder}/foreign.json"),
        ("caption", "{folder}/foreign.csv"),
        ("find", "{folder}", " "),
        ("find", "{folder}/nothing", "a person"),
        ("find", "{folder}", "a person", "--bundle", "plain"),
        ("generate", "--surprise", "a person walks"),
        ("generate", "--surprise", "--bundle", "plain"),
        ("generate", "--vary", "{folder}/nothing.npz"),
        ("generate", "--vary", "{folder}/a.bvh", "--strength", "2", "--bundle", "random"),
        ("generate", "--vary", "{folder}/a.bvh", "--bundle", "plain"),
    ],
)
def test_refusals_are_one_sentence(here, folder: Path, tmp_path: Path, arguments: tuple[str, ...]):
    (folder / "foreign.csv").write_text("name,age\nx,1\n")
    (folder / "foreign.json").write_text('{"name": "x"}')
    empty = tmp_path / "empty"
    empty.mkdir()
    done = here(*(part.format(folder=folder, tmp=empty) for part in arguments))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"motion-prompt {arguments[0]}: ")
    assert (folder / "foreign.csv").read_text() == "name,age\nx,1\n"


def test_find_ranks_the_clips_and_remembers_them(here, folder: Path):
    npz.save(swinging(400, seed=5), folder / "long.npz")
    npz.save(standing(), folder / "still.npz")
    done = here("find", folder, "a person waves", "--bundle", "random", "--json")
    assert done.returncode == 0, done.stderr
    assert "still.npz: Nothing moves" in done.stderr
    found = json.loads(done.stdout)
    assert {item["file"] for item in found} == {"a.bvh", "sub/b.npz", "long.npz"}, "each file once"
    values = [item["similarity"] for item in found]
    assert values == sorted(values, reverse=True)
    written = (folder / "captions.vectors").stat().st_mtime_ns
    again = here("find", folder, "a person waves", "--bundle", "random", "--json", "--count", 1)
    assert json.loads(again.stdout) == found[:1]
    assert (folder / "captions.vectors").stat().st_mtime_ns == written, "nothing was read again"

    # another motion in a file of that name, and captions to show
    npz.save(swinging(80, seed=9), folder / "sub" / "b.npz")
    assert here("caption", folder, "--bundle", "random", "--quiet").returncode == 1
    later = json.loads(here("find", folder, "a person waves", "--bundle", "random", "--json").stdout)
    values = {item["file"]: item["similarity"] for item in later}
    before = {item["file"]: item["similarity"] for item in found}
    assert values["a.bvh"] == pytest.approx(before["a.bvh"], abs=1e-3)
    assert values["sub/b.npz"] != before["sub/b.npz"]
    texts = {item["file"]: item["text"] for item in later}
    assert texts["a.bvh"] == CaptionFile(folder / "captions.csv").texts()[("a.bvh", "", 0)]
    plain = here("find", folder, "a person waves", "--bundle", "random").stdout.splitlines()
    assert len(plain) == 3 and texts["a.bvh"] in "\n".join(plain)


def test_damaged_vectors_are_made_again(here, folder: Path):
    assert here("find", folder, "a person", "--bundle", "random").returncode == 0
    whole = (folder / "captions.vectors").read_bytes()
    for damaged in (b"", b"PK\x03\x04 rubbish", whole[: len(whole) // 2]):
        (folder / "captions.vectors").write_bytes(damaged)
        done = here("find", folder, "a person", "--bundle", "random")
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch, caption_bundles: Path):
    monkeypatch.setenv("MOTION_PROMPT_BUNDLES", str(caption_bundles))
    for i in range(120):
        npz.save(swinging(40, seed=i), tmp_path / f"{i:03}.npz")
    line = [sys.executable, "-m", "motion_engine", "caption", str(tmp_path), "--bundle", "random"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # the first sentences are there
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in messages, messages
    described = CaptionFile(tmp_path / "captions.csv").done()
    assert 0 < len(described) < 120
    assert not list(tmp_path.glob("*.part"))
    for i in range(20, 120):
        (tmp_path / f"{i:03}.npz").unlink(missing_ok=True)
    left = {f"{i:03}.npz" for i in range(20)} - described
    again = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{len(left)} described, {20 - len(left)} described before" in again.stdout
    assert len(rows(tmp_path / "captions.csv")) == 20


def test_generate_a_surprise_and_a_variation(here, folder: Path, tmp_path: Path):
    out = tmp_path / "s.npz"
    done = here("generate", "--surprise", "--steps", 3, "--duration", 2, "--out", out, "--bundle", "random")
    assert done.returncode == 0, done.stderr
    assert npz.load(out).provenance["prompt"] == done.stdout.splitlines()[0]
    arguments = ("generate", "--vary", folder / "a.bvh", "--strength", 0.3, "--bundle", "random")
    done = here(*arguments, "--count", 2, "--out", tmp_path / "v.npz")
    assert done.returncode == 0, done.stderr
    first, second = npz.load(tmp_path / "v-1.npz"), npz.load(tmp_path / "v-2.npz")
    assert first.n_frames == 60 and np.abs(first.joints - second.joints).max() > 1e-5
    assert here(*arguments, "a person swings", "--out", tmp_path / "w.npz").returncode == 0
    assert npz.load(tmp_path / "w.npz").provenance["prompt"] == "a person swings"
