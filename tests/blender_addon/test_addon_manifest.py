# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest keeps the rules of Blender's extensions."""

from __future__ import annotations

import tomllib
from pathlib import Path

import motion_engine

MANIFEST = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "blender_addon" / "blender_manifest.toml").read_text(
        encoding="utf-8"
    )
)


def test_rules_of_the_platform():
    assert MANIFEST["id"] == "motion_prompt"
    assert len(MANIFEST["tagline"]) <= 64
    assert not MANIFEST["tagline"].endswith(".")
    assert "Blender" not in MANIFEST["name"]
    assert MANIFEST["license"] == ["SPDX:GPL-3.0-or-later"]
    assert MANIFEST["blender_version_min"] == "4.2.0"
    assert set(MANIFEST["permissions"]) == {"files"}
    for reason in MANIFEST["permissions"].values():
        assert len(reason) <= 64
        assert not reason.endswith(".")


def test_version_is_the_engines():
    assert MANIFEST["version"] == motion_engine.__version__
