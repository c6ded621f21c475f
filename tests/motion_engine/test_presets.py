# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle whose presets hold something else than numbers is refused when it is loaded, not in mid-run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from motion_engine.bundle_check import read_manifest
from motion_engine.errors import EngineError

ALL = {
    "schema": 1, "name": "own", "version": "1", "licence": "CC0-1.0", "attribution": [], "tasks": [], "fps": 20,
    "features": "features", "min_frames": 8, "max_frames": 196, "downsampling": 4, "latent_channels": 8,
    "prediction": "v", "text_encoder": "words", "files": {},
}  # fmt: skip


def written(folder: Path, **preset: Any) -> Path:
    samplers = {"motionlcm": {"steps": 4, "guidance": 3.5, "grid": 10} | preset}
    (folder / "manifest.json").write_text(json.dumps({**ALL, "samplers": samplers}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "preset",
    [{}, {"guidance": 3}, {"tries": 6}, {"guidance_by_steps": {"1": 2.5}}, {"default": True, "note": "any"}],
)
def test_numbers_are_taken(tmp_path, preset):
    assert read_manifest(written(tmp_path, **preset))["samplers"]["motionlcm"].items() >= preset.items()


@pytest.mark.parametrize(
    "preset",
    [
        {"tries": "six"}, {"tries": 0}, {"tries": 2.5}, {"tries": True}, {"tries": None}, {"steps": "4"}, {"steps": -1},
        {"grid": []}, {"guidance": "3"}, {"guidance": float("nan")}, {"guidance_by_steps": [2.0]},
        {"guidance_by_steps": {"1": None}},
    ],
)  # fmt: skip
def test_anything_else_is_named(tmp_path, preset):
    with pytest.raises(EngineError, match=f"motionlcm of .* has no usable {next(iter(preset))}") as caught:
        read_manifest(written(tmp_path, **preset))
    assert caught.value.code == "broken_bundle" and caught.value.fix


def test_all_that_are_wrong_are_named(tmp_path):
    with pytest.raises(EngineError, match=r"no usable steps, tries\."):
        read_manifest(written(tmp_path, steps=None, tries="many"))
