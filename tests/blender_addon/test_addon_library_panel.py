# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Library panel shows: every button exists, every icon too, and what cannot be done says why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from addon_rigs import walk  # noqa: E402
from caption_actions import of_a_camera, put  # noqa: E402

from blender_addon.captions import describe, panel, strips  # noqa: E402
from blender_addon.captions.action_list import MOTION_PROMPT_UL_library  # noqa: E402
from blender_addon.character.build import add_character  # noqa: E402
from blender_addon.session import session  # noqa: E402

ICONS = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()


class Layout:
    """Stands in for Blender's layout: the texts and buttons that were drawn."""

    def __init__(self):
        self.texts, self.buttons = [], []

    def row(self, **_):
        return self

    column = split = box = row

    def separator(self):
        pass

    def label(self, text="", icon="NONE"):
        assert icon in ICONS
        self.texts.append(text)

    def prop(self, data, name, text=None, icon="NONE", **_):
        assert icon in ICONS
        assert name in data.bl_rna.properties
        self.texts.append(text or "")

    def progress(self, factor, type, text):
        assert 0 <= factor <= 1
        self.texts.append(text)

    def template_list(self, kind, identifier, data, name, settings, index, rows):
        assert hasattr(bpy.types, kind)
        assert index in settings.bl_rna.properties

    def operator(self, name, text=None, icon="NONE"):
        assert icon in ICONS
        kind = getattr(bpy.ops.motion_prompt, name.removeprefix("motion_prompt."))
        self.buttons.append((name, kind.poll()))
        known = kind.get_rna_type().properties.keys()
        return type("Button", (), {"__setattr__": lambda _, key, value: known.index(key)})()


def drawn():
    layout = Layout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        region=None,
        preferences=bpy.context.preferences,
        view_layer=bpy.context.view_layer,
    )
    for kind in (panel.MOTION_PROMPT_PT_library, panel.MOTION_PROMPT_PT_caption_options):
        drawing = SimpleNamespace(layout=layout)
        drawing.draw_settings = lambda *parts, kind=kind, drawing=drawing: kind.draw_settings(drawing, *parts)
        kind.draw(drawing, context)
    for action in bpy.data.actions:
        MOTION_PROMPT_UL_library.draw_item(None, context, layout, bpy.data, action, 0, None, "")
    return layout


def test_an_empty_file_says_so(scene):
    layout = drawn()
    assert "This file has no actions yet." in " ".join(layout.texts)
    assert ("motion_prompt.surprise", True) in layout.buttons


def test_an_action_with_its_sentences_and_one_with_a_problem(scene):
    action = put(add_character(bpy.context), walk(30).canonical(), "walk")
    assert "It has no caption yet." in drawn().texts
    assert ("motion_prompt.edit_caption", False) in drawn().buttons
    describe.set_caption(action, "a person walks forward and then turns around to the left", ["someone goes"])
    camera = of_a_camera()
    describe.problems[camera.name] = "'camera move' moves no bones but the camera 'Shot'."
    layout = drawn()
    text = " ".join(layout.texts)
    assert "a person walks forward and then turns around to the left" in text
    assert "someone goes" in text
    assert max(map(len, layout.texts[:-2])) < 80, "long sentences are wrapped"
    assert ("motion_prompt.choose_caption", True) in layout.buttons
    assert ("motion_prompt.edit_caption", True) in layout.buttons
    scene.motion_prompt.captions.picked = bpy.data.actions.find(camera.name)
    assert "moves no bones but the camera 'Shot'." in " ".join(drawn().texts)


def test_the_sentences_of_strips_are_shown_with_what_they_are_of(scene):
    action = put(add_character(bpy.context), walk(60).canonical(), "walk")
    strips.keep(action, strips.StripCaption(strips.Shown(1, 30), "a person walks"))
    strips.keep(action, strips.StripCaption(strips.Shown(31, 60, 2.0, 1.0, True), "a person turns"))
    layout = drawn()
    text = " ".join(layout.texts)
    assert "Frames 1 to 30: a person walks Frames 31 to 60, backwards, at 50% speed: a person turns" in text
    assert "walk: a person walks; a person turns" in text
    assert "It has no caption yet." not in text
    assert layout.buttons.count(("motion_prompt.edit_caption", True)) == 3


def test_a_model_that_cannot_is_told_beside_the_dead_buttons(scene):
    put(add_character(bpy.context), walk(30).canonical(), "walk")
    session.health = {"bundles": [{
        "name": "plain", "title": "Plain", "licence": "CC0", "commercial": True, "own": False, "default": True,
        "samplers": [], "tasks": ["text_to_motion"], "fps": 20, "max_duration": 9.8,
    }]}  # fmt: skip
    layout = drawn()
    assert "The model 'Plain' cannot describe motions." in " ".join(layout.texts)
    assert ("motion_prompt.caption", False) in layout.buttons
    assert ("motion_prompt.surprise", False) in layout.buttons


def test_the_panels_of_settings_are_closed_below_their_panel_and_draw(scene):
    expected = {
        "advanced": "main",
        "batch": "main",
        "root": "main",
        "keys": "main",
        "caption_options": "library",
    }
    for name, parent in expected.items():
        kind = getattr(bpy.types, f"MOTION_PROMPT_PT_{name}")
        assert kind.bl_parent_id == f"MOTION_PROMPT_PT_{parent}"
        assert (kind.bl_options, kind.bl_category, kind.bl_region_type) == (
            {"DEFAULT_CLOSED"},
            "Motion",
            "UI",
        )
        layout = Layout()
        drawing = SimpleNamespace(layout=layout)
        drawing.draw_settings = lambda *parts, kind=kind, drawing=drawing: kind.draw_settings(drawing, *parts)
        kind.draw(drawing, bpy.context)
        assert layout.use_property_split
        assert not layout.use_property_decorate
        assert layout.texts, "nothing was drawn"
