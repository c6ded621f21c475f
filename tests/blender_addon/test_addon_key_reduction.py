# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: the curves that Blender evaluates stay within the stated errors at every frame."""

from __future__ import annotations

import re

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402

from blender_addon import apply, compat, key_reduction, keyframes, rig  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.retarget import solver  # noqa: E402
from blender_addon.retarget.channels import Channel, local_rotation, rotation_channel  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402

START = 7


def evaluated(action, channel, start=START):
    """(T, k) of the channel's F-curves at every frame, as Blender evaluates them."""
    path = f'pose.bones["{channel.bone}"].{channel.property}'
    curves = {c.array_index: c for c in compat.action_curves(action) if c.data_path == path}
    frames = range(start, start + len(channel.values))
    return np.array([[curves[i].evaluate(frame) for i in sorted(curves)] for frame in frames])


def angle(a, b):
    """Angles (T,) between rotations, in degrees."""
    turn = quat.multiply(quat.conjugate(quat.normalize(a)), quat.normalize(b))
    return np.degrees(np.linalg.norm(quat.to_axis_angle(turn), axis=-1))


def solved(target, frames=150):
    return solver.solve(rig.read_rest(target, rig.check(target)), walk(frames, 30.0))


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "ZXY"])
@pytest.mark.parametrize(("degrees", "millimetres"), [(0.2, 1.0), (2.0, 10.0)])
def test_every_frame_stays_within_the_error(scene, mode, degrees, millimetres):
    target = add_character(bpy.context)
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    channels = solved(target)
    reduced = key_reduction.reduce(channels, np.radians(degrees), millimetres / 1e3)
    action = keyframes.write_action(target, reduced.channels, "walk", START, {})
    worst = {"rotation": 0.0, "location": 0.0}
    for channel in channels:
        values = evaluated(action, channel)
        if channel.property == "location":
            off = np.linalg.norm(values - channel.values, axis=-1).max() * 1e3
            worst["location"] = max(worst["location"], off)
        else:
            a, b = (local_rotation(mode, one) for one in (values, channel.values))
            worst["rotation"] = max(worst["rotation"], angle(a, b).max())
    assert worst["rotation"] <= degrees
    assert worst["location"] <= millimetres
    # what is reported is what is so; of Euler angles it is a bound
    assert reduced.location * 1e3 == pytest.approx(worst["location"], abs=0.01)
    assert worst["rotation"] <= np.degrees(reduced.rotation) + 1e-3
    if mode in {"QUATERNION", "AXIS_ANGLE"}:
        assert np.degrees(reduced.rotation) == pytest.approx(worst["rotation"], abs=1e-2)
    kept = sum(len(curve.keyframe_points) for curve in compat.action_curves(action))
    assert kept == reduced.kept < reduced.before / 4
    assert reduced.before == sum(channel.values.size for channel in channels)


def test_curves_of_a_channel_share_their_frames_and_keep_both_ends(scene):
    target = add_character(bpy.context)
    channels = solved(target)
    action = keyframes.write_action(
        target, key_reduction.reduce(channels, np.radians(0.5), 0.002).channels, "walk", START, {}
    )
    frames = {}
    for curve in compat.action_curves(action):
        frames.setdefault(curve.data_path, set()).add(tuple(key.co.x for key in curve.keyframe_points))
    for path, sets in frames.items():
        assert len(sets) == 1, path
        only = next(iter(sets))
        assert (only[0], only[-1]) == (START, START + 149)
    assert len({only for sets in frames.values() for only in sets}) > 5  # each bone has its own


def test_jitter_keeps_its_keys_and_stillness_two():
    random = np.random.default_rng(0)
    noise = quat.from_axis_angle(random.normal(size=(60, 3)) * 0.3)
    still = np.tile(quat.from_axis_angle(np.array([0.1, 0.2, 0.3])), (60, 1))
    channels = [
        rotation_channel("noisy", "QUATERNION", noise),
        rotation_channel("still", "QUATERNION", still),
        Channel("other", "scale", random.normal(size=(60, 3))),
    ]
    reduced = key_reduction.reduce(channels, np.radians(0.1), 0.001)
    noisy, quiet, other = reduced.channels
    assert len(noisy.values) > 50
    assert quiet.frames.tolist() == [0, 59]
    assert other is channels[2]
    assert reduced.rotation <= np.radians(0.1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_motions(count):
    channel = Channel("root", "location", np.arange(3.0 * count).reshape(count, 3) ** 2)
    reduced = key_reduction.reduce([channel], 0.01, 0.001)
    assert reduced.channels[0].values[[0, -1]].tolist() == channel.values[[0, -1]].tolist()


def test_report_names_keys_and_errors(scene):
    scene.motion_prompt.writing.reduce = True
    from blender_addon.writing import Writing

    target = add_character(bpy.context)
    writing = Writing.of(scene.motion_prompt.writing)
    place = apply.Place(rig.Handle.of(target), scene.name, 1, writing=writing)
    result = apply.write(place, [walk(100)], "walk", is_first=True)
    found = re.search(
        r"([\d,]+) of ([\d,]+) keys are left, at most ([\d.]+)° and ([\d.]+) mm off", result.report
    )
    assert found, result.report
    kept = sum(len(c.keyframe_points) for c in compat.action_curves(bpy.data.actions["walk"]))
    assert int(found[1].replace(",", "")) == kept
    assert float(found[3]) <= 0.5
    assert float(found[4]) <= 2.0


def test_millimetres_are_those_of_the_world(scene):
    """A rig in centimetres is off by no more than one in metres."""
    from blender_addon.writing import Thinner, Writing, _metres

    target = add_character(bpy.context)
    target.scale = (0.01,) * 3
    bpy.context.view_layer.update()
    assert _metres(target) == pytest.approx(0.01)
    path = np.cumsum(np.random.default_rng(1).normal(size=(80, 3)), axis=0)  # some centimetres
    thin = Thinner(Writing(errors=(0.01, 0.005)), 0.01)
    (reduced,) = thin([Channel("root", "location", path)])
    keys = np.zeros((1, 80), dtype=bool)
    keys[0, reduced.frames] = True
    slopes = np.zeros((1, 80, 3))
    slopes[0, reduced.frames] = reduced.slopes
    off = np.linalg.norm(key_reduction.interpolate(path[None], slopes, keys)[0] - path, axis=-1).max()
    assert 0.05 < off <= 0.5  # centimetres
