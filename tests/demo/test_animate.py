# SPDX-License-Identifier: GPL-3.0-or-later
"""The .blend and the previews of the demo, inside the bpy package."""

from __future__ import annotations

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from demo import animate, stage  # noqa: E402
from motion_engine.engine import Engine, GenerateRequest  # noqa: E402


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the demo's Blender half on a fresh clip, with a small picture; return the folder."""
    from motion_engine.formats import npz

    motion = Engine.load().generate(GenerateRequest(prompt="a person walks forward", duration=2.0, seed=3))[0]
    npz.save(motion, tmp_path / "walk.npz")
    monkeypatch.setattr(stage, "SHEET_WIDTH", 240)
    monkeypatch.setattr("sys.argv", ["animate.py", "--", str(tmp_path / "walk.npz"), str(tmp_path)])
    animate.main()
    return tmp_path


def test_saved_file_plays_the_clip(files: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(files / "walk.blend"))
    scene = bpy.context.scene
    rig = next(o for o in scene.objects if o.type == "ARMATURE")
    assert rig.animation_data.action.name == "a person walks forward"
    assert (scene.frame_start, scene.frame_end) == (1, round(rig.animation_data.action.frame_range[1]))
    places = []
    for frame in (scene.frame_start, scene.frame_end):
        scene.frame_set(frame)
        places.append(
            rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["pelvis"].head.copy()
        )
    assert (places[1] - places[0]).length > 0.01
    assert scene.camera is not None


def test_saved_file_has_no_leftovers_of_the_pictures(files: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(files / "walk.blend"))
    assert not [o for o in bpy.data.objects if o.name.startswith(("Pose at", "Sheet camera"))]
    assert not list(files.glob("*.part*"))


def test_sheet_shows_the_character(files: Path) -> None:
    """The picture is not one flat colour."""
    picture = bpy.data.images.load(str(files / "walk.png"))
    values = list(picture.pixels)[0::4]
    assert max(values) - min(values) > 0.3
