# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that come and go while the engine runs: through the protocol, and behind its back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import copy_of_base, leaning_on, zip_of
from service_requests import SHORT

from motion_engine import packs
from motion_engine.bundle import find, user_bundles_dir
from motion_engine.client import EngineProcess
from motion_engine.errors import EngineError


@pytest.fixture(scope="module")
def strolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    return zip_of(copy_of_base(folder / "strolls"), folder / "strolls.zip", "strolls/")


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    yield
    for folder in user_bundles_dir().iterdir():
        packs.remove(folder.name)


def listed(engine: EngineProcess) -> dict[str, dict[str, Any]]:
    return {bundle["name"]: bundle for bundle in engine.call("GET", "/v1/health")["bundles"]}


def made_with(engine: EngineProcess, bundle: str) -> dict[str, Any]:
    """Provenance of a clip."""
    events = list(engine.generate(SHORT | {"bundle": bundle}))
    assert events[-1]["event"] == "done", events[-1]
    return next(event for event in events if event["event"] == "motion")["motion"]["provenance"]


def test_add_use_and_remove(engine: EngineProcess, strolls: Path):
    engine.wait_until_ready()
    before = listed(engine)
    assert before["base"]["commercial"] and not before["base"]["own"]
    added = engine.call("POST", "/v1/bundles", {"path": str(strolls)})["added"]
    assert (added["name"], added["licence"], added["commercial"], added["own"]) == (
        "strolls", "CC-BY-NC-4.0", False, True,
    )  # fmt: skip
    assert listed(engine) == before | {"strolls": added}
    assert made_with(engine, "strolls")["licence"] == "CC-BY-NC-4.0"
    assert engine.call("DELETE", "/v1/bundles/strolls") == {"removed": "strolls"}
    assert listed(engine) == before
    with pytest.raises(EngineError, match="no model bundle 'strolls'"):
        list(engine.generate(SHORT | {"bundle": "strolls"}))


def test_one_that_another_program_adds_replaces_and_removes(
    engine: EngineProcess, strolls: Path, tmp_path: Path
):
    engine.wait_until_ready()
    packs.add(strolls)
    assert "strolls" in listed(engine)
    first = made_with(engine, "strolls")
    packs.remove("strolls")
    packs.add(copy_of_base(tmp_path / "strolls", version="9.9", licence="CC0-1.0"))
    second = made_with(engine, "strolls")
    assert (first["bundle"], second["bundle"]) == (f"strolls {find(None).version}", "strolls 9.9")
    assert second["licence"] == "CC0-1.0" and listed(engine)["strolls"]["commercial"]
    packs.remove("strolls")
    assert "strolls" not in listed(engine)


def test_one_that_leans_on_the_shipped_one(engine: EngineProcess, tmp_path: Path):
    engine.wait_until_ready()
    biases = {"latent_out.bias.delta": np.full(find(None).manifest["latent_channels"], 0.2, np.float16)}
    styles = leaning_on(find(None).path, tmp_path / "styles", {find(None).default_sampler: biases})
    engine.call("POST", "/v1/bundles", {"path": str(zip_of(styles, tmp_path / "styles.zip"))})
    told = listed(engine)["styles"]
    assert not told["commercial"] and told["licence"] == "CC-BY-NC-4.0"
    made = made_with(engine, "styles")
    assert made["licence"] == "CC-BY-NC-4.0" and made["bundle"].startswith("styles ")
    assert made["bundle_sha256"] != made_with(engine, "base")["bundle_sha256"]
    assert made["quality"] != made_with(engine, "base")["quality"], "its own weights"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/v1/bundles", {"path": "/nowhere/pack.zip"}, "missing_pack"),
        ("POST", "/v1/bundles", {"path": __file__}, "not_a_pack"),
        ("POST", "/v1/bundles", {}, "bad_request"),
        ("POST", "/v1/bundles", {"path": 3}, "bad_request"),
        ("DELETE", "/v1/bundles/base", None, "shipped_bundle"),
        ("DELETE", "/v1/bundles/none", None, "unknown_bundle"),
        ("DELETE", "/v1/bundles/..%2Fbase", None, "not_found"),
    ],
)
def test_refusals(engine: EngineProcess, method: str, path: str, body: Any, code: str):
    engine.wait_until_ready()
    before = listed(engine)
    with pytest.raises(EngineError) as caught:
        engine.call(method, path, body)
    assert caught.value.code == code and caught.value.message and caught.value.fix
    assert listed(engine) == before
