# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension zip: its content, that Blender accepts it, and that the engine inside runs on its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import leaning_on

import build_addon
from build_addon import PLATFORMS, PYTHONS, Target
from motion_engine.bundle import load

HERE = Target(build_addon.this_platform(), "3.11")


@pytest.fixture(scope="session")
def engine_wheel() -> Path:
    return build_addon.build_engine_wheel()


@pytest.fixture(scope="session")
def extension(engine_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the zip for this platform and Blender 4.2 to 5.0."""
    return build_addon.build(HERE, engine_wheel, tmp_path_factory.mktemp("dist"))


def test_zip_is_within_the_size_limit(extension: Path) -> None:
    assert extension.stat().st_size <= build_addon.LIMIT_MB * 1e6


def test_manifest_lists_every_wheel_and_nothing_else(extension: Path) -> None:
    with zipfile.ZipFile(extension) as content:
        manifest = tomllib.loads(content.read("blender_manifest.toml").decode())
        inside = {f"./{n}" for n in content.namelist() if n.startswith("wheels/")}
    assert set(manifest["wheels"]) == inside
    assert manifest["platforms"] == [HERE.platform]
    assert manifest["blender_version_min"] == "4.2.0"
    assert manifest["blender_version_max"] == "5.1.0"
    assert manifest["id"] == "motion_prompt"
    assert "network" not in manifest.get("permissions", {}), "everything is in the zip"


def test_zip_has_no_numpy_and_no_leftovers(extension: Path) -> None:
    with zipfile.ZipFile(extension) as content:
        names = content.namelist()
    assert "__init__.py" in names and "LICENSE" in names
    assert not [n for n in names if n.startswith("wheels/numpy-")], "Blender has its own numpy"
    assert not [n for n in names if "__pycache__" in n or n.endswith((".pyc", ".part"))]


def test_blender_accepts_the_zip(extension: Path) -> None:
    if build_addon.find_validator() is None:
        pytest.skip("no Blender and no bpy package here to validate with")
    assert build_addon.validate(extension) == "valid"


def test_blender_refuses_a_broken_zip(extension: Path, tmp_path: Path) -> None:
    if build_addon.find_validator() is None:
        pytest.skip("no Blender and no bpy package here to validate with")
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(extension) as source, zipfile.ZipFile(broken, "w") as target:
        manifest = source.read("blender_manifest.toml").decode().replace("schema_version", "schema")
        target.writestr("blender_manifest.toml", manifest)
        target.writestr("__init__.py", source.read("__init__.py"))
    with pytest.raises(build_addon.BuildError, match="Blender refuses"):
        build_addon.validate(broken)


def test_same_sources_give_the_same_bytes(extension: Path, engine_wheel: Path, tmp_path: Path) -> None:
    again = build_addon.build(HERE, engine_wheel, tmp_path)
    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (extension, again)]
    assert digests[0] == digests[1]


def test_every_dependency_is_pinned(extension: Path) -> None:
    pinned = build_addon.pins(HERE)
    with zipfile.ZipFile(extension) as content:
        wheels = [Path(n).name for n in content.namelist() if n.endswith(".whl")]
    names = {re.sub(r"[_.]", "-", w.split("-")[0]).lower() for w in wheels}
    assert names - {"motion-prompt"} <= set(pinned)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the wheels are for Python 3.11")
def test_engine_from_the_zip_runs_with_blenders_numpy_alone(extension: Path, tmp_path: Path) -> None:
    """Unpack the wheels as Blender does, add numpy only, and generate: what is left out is not missed.

    A bundle that leans on the shipped one runs, too.
    """
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(extension) as content:
        for name in content.namelist():
            if name.endswith(".whl"):
                with content.open(name) as stream, zipfile.ZipFile(stream) as wheel:
                    wheel.extractall(site)
    numpy_folder = Path(numpy.__file__).parent
    for folder in (numpy_folder, numpy_folder.with_name("numpy.libs")):
        if folder.is_dir():
            shutil.copytree(folder, site / folder.name, ignore=shutil.ignore_patterns("tests"))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import motion_engine; assert motion_engine.__file__.startswith(sys.argv[1]), motion_engine.__file__;"
        "from motion_engine.engine import Engine, GenerateRequest;"
        "import motion_engine.server;"
        "r = GenerateRequest(prompt='a person walks forward', seed=1);"
        "m, n = Engine.load().generate(r)[0], Engine.load(sys.argv[2]).generate(r)[0];"
        "import json; print(json.dumps([m.n_frames, list(m.joints.shape[1:]), bool((m.joints != n.joints).any())]))"
    )
    change = {"latent_out.bias.delta": numpy.full(24, 0.2, numpy.float16)}
    base = load(build_addon.ROOT / "assets" / "models" / "base")
    styles = leaning_on(base.path, tmp_path / "styles", {base.default_sampler: change})
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MOTION_PROMPT"))}
    out = subprocess.run(
        [sys.executable, "-S", "-c", code, str(site), str(styles)],
        cwd=tmp_path, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    frames, shape, differs = json.loads(out.stdout.splitlines()[-1])
    assert frames >= 70 and shape == [22, 3] and differs


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_manifest_of_every_target_names_its_blenders(platform: str, python: str) -> None:
    wheel = Path("example-1.0-py3-none-any.whl")
    manifest = tomllib.loads(build_addon.manifest(Target(platform, python), [wheel]))
    least, below = PYTHONS[python]
    assert manifest["blender_version_min"] == least
    assert manifest.get("blender_version_max") == below
    assert manifest["platforms"] == [platform]
    assert manifest["wheels"] == ["./wheels/example-1.0-py3-none-any.whl"]


def test_impossible_target_is_refused_with_the_way_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = build_addon.main(["--platform", "macos-x64", "--python", "3.14", "--out", str(tmp_path)])
    assert code == 1
    assert "3.11" in capsys.readouterr().out
