# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions: names, keys, slots, provenance, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402

from blender_addon import apply, compat, keyframes, rig  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget.channels import Channel  # noqa: E402


def place(target, start=1):
    return apply.Place(rig.Handle.of(target), bpy.context.scene.name, start)


def test_one_linear_key_a_scene_frame_from_the_given_frame(scene):
    scene.render.fps, scene.render.fps_base = 30, 1.001
    scene.frame_start, scene.frame_end, scene.frame_current = 5, 77, 12
    target = add_character(bpy.context)
    result = apply.write(place(target, 12), [walk(80, 20.0)], "walk", is_first=True)
    action = target.animation_data.action
    assert result.actions == [action.name] == ["walk"]
    curves = list(compat.action_curves(action))
    assert len(curves) == 22 * 4 + 3
    for curve in curves:
        frames = [key.co.x for key in curve.keyframe_points]
        assert frames == list(range(12, 12 + len(frames)))
        assert len(frames) == int(79 / 20 * 30 / 1.001) + 1
        assert {key.interpolation for key in curve.keyframe_points} == {"LINEAR"}
    assert (scene.render.fps, round(scene.render.fps_base, 3)) == (30, 1.001)
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (5, 77, 12)


def test_the_action_really_animates(scene):
    target = add_character(bpy.context)
    apply.write(place(target), [walk()], "walk", is_first=True)
    depths = []
    for frame in (1, 60):
        scene.frame_set(frame)
        evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        depths.append(evaluated.pose.bones["pelvis"].head.y)
    assert depths[0] - depths[1] > 1.0


def test_an_action_of_another_object_gets_a_slot(scene):
    first, second = add_character(bpy.context), add_character(bpy.context)
    apply.write(place(first), [walk(20)], "walk", is_first=True)
    keyframes.assign(second, bpy.data.actions["walk"])
    positions = []
    for frame in (1, 15):
        scene.frame_set(frame)
        evaluated = second.evaluated_get(bpy.context.evaluated_depsgraph_get())
        positions.append(tuple(evaluated.pose.bones["pelvis"].head))
    assert positions[0] != positions[1]


def test_takes_are_kept_and_the_action_before_is_not_lost(scene):
    target = add_character(bpy.context)
    own = bpy.data.actions.new("own work")
    target.animation_data_create().action = own
    apply.write(place(target), [walk(10), walk(10), walk(10)], "a walk", is_first=True)
    assert target.animation_data.action.name == "a walk 1"
    assert own.use_fake_user
    assert all(bpy.data.actions[f"a walk {n}"].use_fake_user for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a man\nwalks  slowly", "a man walks slowly"),
        ("x" * 200, "x" * 63),
        ("歩" * 40, "歩" * 21),
        ("a" + "é" * 40, "a" + "é" * 31),
        ("  ", "Motion"),
    ],
)
def test_names_fit_and_are_not_cut_inside_a_character(scene, text, name):
    assert keyframes.action_name(text) == name
    target = add_character(bpy.context)
    channel = Channel("pelvis", "location", np.zeros((2, 3)))
    assert keyframes.write_action(target, [channel], text, 1, {}).name == name
    assert len(apply.numbered(text, 12).encode()) <= 63
    assert apply.numbered(text, 12).endswith(" 12")


def test_provenance_is_readable_on_the_action(scene):
    target = add_character(bpy.context)
    motion = walk(5)
    motion.provenance = {
        "prompt": "walk", "seed": 4_000_000_000, "steps": 4, "guidance": 4.0, "sampler": None, "foot_lock": True,
        "quality": {"skate": 0.01, "none": None}, "words": ["a", "b"], "mixed": [1, "a"], "empty": [],
    }  # fmt: skip
    apply.write(place(target), [motion], "walk", is_first=True)
    action = bpy.data.actions["walk"]
    assert action["prompt"] == "walk"
    assert action["seed"] == "4000000000"
    assert action["steps"] == 4
    assert action["foot_lock"]
    assert "sampler" not in action
    assert action["quality"]["skate"] == pytest.approx(0.01)
    assert list(action["words"]) == ["a", "b"]


def test_bone_names_with_quotes_and_backslashes(scene):
    target = add_character(bpy.context)
    target.data.bones["head"].name = 'he"a\\d'
    channel = Channel('he"a\\d', "location", np.ones((2, 3)))
    keyframes.assign(target, keyframes.write_action(target, [channel], "n", 1, {}))
    scene.frame_set(2)
    assert target.pose.bones['he"a\\d'].location.x == pytest.approx(1.0)


def test_bench_prints_its_figures(registered):
    from blender_addon.bench import measure

    figures = measure(1)
    assert figures["blender"] == bpy.app.version_string
    assert len(figures["whole_ms"]) == len(figures["keys_ms"]) == 1
