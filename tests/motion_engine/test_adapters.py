# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that lean on another one: the motions they make on both runtimes, and what is refused about them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="an untrained bundle is exported")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import NON_COMMERCIAL, leaning_on, sha256, zip_of

from motion_engine import bundle as bundles
from motion_engine import packs
from motion_engine.adapter import adapted, changes, network_weights
from motion_engine.cli import main
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.weights import keys, quantised, read, single

Arrays = dict[str, np.ndarray]
NETWORKS = ("motionlcm", "mld")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained bundle, whose larger matrices have 8 bits; for reading only."""
    from training.config import Config
    from training.export.random_bundle import write_random_bundle

    config = Config.read("base")
    small = replace(
        config,
        vae=replace(config.vae, width=48, latent_channels=8, blocks=1),
        denoiser=replace(config.denoiser, width=96, layers=3, heads=4, feed_forward=128),
    )
    return write_random_bundle(tmp_path_factory.mktemp("bundles"), small)


@pytest.fixture
def place(ground: Path, tmp_path: Path) -> Path:
    """A folder of bundles with a copy of the small one."""
    shutil.copytree(ground, tmp_path / "models" / ground.name)
    return tmp_path / "models"


def random_adapter(weights: Arrays, size: float, rank: int = 4) -> Arrays:
    """Pairs for the 8-bit matrices and half of the others, changes for the vectors, as large as ``size`` says."""
    random = np.random.default_rng(3)
    adapter: Arrays = {}
    for number, key in enumerate(keys(weights)):
        shape = weights[key].shape
        if len(shape) == 2 and (weights[key].dtype == np.int8 or number % 2):
            adapter[f"{key}.down"] = random.standard_normal((rank, shape[1])) / np.sqrt(shape[1])
            adapter[f"{key}.up"] = size * random.standard_normal((shape[0], rank))
        elif len(shape) == 1:
            adapter[f"{key}.delta"] = size * random.standard_normal(shape)
    return {key: value.astype(np.float16) for key, value in adapter.items()}


def adapters_for(base: Path, size: float) -> dict[str, Arrays]:
    return {name: random_adapter(read(base / f"{name}.safetensors"), size) for name in NETWORKS}


def joints(bundle: Path, sampler: str, backend: str = "onnx") -> np.ndarray:
    """Of a second's clip, as the networks made it."""
    request = GenerateRequest(
        "a person waves", duration=2, seed=5, sampler=sampler, steps=4, foot_lock=False, floor=False
    )
    return Engine.load(bundle, backend=backend, device="cpu", threads=1).generate(request)[0].joints


def refusal(call: Callable[[], Any], code: str) -> str:
    with pytest.raises(EngineError) as caught:
        call()
    assert caught.value.code == code, caught.value
    assert caught.value.fix
    return str(caught.value)


