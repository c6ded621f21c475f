# SPDX-License-Identifier: GPL-3.0-or-later
"""Model packs: their content, that the engine takes them, and that nothing of the kind gets into the extension."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import copy_of_base, leaning_on

import build_addon
import build_models
from motion_engine import bundle, packs


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    return copy_of_base(tmp_path / "models" / "styles", attribution=["Some One, Some Place, CC BY-NC 4.0."])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    return folder


def test_the_engine_takes_the_pack(styles: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    version = bundle.load(styles).version
    (pack,) = build_models.write_packs(out, styles.parent)
    assert pack.name == f"motion-prompt-model-styles-{version}.zip"
    assert [file.name for file in out.iterdir()] == [pack.name]
    monkeypatch.setenv("MOTION_PROMPT_USER_BUNDLES", str(out / "own"))
    added = packs.add(pack)
    assert added.sha256 == bundle.load(styles).sha256
    text = (added.path / packs.LICENCE_FILE).read_text(encoding="utf-8")
    assert "CC-BY-NC-4.0" in text and "must not be sold" in text and "- Some One, Some Place" in text


def test_same_bundle_same_bytes(styles: Path, out: Path):
    first = build_models.write_pack(styles, out).read_bytes()
    (styles / "manifest.json").touch()
    assert build_models.write_pack(styles, out).read_bytes() == first


def test_a_damaged_bundle_is_not_packed(styles: Path, out: Path):
    (styles / "stats.npz").write_bytes(b"damaged")
    with pytest.raises(build_models.PackError, match=r"stats\.npz is not the file"):
        build_models.write_packs(out, styles.parent)
    assert list(out.iterdir()) == []


def test_a_pack_that_leans_on_the_shipped_bundle(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    folder = leaning_on(build_models.SHIPPED / "base", tmp_path / "models" / "styles")
    (pack,) = build_models.write_packs(out, folder.parent)
    assert pack.stat().st_size < 100_000, "the shared files stay where they are"
    monkeypatch.setenv("MOTION_PROMPT_USER_BUNDLES", str(tmp_path / "own"))
    added = packs.add(pack)
    assert "uses files of the model base" in (added.path / packs.LICENCE_FILE).read_text(encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["shared"]["files"]["stats.npz"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(build_models.PackError, match="another release of base"):
        build_models.write_pack(folder, out)


def test_the_command(
    styles: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(build_models.write_packs, "__defaults__", (styles.parent,))
    assert build_addon.main(["--models", "--out", str(out)]) == 0
    assert "motion-prompt-model-styles" in capsys.readouterr().out
    assert len(list(out.iterdir())) == 1
    (styles / "stats.npz").unlink()
    assert build_addon.main(["--models", "--out", str(out)]) == 1
    assert "Export it again" in capsys.readouterr().out


def test_what_ships_may_be_sold():
    for manifest in (build_models.ROOT / "assets" / "models").glob("*/manifest.json"):
        build_models.check_shipped({manifest.parent.name: manifest.read_bytes()})
    with pytest.raises(build_models.PackError, match="styles is under CC-BY-NC"):
        build_models.check_shipped({"styles": json.dumps({"licence": "CC-BY-NC-4.0"}).encode()})


def test_non_commercial_models_stay_apart():
    for manifest in build_models.NON_COMMERCIAL.glob("*/manifest.json"):
        assert not bundle.load(manifest.parent).commercial, (
            f"{manifest.parent} could ship: it belongs into assets/models"
        )


def test_packs_are_built_without_numpy():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, build_models; sys.exit('numpy' in sys.modules)"],
        cwd=build_models.ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0
