# SPDX-License-Identifier: GPL-3.0-or-later
"""Several NLA strips of one action: each has its own sentence, and the action keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402
from caption_actions import CAPTION, put  # noqa: E402

from blender_addon import compat  # noqa: E402
from blender_addon.captions import describe  # noqa: E402
from blender_addon.captions.strips import caption_of_strip, strip_captions  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402
from motion_engine import quaternion as quat  # noqa: E402
from motion_engine.motion import Motion  # noqa: E402


def walk_then_wave():
    """60 frames of walking, then 60 of standing with an arm going up and down."""
    walking = walk(60).canonical()
    standing = np.repeat(walking.rotations[-1:].astype(float), 60, axis=0)
    up = 1.5 + 1.2 * np.sin(np.arange(60) * 0.4)
    standing[:, 17] = quat.multiply(quat.from_axis_angle(up[:, None] * [[0.0, 0.0, 1.0]]), standing[:, 17])
    root = np.concatenate([walking.root, np.repeat(walking.root[-1:], 60, axis=0)])
    return Motion.from_rotations(np.concatenate([walking.rotations, standing]), root, 20.0)


@pytest.fixture
def cut(captions):
    """An armature with two strips, each showing another half of one action."""
    target = add_character(bpy.context)
    action = put(target, walk_then_wave(), "take")
    target.animation_data.action = None
    strips = []
    for name, first, last, at in (("first", 1, 60, 1), ("second", 61, 120, 201)):
        strip = compat.new_strip(target.animation_data.nla_tracks.new(), name, action)
        strip.action_frame_start, strip.action_frame_end = first, last
        strip.frame_start_ui = at
        strips.append(strip)
    return target, action, strips


def select(*wanted):
    for item in bpy.context.scene.objects:
        for track in item.animation_data.nla_tracks if item.animation_data is not None else ():
            for strip in track.strips:
                strip.select = strip in wanted


def caption(run, *wanted):
    """Caption strips as the NLA editor does."""
    from blender_addon.captions import sources
    from blender_addon.captions.caption_run import CaptionRun

    select(*wanted)
    settings = bpy.context.scene.motion_prompt.captions
    found = sources.of_strips(bpy.context.scene.objects, selected_only=True)
    session.begin(CaptionRun(found, [], settings.written(), settings.count))
    run()
    assert session.status.kind == "DONE", session.status


def test_each_strip_has_its_own_sentence_and_the_action_keeps_its_own(cut, run):
    _, action, (first, second) = cut
    bpy.ops.motion_prompt.caption(what="TICKED")
    run()
    whole, whole_tags = action[CAPTION], describe.lines_of(action, describe.TAGS)
    assert whole
    caption(run, first)
    alone = caption_of_strip(first)
    caption(run, second)
    other = caption_of_strip(second)
    assert alone and other
    assert alone != other, "walking and waving are not the same"
    assert caption_of_strip(first) == alone, "the second strip has taken the sentence of the first"
    assert (action[CAPTION], describe.lines_of(action, describe.TAGS)) == (whole, whole_tags)
    caption(run, first, second)
    assert session.status.text == "2 of 2 strips captioned."
    assert [one.text for one in strip_captions(action)] == [alone, other]
    assert {tag for one in strip_captions(action) for tag in one.tags} <= set(describe.tags_of(action))


def test_sentences_mark_the_action_where_the_strips_begin_in_it(cut, run):
    _, action, (first, second) = cut
    for _ in range(2):  # the second time the first markers give way
        caption(run, first, second)
        marks = sorted((marker.frame, marker.name) for marker in action.pose_markers)
        assert [frame for frame, _ in marks] == [1, 61]
        assert [name for _, name in marks] == [caption_of_strip(first)[:63], caption_of_strip(second)[:63]]
    bpy.context.scene.motion_prompt.captions.markers = "TIMELINE"
    caption(run, first, second)
    assert len(action.pose_markers) == 0
    assert sorted(marker.frame for marker in bpy.context.scene.timeline_markers) == [1, 201]


def test_names_and_undo(cut, run):
    _, action, (first, second) = cut
    bpy.context.scene.motion_prompt.captions.rename = True
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert first.name == caption_of_strip(first)[:63].rstrip()
    assert second.name == caption_of_strip(second)[:63].rstrip()
    assert action.name == "take"
    bpy.ops.ed.undo()
    data = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE").animation_data
    assert [strip.name for track in data.nla_tracks for strip in track.strips] == ["first", "second"]
    assert strip_captions(bpy.data.actions["take"]) == []


def test_a_strip_that_shows_all_of_the_action_gives_it_its_caption(captions, run):
    target = add_character(bpy.context)
    action = put(target, walk(60).canonical(), "walk")
    target.animation_data.action = None
    strip = compat.new_strip(target.animation_data.nla_tracks.new(), "all of it", action)
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert action[CAPTION]
    assert strip_captions(action) == []
    kept = action[CAPTION]
    strip.use_reverse = True
    bpy.ops.motion_prompt.caption(what="SELECTED")
    run()
    assert action[CAPTION] == kept
    assert caption_of_strip(strip)
    assert len(action.pose_markers) == 0


def test_a_strip_that_was_cut_otherwise_leaves_nothing_behind(cut, run):
    _, action, (first, second) = cut
    caption(run, first, second)
    second.action_frame_start = 71
    caption(run, second)
    assert [(one.shown.first, one.shown.last) for one in strip_captions(action)] == [(1, 60), (71, 120)]
    assert sorted(marker.frame for marker in action.pose_markers) == [1, 71]


def test_the_sentence_of_a_strip_is_edited_for_a_take_as_long_as_the_strip(cut, run, scene):
    _, action, (first, second) = cut
    second.scale = 2.0
    caption(run, first, second)
    captions = scene.motion_prompt.captions
    captions.picked = bpy.data.actions.find(action.name)
    assert bpy.ops.motion_prompt.edit_caption(strip=1) == {"FINISHED"}
    assert scene.motion_prompt.prompt == caption_of_strip(second)
    assert scene.motion_prompt.duration == pytest.approx(2 * 59 / 20, abs=0.05)
    assert bpy.ops.motion_prompt.edit_caption() == {"FINISHED"}
    assert scene.motion_prompt.prompt == caption_of_strip(first)
    assert bpy.ops.motion_prompt.edit_caption(strip=7) == {"CANCELLED"}


def test_the_asset_says_what_its_strips_show(cut, run):
    _, action, (first, second) = cut
    bpy.context.scene.motion_prompt.captions.asset = True
    caption(run, first, second)
    asset = action.asset_data
    assert asset.description == f"{caption_of_strip(first)}; {caption_of_strip(second)}"
    assert {tag.name for tag in asset.tags} == set(describe.tags_of(action))