def rewrite(folder: Path, change: Callable[[dict], Any]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


# --- the weights ----------------------------------------------------------------------------------------


def test_an_adapter_adds_its_product_to_the_matrix(ground: Path):
    weights = read(ground / "motionlcm.safetensors")
    adapter = random_adapter(weights, 0.05)
    new = adapted(weights, adapter)
    kinds = {weights[key].dtype for key in new if not key.endswith(".scale")}
    assert kinds == {np.dtype(np.int8), np.dtype(np.float16)}
    for key in (key for key in new if not key.endswith(".scale")):
        assert new[key].dtype == weights[key].dtype and new[key].shape == weights[key].shape
        if f"{key}.delta" in adapter:
            change = adapter[f"{key}.delta"].astype(float)
        else:
            change = adapter[f"{key}.up"].astype(float) @ adapter[f"{key}.down"].astype(float)
        wanted = single(weights, key) + change
        # a step of the 8-bit scale, or of half precision
        step = new[f"{key}.scale"] if weights[key].dtype == np.int8 else np.abs(wanted) / 1024 + 1e-7
        assert np.all(np.abs(single(new, key) - wanted) <= 0.51 * step)


def test_several_adapters_add_up_and_may_have_eight_bits(ground: Path):
    weights = read(ground / "motionlcm.safetensors")
    first, second = random_adapter(weights, 0.05), random_adapter(weights, 0.02, rank=2)
    eight: Arrays = {}
    for key, value in second.items():
        if key.endswith(".delta"):
            eight[key] = value
        else:
            eight[key], eight[f"{key}.scale"] = quantised(value.astype(np.float32))
    once = adapted(weights, first, eight)
    for key in (key for key in once if not key.endswith(".scale")):
        alone = (single(weights | adapted(weights, each), key) for each in (first, second))
        wanted = sum(alone) - single(weights, key)
        assert np.abs(single(once, key) - wanted).max() <= 0.03 * np.abs(wanted).max() + 1e-3, key
    with pytest.raises(EngineError, match="The second changes nothing_of_it"):
        bad = {"nothing_of_it.delta": np.zeros(3, np.float16)}
        adapted(weights, first, bad, names=["The first", "The second"])


def test_rows_without_a_change_stay_to_the_byte(ground: Path):
    weights = read(ground / "mld.safetensors")
    key = next(key for key in keys(weights) if weights[key].dtype == np.int8)
    rows, columns = weights[key].shape
    up, down = np.zeros((rows, 2), np.float16), np.ones((2, columns), np.float16)
    assert adapted(weights, {f"{key}.up": up, f"{key}.down": down}) == {}
    up[5] = 0.3
    new = adapted(weights, {f"{key}.up": up, f"{key}.down": down})
    changed = (new[key] != weights[key]).any(axis=1)
    assert changed.nonzero()[0].tolist() == [5]
    assert (new[f"{key}.scale"] != weights[f"{key}.scale"]).ravel().nonzero()[0].tolist() == [5]


def test_what_does_not_fit_its_network_is_refused(ground: Path):
    weights = read(ground / "mld.safetensors")
    matrix = next(key for key in keys(weights) if weights[key].dtype == np.int8)
    vector = next(key for key in keys(weights) if weights[key].ndim == 1)
    rows, columns = weights[matrix].shape
    width = len(weights[vector])

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float16)

    up, down = f"{matrix}.up", f"{matrix}.down"
    for adapter, words in (
        (
            {"nothing.up": zeros(4, 2), "nothing.down": zeros(2, 4)},
            "changes nothing, which its network does not",
        ),
        ({f"{matrix}.scale.delta": zeros(rows, 1)}, "does not have"),
        ({matrix: zeros(rows, columns)}, "no known kind"),
        ({up: zeros(rows, 2)}, "a pair or a delta"),
        ({up: zeros(rows, 2), down: zeros(2, columns), f"{matrix}.delta": zeros(rows, columns)}, "a pair or"),
        ({up: zeros(rows, 2), down: zeros(3, columns)}, "times"),
        ({up: zeros(rows + 1, 2), down: zeros(2, columns)}, "times"),
        ({up: zeros(rows), down: zeros(columns)}, "times"),
        ({f"{vector}.up": zeros(width, 2), f"{vector}.down": zeros(2, 1)}, "times"),
        ({f"{vector}.delta": zeros(width + 1)}, f"which is ({width},)"),
        ({f"{vector}.delta": np.full(width, np.nan, np.float16)}, "not finite"),
    ):
        assert words in refusal(lambda adapter=adapter: adapted(weights, adapter), "broken_bundle")


# --- motions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", NETWORKS)
def test_both_runtimes_make_the_adapted_motion(place: Path, sampler: str):
    base = place / "random"
    style = leaning_on(base, place / "style", adapters_for(base, 0.05))
    made = joints(style, sampler)
    np.testing.assert_allclose(joints(style, sampler, "torch"), made, atol=2e-5)
    assert np.abs(joints(base, sampler) - made).max() > 1e-3, "the adapter is heard"


def test_an_adapter_of_zeros_makes_the_motion_of_the_other_bundle(place: Path):
    base = place / "random"
    zero = leaning_on(base, place / "zero", adapters_for(base, 0.0))
    for backend in ("onnx", "torch"):
        np.testing.assert_array_equal(joints(zero, "motionlcm", backend), joints(base, "motionlcm", backend))
    assert changes(bundles.load(zero), "mld") == {}


def test_the_clip_says_whose_it_is(place: Path):
    style = leaning_on(place / "random", place / "style")
    assert bundles.load(style).sha256 != bundles.load(place / "random").sha256
    (motion,) = Engine.load(style, threads=1).generate(GenerateRequest("a person waves", duration=2))
    assert motion.provenance["licence"] == NON_COMMERCIAL
    assert motion.provenance["bundle"].startswith("style ")


def test_a_bundle_of_its_own_words_and_shared_networks(place: Path):
    """Own files come first, where both bundles have one of a name."""
    style = leaning_on(place / "random", place / "style")
    with np.load(place / "random" / "stats.npz") as stats:
        moved = dict(stats)
    moved["mean"] = moved["mean"] + 1
    np.savez(style / "stats.npz", **moved)
    rewrite(style, lambda manifest: manifest["files"].update({"stats.npz": sha256(style / "stats.npz")}))
    bundle = bundles.load(style)
    assert bundle.file("stats.npz").parent == style
    assert bundle.file("decoder.onnx").parent == place / "random"
    np.testing.assert_allclose(
        bundle.stats["mean"], bundles.load(place / "random").stats["mean"] + 1, rtol=1e-6
    )
    assert "has no file setup.py" in refusal(lambda: bundle.file("setup.py"), "broken_bundle")


