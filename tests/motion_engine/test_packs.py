# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own bundles: adding packs, refusing what is wrong with them, removing; what the lists say."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import copy_of_base, zip_of

from motion_engine import bundle as bundles
from motion_engine import packs
from motion_engine.cli import main
from motion_engine.errors import EngineError
from motion_engine.licence import allows_commercial_use


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own bundles; it does not exist yet."""
    folder = tmp_path / "data" / "models"
    monkeypatch.setenv("MOTION_PROMPT_USER_BUNDLES", str(folder))
    return folder


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's folder, for reading only."""
    return copy_of_base(tmp_path_factory.mktemp("source") / "walks")


@pytest.fixture(scope="module")
def pack(walk: Path) -> Path:
    return zip_of(walk, walk.parent / "walks.zip", "walks/")


def refused(source: Path, own: Path, code: str) -> str:
    """Add what must not be added; the sentence, after making sure that nothing is left of it."""
    before = sorted(own.rglob("*")) if own.exists() else []
    with pytest.raises(EngineError) as caught:
        packs.add(source)
    assert caught.value.code == code, caught.value
    assert caught.value.fix
    assert (sorted(own.rglob("*")) if own.exists() else []) == before
    return str(caught.value)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC-BY-3.0", True), ("CC-BY-4.0", True), ("CC0-1.0", True), ("MIT", True), ("Apache-2.0", True),
        ("BSD-2-Clause", True), ("GPL-3.0-or-later", True), ("CC-BY-ND-4.0", True), ("commercial use allowed", True),
        ("CC-BY-NC-4.0", False), ("CC BY-NC-SA 4.0", False), ("cc-by-nc-nd-4.0", False), ("", False), (" ", False),
        ("PolyForm-Noncommercial-1.0.0", False), ("LicenseRef-NonCommercial", False),
        ("non-commercial scientific research", False), ("Not for commercial use", False), ("research only", False),
        ("for research purposes only", False), ("LicenseRef-Research-Only", False),
    ],
)  # fmt: skip
def test_which_licences_let_clips_be_sold(licence: str, expected: bool):
    assert allows_commercial_use(licence) is expected


@pytest.mark.parametrize("kind", ["zip with a folder", "flat zip", "folder"])
def test_an_added_bundle_is_listed_and_found(own: Path, walk: Path, tmp_path: Path, kind: str):
    source = walk
    if kind != "folder":
        source = zip_of(walk, tmp_path / "pack.zip", "any name/" if kind == "zip with a folder" else "")
    added = packs.add(source)
    assert added.path == own / "walks" and not added.commercial and added.own
    assert [folder.name for folder in own.iterdir()] == ["walks"]
    assert bundles.find("walks").sha256 == bundles.load(walk).sha256
    listed = {info.name: info for info in bundles.list_bundles()}
    assert listed["walks"].ok and listed["walks"].own and not listed["walks"].commercial
    assert listed["base"].ok and not listed["base"].own and listed["base"].commercial


def test_the_default_stays_the_shipped_one(own: Path, walk: Path, tmp_path: Path, monkeypatch):
    packs.add(walk)
    assert bundles.find(None).name == "base"
    assert [info.name for info in bundles.list_bundles()] == ["base", "walks"]
    monkeypatch.setenv("MOTION_PROMPT_BUNDLES", str(tmp_path / "empty"))
    with pytest.raises(EngineError, match="holds no bundle"):
        bundles.find(None)


def test_only_what_the_manifest_lists_is_taken_over(own: Path, walk: Path, tmp_path: Path):
    source = shutil.copytree(walk, tmp_path / "walks")
    (source / "setup.py").write_text("print('hello')")
    (source / packs.LICENCE_FILE).write_text("Credit")
    for pack in (source, zip_of(source, tmp_path / "pack.zip")):
        added = packs.add(pack)
        names = {file.name for file in added.path.iterdir()}
        assert names == {"manifest.json", packs.LICENCE_FILE, *added.manifest["files"]}
        packs.remove("walks")


def test_a_file_that_is_no_pack(own: Path, tmp_path: Path):
    assert "There is no file" in refused(tmp_path / "none.zip", own, "missing_pack")
    (tmp_path / "text.zip").write_text("no zip at all")
    assert "is no zip" in refused(tmp_path / "text.zip", own, "not_a_pack")
    (tmp_path / "empty.zip").write_bytes(b"")
    refused(tmp_path / "empty.zip", own, "not_a_pack")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    assert "no manifest.json" in refused(tmp_path / "other.zip", own, "not_a_pack")
    with zipfile.ZipFile(tmp_path / "addon.zip", "w") as archive:
        archive.writestr("blender_manifest.toml", "")
    assert "the add-on itself" in refused(tmp_path / "addon.zip", own, "not_a_pack")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", own, "not_a_pack")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_truncated_pack(own: Path, pack: Path, tmp_path: Path, share: float):
    content = pack.read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: int(len(content) * share)])
    assert "Get the pack again" in refused(tmp_path / "cut.zip", own, "not_a_pack")


