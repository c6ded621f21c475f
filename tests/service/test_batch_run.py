# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of prompts: its files, its manifest, going on after a stop."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from motion_engine.batch import parse_batch
from motion_engine.batch_manifest import Manifest
from motion_engine.batch_run import BatchDefaults, plan, requests_for, run
from motion_engine.engine import Engine
from motion_engine.errors import EngineError
from motion_engine.formats import npz

TEXT = """\
# two actions and a mistake
a man sits down | duration=2 | seed=5 | count=2 | name=sit
a person jumps | speed=9
someone waves
"""

DEFAULTS = BatchDefaults(formats=("npz",), duration=2.0)


@pytest.fixture(scope="module")
def model(bundle_name: str) -> Engine:
    return Engine.load(bundle_name)


def go(folder: Path, text: str, model: Engine, defaults: BatchDefaults = DEFAULTS) -> list[str]:
    """Run a batch in ``folder``; returns the names of the items that were made."""
    items, _ = parse_batch(text)
    folder.mkdir(exist_ok=True)
    manifest = Manifest(folder)
    tasks, _ = plan(items, defaults, manifest, {"name": model.bundle.name, "sha256": model.bundle.sha256})
    made: list[str] = []
    run(tasks, model, manifest, defaults, lambda task: made.append(task.entry["name"]))
    return made


def read(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for item in manifest["items"]:
        for clip in item["clips"]:
            for file in clip["files"]:
                data = (folder / file["path"]).read_bytes()
                assert hashlib.sha256(data).hexdigest() == file["sha256"]
                assert len(data) == file["bytes"]
    return manifest


# --- the command ----------------------------------------------------------------------------------------


def test_command_makes_good_lines_reports_bad_ones_and_goes_on(command, tmp_path: Path, bundle_name: str):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text(TEXT, encoding="utf-8")
    out = tmp_path / "clips"
    arguments = ("batch", prompts, "--out", out, "--format", "npz,bvh", "--duration", 2)
    done = command(*arguments)
    assert done.returncode == 1, "a bad line is no success"
    assert "line 3: unknown field 'speed'" in done.stderr
    assert "2 made, 0 made before, 0 failed, 1 bad line" in done.stdout
    names = {"sit-1.npz", "sit-1.bvh", "sit-2.npz", "sit-2.bvh", "someone-waves.npz", "someone-waves.bvh"}
    assert {path.name for path in out.iterdir()} == names | {"manifest.json"}
    manifest = read(out)
    assert manifest["bad_lines"][0]["line"] == 3
    sit, wave = manifest["items"]
    assert (sit["line"], wave["line"]) == (2, 4)
    assert [clip["seed"] for clip in sit["clips"]] == [5, 6]
    assert sit["clips"][0]["quality"] and sit["clips"][0]["provenance"]["bundle_sha256"]
    assert npz.load(out / "sit-2.npz").provenance["seed"] == 6

    before = {path: path.stat().st_mtime_ns for path in out.glob("*.npz")}
    (out / "someone-waves.bvh").unlink()
    done = command(*arguments)
    assert "1 made, 1 made before" in done.stdout
    assert (out / "someone-waves.bvh").exists()
    assert (out / "sit-1.npz").stat().st_mtime_ns == before[out / "sit-1.npz"]


def test_command_reads_standard_input(command, tmp_path: Path, bundle_name: str):
    done = command(
        "batch", "-", "--out", tmp_path, "--duration", 2, input="prompt,name\na person jumps,hop\n"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hop.npz").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.txt", "--out", "{tmp}/x"),
        ("{tmp}", "--out", "{tmp}/x"),
        ("{tmp}/empty.txt", "--out", "{tmp}/x"),
        ("{tmp}/binary.txt", "--out", "{tmp}/x"),
        ("{tmp}/good.txt",),
        ("{tmp}/good.txt", "--out", "{tmp}/good.txt"),
        ("{tmp}/good.txt", "--out", "{tmp}/x", "--format", "mp4"),
        ("{tmp}/good.txt", "--out", "{tmp}/foreign"),
    ],
)
def test_command_refuses_with_one_sentence(
    here, tmp_path: Path, bundle_name: str, arguments: tuple[str, ...]
):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "binary.txt").write_bytes(b"\x89PNG\0\xff")
    (tmp_path / "good.txt").write_text("a person walks\n")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text('{"name": "some web app"}')
    done = here("batch", *(part.format(tmp=tmp_path) for part in arguments))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("motion-prompt batch: ")
    assert (tmp_path / "foreign" / "manifest.json").read_text() == '{"name": "some web app"}'


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_batch_leaves_a_valid_manifest_and_goes_on(
    tmp_path: Path, bundle_name: str, number: signal.Signals
):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"a person walks {i} steps\n" for i in range(300)), encoding="utf-8")
    out = tmp_path / "clips"
    line = [
        sys.executable,
        "-m",
        "motion_engine",
        "batch",
        str(prompts),
        "--out",
        str(out),
        "--duration",
        "2",
    ]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.npz"))) < 5:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, messages = process.communicate(timeout=30)
    assert "Traceback" not in messages
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    manifest = read(out)
    done = [item["name"] for item in manifest["items"] if item["status"] == "done"]
    assert len(manifest["items"]) == 300
    if number != signal.SIGKILL:
        assert 5 <= len(done) < 300
        assert len(list(out.glob("*.npz"))) <= len(done) + 1
    prompts.write_text("".join(f"a person walks {i} steps\n" for i in range(8)), encoding="utf-8")
    again = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{min(len(done), 8)} made before" in again.stdout
    assert {f"a-person-walks-{i}-steps.npz" for i in range(8)} <= {p.name for p in out.iterdir()}
    assert all(item["status"] == "done" for item in read(out)["items"])


