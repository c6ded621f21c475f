# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt`` as a user types it: files that appear, sentences that explain, exit codes."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from motion_engine import __version__
from motion_engine.formats import bvh, npz


def assert_one_sentence(done, code: int = 2) -> None:
    """A refusal: the exit code, something to read, no traceback, nothing on standard output."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("motion-prompt") and done.stderr.count("\n") == 1
    assert done.stderr.rstrip().endswith((".", "?"))


# --- generate -------------------------------------------------------------------------------------------


def test_generate_several(command, tmp_path: Path, bundle_name: str):
    out = tmp_path / "new folder" / "clip.npz"
    done = command(
        "generate",
        "a person walks forward and waves",
        "--duration",
        3,
        "--seed",
        7,
        "--count",
        3,
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    files = [out.with_name(f"clip-{i}.npz") for i in (1, 2, 3)]
    assert sorted(out.parent.iterdir()) == files
    for seed, file in enumerate(files, start=7):
        assert str(file) in done.stdout
        motion = npz.load(file)
        assert motion.fps == 20 and 2.8 <= motion.duration <= 3.2
        assert motion.provenance["seed"] == seed
        assert motion.provenance["prompt"] == "a person walks forward and waves"
        with np.load(file) as data:
            assert str(data["text"]) == "a person walks forward and waves"
    assert "foot skate" in done.stdout, "quality is shown"


def test_generate_bvh_resampled_and_glb(here, tmp_path: Path, bundle_name: str):
    done = here("generate", "a person runs", "--duration", 2, "--fps", 30, "--out", tmp_path / "run.bvh")
    assert done.returncode == 0, done.stderr
    assert bvh.load(tmp_path / "run.bvh").fps == pytest.approx(30, abs=1e-3)
    done = here("generate", "a person runs", "--duration", 2, "--out", tmp_path / "RUN.GLB", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'RUN.GLB'}\n"
    assert (tmp_path / "RUN.GLB").read_bytes()[:4] == b"glTF"


def test_same_seed_same_file_content_and_options_count(here, tmp_path: Path, bundle_name: str):
    def joints(name: str, *options: object) -> np.ndarray:
        done = here("generate", "a man sits down", "--duration", 2, "--out", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        return npz.load(tmp_path / name).joints

    first = joints("a.npz", "--seed", 3)
    np.testing.assert_array_equal(joints("b.npz", "--seed", 3), first)
    assert np.abs(joints("c.npz", "--seed", 4) - first).max() > 1e-3
    raw = joints("d.npz", "--seed", 3, "--no-floor", "--no-foot-lock", "--sampler", "mld", "--steps", 2)
    assert np.abs(raw - first).max() > 1e-3


def test_what_a_motion_does_not_do_is_said(here, tmp_path: Path, bundle_name: str):
    sentence = "a person jumps ten times"
    done = here("generate", sentence, "--duration", 2, "--tries", 2, "--out", tmp_path / "jumps.npz")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("; not done: jumps 10 times")


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        ("   ",),
        ("walk " * 2000,),
        ("a man walks", "--duration", "nan"),
        ("a man walks", "--duration", "-2"),
        ("a man walks", "--duration", "1e9"),
        ("a man walks", "--duration", "four"),
        ("a man walks", "--count", "0"),
        ("a man walks", "--count", "33"),
        ("a man walks", "--count", "two"),
        ("a man walks", "--seed", "-1"),
        ("a man walks", "--seed", "99999999999999999999"),
        ("a man walks", "--steps", "0"),
        ("a man walks", "--guidance", "nan"),
        ("a man walks", "--tries", "0"),
        ("a man walks", "--tries", "few"),
        ("a man walks", "--fps", "0"),
        ("a man walks", "--fps", "inf"),
        ("a man walks", "--sampler", "magic"),
        ("a man walks", "--bundle", "no_such_bundle"),
        ("a man walks", "--device", "abacus"),
        ("a man walks", "--backend", "abacus"),
        ("a man walks", "--out", "clip.mp4"),
        ("a man walks", "--out", "clip"),
        ("a man walks", "--out", "pyproject.toml/clip.npz"),
        ("a man walks", "--speed", "3"),
        (),
    ],
    ids=lambda arguments: " ".join(arguments)[:50],
)
def test_generate_refuses_with_one_sentence(
    here, tmp_path: Path, bundle_name: str, arguments: tuple[str, ...]
):
    if "--out" not in arguments:
        arguments = (*arguments, "--out", str(tmp_path / "clip.npz"))
    assert_one_sentence(here("generate", *arguments))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions hold back"
)
def test_generate_into_a_read_only_folder(command, tmp_path: Path, bundle_name: str):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert_one_sentence(command("generate", "a man walks", "--out", tmp_path / "clip.npz"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write")
def test_generate_into_a_folder_that_cannot_be_written(command, bundle_name: str):
    assert_one_sentence(command("generate", "a man walks", "--out", "/proc/self/clip.npz"))


def test_refusal_in_a_process_of_its_own(command, bundle_name: str):
    assert_one_sentence(command("generate", "a man walks", "--out", "clip.mp4"))


def test_generate_says_no_bundle(command, tmp_path: Path):
    done = command(
        "generate", "a man walks", "--out", tmp_path / "a.npz",
        env=os.environ | {"MOTION_PROMPT_BUNDLES": str(tmp_path)},
    )  # fmt: skip
    assert_one_sentence(done)


# --- the other commands ---------------------------------------------------------------------------------


def test_help_and_version(command, here):
    done = command("--help")
    assert done.returncode == 0
    for name in ("generate", "batch", "serve", "doctor", "bench", "bundles", "convert"):
        assert name in done.stdout
    assert here("--version").stdout.strip() == f"motion-prompt {__version__}"
    assert_one_sentence(here())
    assert_one_sentence(here("dance"))


def test_bundles_lists_licences(here, bundle_name: str):
    done = here("bundles")
    assert done.returncode == 0
    assert done.stdout.startswith(f"{bundle_name}: ")
    done = here("bundles", "--dir", "/nonexistent")
    assert done.returncode == 1 and "No model bundle" in done.stdout


def test_doctor_is_content(command, bundle_name: str):
    done = command("doctor")
    assert done.returncode == 0, done.stdout
    for topic in ("python", "onnxruntime", "devices", f"bundle {bundle_name}", "local port", "trial"):
        assert f"ok      {topic}: " in done.stdout
    assert done.stdout.rstrip().endswith("Everything works.")


def test_doctor_finds_a_damaged_bundle(here, tmp_path: Path, monkeypatch):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text('{"schema": 1}')
    monkeypatch.setenv("MOTION_PROMPT_BUNDLES", str(tmp_path))
    done = here("doctor")
    assert done.returncode == 1
    assert "PROBLEM bundle broken: " in done.stdout
    assert "-> " in done.stdout and "Traceback" not in done.stdout + done.stderr
    report = here("doctor", "--json")
    assert report.returncode == 1
    findings = {finding["topic"]: finding for finding in json.loads(report.stdout)["findings"]}
    assert findings["python"]["status"] == "ok"
    assert findings["bundle broken"]["status"] == findings["trial"]["status"] == "problem"
    assert findings["trial"]["fix"]


def test_convert_round_trip(here, tmp_path: Path, bundle_name: str):
    source = tmp_path / "a.npz"
    assert here("generate", "someone waves", "--duration", 2, "--out", source).returncode == 0
    assert here("convert", source, tmp_path / "b.bvh").returncode == 0
    assert here("convert", tmp_path / "b.bvh", tmp_path / "c.npz").returncode == 0
    first, last = npz.load(source), npz.load(tmp_path / "c.npz")
    assert np.abs(first.joints - last.joints).max() < 1e-3
    done = here("convert", source, tmp_path / "m.glb", "--mirror", "--fps", 24)
    assert done.returncode == 0 and "24 fps" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("none.npz", "b.bvh"), ("README.md", "b.bvh"), ("{bad}", "b.bvh"), ("{bad}", "x.doc")]
)
def test_convert_refuses_with_one_sentence(here, tmp_path: Path, arguments: tuple[str, ...]):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"not a zip")
    assert_one_sentence(here("convert", *(part.format(bad=bad) for part in arguments)))


def test_bench_prints_a_verdict_at_the_end_of_every_row(command, bundle_name: str):
    done = command("bench", "--repeat", 1)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.strip().splitlines()
    assert len(rows) >= 6
    for row in rows:
        assert row.endswith((" ok", " MISSED")) or "not measured here: " in row
    for name in (
        "4 s clip, 1 step",
        "9.8 s clip, 4 steps",
        "start to ready",
        "resident memory",
        "zip",
        "keyframes",
    ):
        assert name in done.stdout


def test_a_loop_in_place_ends_where_it_began(here, tmp_path: Path, bundle_name: str):
    done = here(
        "generate",
        "a person walks forward",
        "--loop",
        0.5,
        "--in-place",
        "--fps",
        30,
        "--out",
        tmp_path / "c.npz",
    )
    assert done.returncode == 0, done.stderr
    joints = npz.load(tmp_path / "c.npz").joints
    np.testing.assert_allclose(joints[-1], joints[0], atol=1e-3)
    assert np.ptp(joints[:, 0, 2]) < 0.3
    assert_one_sentence(here("generate", "a person walks", "--loop", "-1", "--out", tmp_path / "d.npz"))