def test_a_pack_with_flipped_bytes(own: Path, pack: Path, tmp_path: Path):
    content = bytearray(pack.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(255 - byte for byte in content[middle : middle + 8])
    (tmp_path / "bad.zip").write_bytes(content)
    assert "damaged" in refused(tmp_path / "bad.zip", own, "broken_pack")


def test_a_file_that_does_not_match_its_hash(own: Path, walk: Path, tmp_path: Path):
    source = shutil.copytree(walk, tmp_path / "walks")
    with (source / "stats.npz").open("ab") as file:
        file.write(b"more")
    text = refused(zip_of(source, tmp_path / "pack.zip"), own, "broken_bundle")
    assert "stats.npz of the bundle in pack.zip is damaged" in text
    (source / "stats.npz").unlink()
    assert "lacks the file 'stats.npz'" in refused(source, own, "broken_bundle")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema": 99}, "unknown_bundle_version"),
        ({"name": "../walks"}, "bad_name"),
        ({"name": ""}, "bad_name"),
        ({"name": ["walks"]}, "broken_bundle"),
        ({"samplers": {}}, "broken_bundle"),
        ({"samplers": {"edm": {}}}, "broken_bundle"),
        ({"samplers": ["mld"]}, "broken_bundle"),
        ({"files": ["stats.npz"]}, "broken_bundle"),
        ({"files": {}}, "broken_bundle"),
        ({"files": {"../base/stats.npz": "0"}}, "broken_bundle"),
        ({"text_encoder": "../../somewhere"}, "broken_bundle"),
        ({"text_encoder": "unheard-of"}, "missing_text_encoder"),
        ({"fps": "fast"}, "broken_bundle"),
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_used(own: Path, tmp_path: Path, changes: dict, code: str):
    refused(zip_of(copy_of_base(tmp_path / "walks", **changes), tmp_path / "pack.zip"), own, code)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema": 1}', '"text"'])
def test_a_manifest_that_is_none(own: Path, tmp_path: Path, content: str):
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("manifest.json", content)
    refused(tmp_path / "pack.zip", own, "broken_bundle")


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "walks/../../evil", "C:/evil", "..\\evil", "walks/link"]
)
def test_paths_that_leave_the_folder(own: Path, walk: Path, tmp_path: Path, name: str):
    file = zip_of(walk, tmp_path / "pack.zip", "walks/")
    with zipfile.ZipFile(file, "a") as archive:
        entry = zipfile.ZipInfo(name)
        if name.endswith("link"):
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "leaves its folder" in refused(file, own, "unsafe_pack")
    assert not list(tmp_path.rglob("evil*"))


def test_names_that_are_taken(own: Path, walk: Path, tmp_path: Path):
    packs.add(walk)
    assert "added before. Remove that one first." in refused(walk, own, "bundle_exists")
    assert "itself comes with" in refused(bundles.find("base").path, own, "bundle_exists")
    assert "itself comes with" in refused(copy_of_base(tmp_path / "c", name="BASE"), own, "bundle_exists")


def test_a_copied_bundle_does_not_hide_a_shipped_one(own: Path):
    copy_of_base(own / "mine", name="base")
    assert bundles.find("base").path == bundles.default_bundles_dir() / "base"
    (copied,) = [info for info in bundles.list_bundles() if info.own]
    assert not copied.ok and "Motion Prompt itself has a bundle named 'base'" in copied.problem
    assert packs.remove("mine") == own / "mine"
    assert list(own.iterdir()) == []


def test_no_space(own: Path, walk: Path, monkeypatch):
    usage = shutil.disk_usage(walk)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    assert "has 1 MB left" in refused(walk, own, "no_space")


def test_a_disk_that_fills_up_meanwhile(own: Path, pack: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    assert "no room left" in refused(pack, own, "no_space")


def test_a_folder_that_cannot_be_made(own: Path, walk: Path):
    own.parent.parent.mkdir(exist_ok=True)
    own.parent.write_text("a file where the folder should be")
    assert "cannot be written" in refused(walk, own, "cannot_write")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions hold back"
)
def test_a_read_only_folder(own: Path, walk: Path):
    own.mkdir(parents=True)
    own.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot be written" in refused(walk, own, "cannot_write")


def test_removing(own: Path, walk: Path):
    packs.add(walk)
    (own / "walks" / "stats.npz").write_bytes(b"damaged since")
    assert packs.remove("walks") == own / "walks"
    assert list(own.iterdir()) == []
    for name, code in (("walks", "unknown_bundle"), ("base", "shipped_bundle"), ("..", "unknown_bundle")):
        with pytest.raises(EngineError) as caught:
            packs.remove(name)
        assert caught.value.code == code
    assert bundles.find("base").path.is_dir()


def test_what_a_killed_process_left_is_cleared_away(own: Path, walk: Path):
    left, fresh = own / ".adding-old", own / ".adding-now"
    for folder in (left, fresh):
        shutil.copytree(walk, folder / "bundle")
    os.utime(left, (1, 1))
    assert not [info for info in bundles.list_bundles() if info.own]
    packs.add(walk)
    assert not left.exists() and fresh.exists()


def test_the_commands(own: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bundles", "add", str(pack)]) == 0
    out = capsys.readouterr().out
    assert "Licence: CC-BY-NC-4.0" in out and "must not be sold" in out and "mocap.cs.cmu.edu" in out
    assert main(["bundles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "base: Base (CC-BY-3.0)"
    assert lines[2] == "walks: Walks (CC-BY-NC-4.0; non-commercial: clips made with it must not be sold)"
    clip = str(tmp_path / "clip.npz")
    assert main(["generate", "a person walks", "--bundle", "walks", "--duration", "1", "--out", clip]) == 0
    assert (
        "Walks is non-commercial (CC-BY-NC-4.0). Clips made with it must not be sold."
        in capsys.readouterr().err
    )
    assert main(["generate", "a person walks", "--duration", "1", "--out", clip]) == 0
    assert "sold" not in capsys.readouterr().err
    assert main(["bundles", "add", str(pack)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["bundles", "remove", "walks"]) == 0
    assert "removed" in capsys.readouterr().out
    assert main(["bundles", "remove", "walks"]) == 2