# --- what is made again and what is not -----------------------------------------------------------------


def test_second_run_makes_nothing(tmp_path: Path, model: Engine):
    assert go(tmp_path, TEXT, model) == ["sit", "someone-waves"]
    assert go(tmp_path, TEXT, model) == []


def test_lines_may_move_and_new_ones_come(tmp_path: Path, model: Engine):
    go(tmp_path, "a person runs | seed=1\na person runs | seed=2\n", model)
    made = go(
        tmp_path, "a person runs | seed=3\na person runs | seed=2\n# x\na person runs | seed=1\n", model
    )
    assert made == ["a-person-runs-3"]
    names = {(item["request"]["seed"], item["name"], item["line"]) for item in read(tmp_path)["items"]}
    assert names == {(3, "a-person-runs-3", 1), (2, "a-person-runs-2", 2), (1, "a-person-runs", 4)}


def test_changed_line_is_made_again_under_its_name(tmp_path: Path, model: Engine):
    go(tmp_path, "a person runs | name=run | seed=1\n", model)
    first = (tmp_path / "run.npz").read_bytes()
    assert go(tmp_path, "a person runs | name=run | seed=2\n", model) == ["run"]
    assert (tmp_path / "run.npz").read_bytes() != first
    assert [item["name"] for item in read(tmp_path)["items"]] == ["run"]


def test_tries_are_asked_for_and_remembered_where_they_are_named(tmp_path: Path, model: Engine):
    assert go(tmp_path, "someone waves", model) == ["someone-waves"]
    assert "tries" not in read(tmp_path)["items"][0]["request"], "records from before this field still match"
    assert go(tmp_path, "someone waves | tries=2", model) == ["someone-waves"]
    assert read(tmp_path)["items"][0]["request"]["tries"] == 2
    items, _ = parse_batch("someone waves\nsomeone waves | tries=1")
    asked = requests_for(items, BatchDefaults(tries=3))
    assert [request.tries for request in asked] == [3, 1]


def test_removed_line_keeps_its_clip_and_its_record(tmp_path: Path, model: Engine):
    go(tmp_path, "a person runs\na person jumps\n", model)
    assert go(tmp_path, "a person jumps\n", model) == []
    assert [item["name"] for item in read(tmp_path)["items"]] == ["a-person-jumps", "a-person-runs"]


def test_another_format_is_added(tmp_path: Path, model: Engine):
    go(tmp_path, "a person runs\n", model)
    made = go(tmp_path, "a person runs\n", model, BatchDefaults(formats=("bvh",), duration=2.0))
    assert made == ["a-person-runs"]
    files = read(tmp_path)["items"][0]["clips"][0]["files"]
    assert {file["path"] for file in files} == {"a-person-runs.npz", "a-person-runs.bvh"}


def test_names_do_not_collide(tmp_path: Path, model: Engine):
    text = (
        "one | name=Walk/1\ntwo | name=walk 1\nthree | name=x | count=2\nfour | name=x-1\nfive | name=CON\n"
    )
    go(tmp_path, text, model)
    files = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert files == ["CON-clip.npz", "Walk-1.npz", "walk-1-2.npz", "x-1-2.npz", "x-1.npz", "x-2.npz"]
    assert go(tmp_path, text, model) == []


def test_files_of_others_are_left_alone(tmp_path: Path, model: Engine):
    (tmp_path / "sit.npz").write_bytes(b"precious")
    assert go(tmp_path, "a man sits | name=sit\n", model) == ["sit-2"]
    assert (tmp_path / "sit.npz").read_bytes() == b"precious"


def test_equal_lines_are_different_clips():
    items, _ = parse_batch("a person runs | count=2\na person runs\na person walks\na person runs | seed=0\n")
    assert [request.seed for request in requests_for(items, DEFAULTS)] == [0, 2, 0, 0]


def test_item_that_the_engine_refuses_does_not_stop_the_rest(tmp_path: Path, model: Engine):
    made = go(tmp_path, "one | duration=500\ntwo | sampler=magic\nthree\n", model)
    assert made == ["one", "two", "three"]
    items = read(tmp_path)["items"]
    assert [item["status"] for item in items] == ["failed", "failed", "done"]
    assert items[0]["error"]["message"] and items[0]["error"]["fix"]
    assert go(tmp_path, "one | duration=500\nthree\n", model) == ["one"], "failures are tried again"


def test_damaged_manifest_is_not_overwritten(tmp_path: Path):
    (tmp_path / "manifest.json").write_text('{"format": "motion-prompt batch", "version": 1, "items": [')
    with pytest.raises(EngineError) as caught:
        Manifest(tmp_path)
    assert caught.value.code == "bad_manifest" and str(tmp_path) in caught.value.message