def test_a_run_is_restored_with_the_adapted_weights(place: Path, tmp_path: Path):
    import torch

    from training.restore import restore

    base = place / "random"
    style = bundles.load(leaning_on(base, place / "style", adapters_for(base, 0.05)))
    assert {"vae", "mld", "motionlcm"} <= set(restore(style, tmp_path / "run"))
    restored = torch.load(tmp_path / "run" / "mld.pt")["module"]
    wanted = network_weights(style, "mld")
    before = read(base / "mld.safetensors")
    assert restored.keys() == set(keys(wanted))
    for key in restored:
        np.testing.assert_array_equal(restored[key].numpy(), single(wanted, key))
    assert any(np.abs(restored[key].numpy() - single(before, key)).max() > 1e-2 for key in restored)


def test_a_leaning_bundle_is_not_extended(place: Path, tmp_path: Path):
    from training.config import Config
    from training.export.extend import extend_bundle

    style = bundles.load(leaning_on(place / "random", place / "style"))
    with pytest.raises(ValueError, match="leans on random and cannot be extended"):
        extend_bundle(style, tmp_path / "out", Config.read("base"), (np.zeros(8), np.ones(8)))


# --- what is refused about bundles ----------------------------------------------------------------------


def test_the_other_bundle_has_to_be_there_whole_and_of_one_release(place: Path):
    base = place / "random"
    style = leaning_on(base, place / "style", adapters_for(base, 0.05))
    assert bundles.load(style).other == base
    weights = (base / "mld.safetensors").read_bytes()

    (base / "mld.safetensors").write_bytes(weights[:-1] + b"?")
    text = refusal(lambda: bundles.load(style), "broken_other_bundle")
    assert "leans on the bundle random, whose file mld.safetensors is damaged" in text
    (base / "mld.safetensors").unlink()
    refusal(lambda: bundles.load(style), "broken_other_bundle")

    (base / "mld.safetensors").write_bytes(weights + b" ")
    newer = sha256(base / "mld.safetensors")
    rewrite(base, lambda manifest: manifest["files"].update({"mld.safetensors": newer}))
    text = refusal(lambda: bundles.load(style), "other_release")
    assert "another release of the bundle random" in text and "of one release" in text

    rewrite(base, lambda manifest: manifest.pop("fps"))
    assert "cannot be used" in refusal(lambda: bundles.load(style), "broken_other_bundle")
    shutil.rmtree(base)
    text = refusal(lambda: bundles.load(style), "missing_other_bundle")
    assert "leans on the bundle random, which is not installed. Add random" in text


def test_one_step_is_the_most(place: Path):
    leaning_on(place / "random", place / "first")
    second = leaning_on(place / "random", place / "second")
    rewrite(second, lambda manifest: manifest["shared"].update(bundle="first"))
    assert "leans on random itself" in refusal(lambda: bundles.load(second), "broken_bundle")
    rewrite(second, lambda manifest: manifest["shared"].update(bundle="second"))
    refusal(lambda: bundles.load(second), "broken_bundle")


def test_a_licence_does_not_free_what_another_one_binds(place: Path):
    rewrite(place / "random", lambda manifest: manifest.update(licence=NON_COMMERCIAL))
    free = leaning_on(place / "random", place / "free", licence="CC0-1.0")
    assert "whose licence (CC-BY-NC-4.0) forbids that" in refusal(lambda: bundles.load(free), "broken_bundle")


@pytest.mark.parametrize(
    "entry",
    [
        {"shared": None}, {"shared": {}}, {"shared": {"bundle": "random"}},
        {"shared": {"bundle": "random", "files": {}}},
        {"shared": {"bundle": "../random", "files": {"stats.npz": "0"}}},
        {"shared": {"bundle": "random", "files": {"../random/stats.npz": "0"}}},
        {"shared": {"bundle": "random", "files": {"stats.npz": 0}}},
        {"adapters": ["mld"]}, {"adapters": {"mld": 1}},
        {"adapters": {"mld": "mld.adapter.safetensors"}}, {"adapters": {"mld": "stats.npz"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_cannot_be_used(place: Path, entry: dict[str, Any]):
    style = leaning_on(place / "random", place / "style")
    rewrite(style, lambda manifest: manifest.update(entry))
    refusal(lambda: bundles.load(style), "broken_bundle")


def test_a_graph_is_not_parted_from_its_weights(place: Path):
    style = leaning_on(place / "random", place / "style")
    shutil.copy(place / "random" / "mld.onnx", style)
    rewrite(style, lambda manifest: manifest["files"].update({"mld.onnx": sha256(style / "mld.onnx")}))
    assert "one of mld.onnx and mld.safetensors" in refusal(lambda: bundles.load(style), "broken_bundle")


def test_an_adapter_for_a_network_that_is_not_there(place: Path):
    style = leaning_on(place / "random", place / "style", {"emdm": {"a.delta": np.zeros(1, np.float16)}})
    assert "is for emdm, a network that it lacks" in refusal(lambda: bundles.load(style), "broken_bundle")


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_an_adapter_file_that_is_damaged(place: Path, backend: str):
    base = place / "random"
    style = leaning_on(base, place / "style", adapters_for(base, 0.05))
    file = style / "motionlcm.adapter.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    text = refusal(lambda: bundles.load(style), "broken_bundle")
    assert "The file motionlcm.adapter.safetensors of the bundle style is damaged" in text
    # one that was exported like that
    rewrite(style, lambda manifest: manifest["files"].update({file.name: sha256(file)}))
    load = lambda: Engine.load(style, backend=backend, device="cpu")  # noqa: E731
    assert f"{file.name} cannot be read" in refusal(load, "broken_bundle")


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_an_adapter_of_another_network(place: Path, backend: str):
    adapter = {"nothing.delta": np.zeros(3, np.float16)}
    style = leaning_on(place / "random", place / "style", {"motionlcm": adapter})
    load = lambda: Engine.load(style, backend=backend, device="cpu")  # noqa: E731
    assert "motionlcm.adapter.safetensors changes nothing, which its network" in refusal(
        load, "broken_bundle"
    )


# --- the user's own -------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data" / "models"
    monkeypatch.setenv("MOTION_PROMPT_USER_BUNDLES", str(folder))
    return folder


def test_a_pack_that_leans_on_an_added_bundle(
    own: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    base = place / "random"
    pack = zip_of(leaning_on(base, place / "style", adapters_for(base, 0.05)), tmp_path / "style.zip")
    assert main(["bundles", "add", str(pack)]) == 2
    words = capsys.readouterr().err
    assert "bundle in style.zip leans on the bundle random, which is not installed" in words
    assert "Add random of the same release first" in words
    assert list(own.iterdir()) == []

    assert main(["bundles", "add", str(base)]) == 0
    assert main(["bundles", "add", str(pack)]) == 0
    out = capsys.readouterr().out
    assert "uses files of random" in out and "NON-COMMERCIAL" in out
    assert main(["bundles"]) == 0
    out = capsys.readouterr().out
    assert "style: Style (CC-BY-NC-4.0; non-commercial" in out
    assert f"{own / 'style'}, with files of random" in out
    np.testing.assert_array_equal(joints(own / "style", "mld"), joints(place / "style", "mld"))

    assert main(["bundles", "remove", "random"]) == 2
    assert "'style' leans on 'random'. Remove 'style' first." in capsys.readouterr().err
    assert main(["bundles", "remove", "style"]) == 0
    assert main(["bundles", "remove", "random"]) == 0


def test_a_pack_of_another_release_than_the_bundle_that_is_there(own: Path, place: Path, tmp_path: Path):
    packs.add(place / "random")
    style = leaning_on(place / "random", place / "style")
    rewrite(style, lambda manifest: manifest["shared"]["files"].update({"decoder.onnx": "0" * 64}))
    text = refusal(lambda: packs.add(zip_of(style, tmp_path / "style.zip")), "other_release")
    assert "in style.zip leans on another release" in text and "get both from the same one" in text
    assert [folder.name for folder in own.iterdir()] == ["random"]


def test_a_pack_that_leans_on_the_shipped_bundle(own: Path, tmp_path: Path):
    shipped = bundles.default_bundles_dir() / "base"
    adapter = random_adapter(read(shipped / "motionlcm.safetensors"), 0.01)
    pack = zip_of(leaning_on(shipped, tmp_path / "styles", {"motionlcm": adapter}), tmp_path / "styles.zip")
    added = packs.add(pack)
    assert added.path == own / "styles" and added.other == shipped and not added.commercial
    assert bundles.find("styles").tasks == bundles.find("base").tasks
    listed = {info.name: info for info in bundles.list_bundles()}
    assert listed["styles"].leans_on == "base" and listed["styles"].ok
    assert joints(own / "styles", "motionlcm").shape == (40, 22, 3)
    assert packs.remove("styles") == own / "styles"
